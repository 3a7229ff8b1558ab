//! What an engine does, while it does it, for people who watch.

use std::fmt::Write as _;

use super::ui::{BOLD, CYAN, DIM, Ui, YELLOW, moment, styled};
use crate::domain::run::{Spent, Usage};
use crate::domain::text;
use crate::service::ask::{Progress, Told};

/// The longest line of an engine that is shown.
const MAX_LINE: usize = 200;

/// Shows what happens, line by line, on stderr.
#[derive(Default)]
pub(super) struct Watcher {
    /// What was said since the last end of a line.
    rest: String,
}

impl Watcher {
    pub(super) fn tell(&mut self, ui: &mut Ui, told: Told<'_>) {
        if ui.json {
            return;
        }
        match told {
            Told::Begins { run, engine, model } => {
                let model = model.map(|model| format!(" ({model})")).unwrap_or_default();
                let run = styled(DIM, format!("run {run}"));
                ui.note(format!("{} {}{model}  {run}", styled(CYAN, "▶"), styled(BOLD, engine)));
            }
            Told::Next { why, engine } => {
                self.end(ui);
                ui.warn(format!("it ended with {why}; {engine} is asked instead"));
            }
            Told::Waits { until_ms, engine } => {
                self.end(ui);
                ui.warn(format!("{engine} may be asked again at {}; Ctrl-C ends the wait", moment(until_ms)));
            }
            Told::Warns(warning) => ui.warn(warning),
            Told::Progress(progress) => self.progress(ui, progress),
        }
    }

    fn progress(&mut self, ui: &mut Ui, progress: Progress<'_>) {
        match progress {
            Progress::Says(said) => {
                self.rest.push_str(said);
                while let Some((line, rest)) = self.rest.split_once('\n') {
                    let (line, rest) = (line.to_owned(), rest.to_owned());
                    self.rest = rest;
                    show(ui, &line);
                }
                if self.rest.len() > 4 * MAX_LINE {
                    self.end(ui);
                }
            }
            Progress::Uses { tool, detail } => {
                self.end(ui);
                let detail = text::clip(&text::one_line(detail), MAX_LINE);
                ui.note(format!("  {} {detail}", styled(CYAN, text::one_line(tool))));
            }
            Progress::Notice(said) => {
                self.end(ui);
                ui.note(format!("  {}", styled(YELLOW, text::clip(&text::one_line(said), MAX_LINE))));
            }
            Progress::Session(_) | Progress::Used(_) | Progress::Log(_) => (),
        }
    }

    /// Shows what has no end of a line yet.
    pub(super) fn end(&mut self, ui: &mut Ui) {
        let rest = std::mem::take(&mut self.rest);
        show(ui, &rest);
    }
}

fn show(ui: &mut Ui, line: &str) {
    let line = text::clip(&text::one_line(line), MAX_LINE);
    if !line.is_empty() {
        ui.note(format!("  {}", styled(DIM, line)));
    }
}

/// Returns what a run used, for people: `12,300 tokens in (8,000 cached), 540 out, $0.04`.
pub(super) fn used(usage: Usage) -> String {
    if usage.is_unknown() {
        return "usage unknown".to_owned();
    }
    // Writing to a `String` cannot fail.
    let mut said = String::new();
    if let Some(input) = usage.input_tokens {
        write!(said, "{} tokens in", grouped(input)).ok();
        if let Some(cached) = usage.cached_tokens.filter(|cached| *cached > 0) {
            write!(said, " ({} cached)", grouped(cached)).ok();
        }
    }
    if let Some(output) = usage.output_tokens {
        let sep = if said.is_empty() { "" } else { ", " };
        write!(said, "{sep}{} out", grouped(output)).ok();
    }
    if let Some(cost) = usage.cost_micros {
        let sep = if said.is_empty() { "" } else { ", " };
        write!(said, "{sep}{}", money(cost)).ok();
    }
    said
}

/// Returns what several runs used together, for people.
pub(super) fn spent(spent: &Spent) -> String {
    let mut said = format!("{} tokens", grouped(spent.tokens));
    if spent.estimated_tokens > 0 {
        write!(said, " (about {} of them estimated)", grouped(spent.estimated_tokens)).ok();
    }
    if let Some(cost) = spent.usage.cost_micros {
        write!(said, ", {}", money(cost)).ok();
    }
    said
}

/// Returns an amount of money: cents, or more digits below a cent.
pub(super) fn money(micros: u64) -> String {
    let (dollars, rest) = (micros / 1_000_000, micros % 1_000_000);
    if dollars == 0 && rest > 0 && rest < 10_000 {
        return format!("${dollars}.{rest:06}");
    }
    format!("${}.{:02}", grouped(dollars), rest / 10_000)
}

/// Returns a number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
        for (micros, shown) in [(0, "$0.00"), (1, "$0.000001"), (9_999, "$0.009999"), (40_000, "$0.04")] {
            assert_eq!(money(micros), shown);
        }
        assert_eq!(money(1_234_560_000), "$1,234.56");
        let usage = Usage { input_tokens: Some(2200), cached_tokens: Some(1400), ..Usage::default() };
        assert_eq!(used(usage), "2,200 tokens in (1,400 cached)");
        assert_eq!(used(Usage { output_tokens: Some(0), ..Usage::default() }), "0 out");
        assert_eq!(used(Usage::default()), "usage unknown");
    }
}
