//! `git godzilla budget`.

use std::process::ExitCode;

use anstyle::Style;
use serde_json::{Value, json};

use super::act::Target;
use crate::cli::error::CliError;
use crate::cli::told::{grouped, money};
use crate::cli::ui::{DIM, GREEN, RED, Table, Ui, YELLOW, counted};
use crate::domain::budget::{Line, Scope};
use crate::domain::id::StepId;
use crate::service::budget::{self, Overview};
use crate::service::resolve;
use crate::service::streams::Streams;

/// How many cells a bar has.
const BAR: u64 = 10;

/// Show what engines used, and what they may use
///
/// Tokens and money by step, protocol, project and day (UTC), of all clones as far as it was fetched.
/// What an engine did not say is estimated and marked; what nobody knows counts as nothing and is said.
/// Limits are settings: `git config godzilla.budget.protocolTokens 500000`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let name = {
        let streams = Streams::for_target(&ctx, args.target.name())?;
        match args.target.name() {
            Some(name) => Some(resolve::protocol(&streams, Some(name))?.name),
            None => resolve::current(&streams)?,
        }
    };
    let overview = budget::overview(&ctx, name.as_ref())?;
    if overview.n_unread > 0 {
        let streams = counted(overview.n_unread, "stream");
        ui.warn(format!("{streams} could not be read and are not counted; `git godzilla doctor` says why"));
    }
    if ui.json {
        ui.json(&document(&overview))?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.table(&table(&overview, ui.is_on_terminal()))?;
    let is_set = ctx.settings.engines.budget.is_set();
    if is_set {
        ui.note(match overview.mode.as_str() {
            "strict" => "what would exceed a limit does not run",
            "warn" => "what exceeds a limit is only told",
            _ => "limits are off",
        });
    } else {
        ui.note("nothing is limited; as in `git config godzilla.budget.protocolTokens 500000`");
    }
    Ok(ExitCode::SUCCESS)
}

/// What a line is about, for people.
fn label(overview: &Overview, line: &Line) -> String {
    match (line.scope, &overview.name) {
        (Scope::Protocol, Some(name)) => name.to_string(),
        (Scope::Day, _) => "today (UTC)".to_owned(),
        (scope, _) => scope.to_string(),
    }
}

fn table(overview: &Overview, is_on_terminal: bool) -> Table {
    let mut table = Table::default();
    for (id, line) in &overview.steps {
        add(&mut table, format!("  {id}"), line, is_on_terminal);
    }
    for line in &overview.lines {
        add(&mut table, label(overview, line), line, is_on_terminal);
    }
    table
}

fn add(table: &mut Table, label: String, line: &Line, is_on_terminal: bool) {
    let plain = Style::new();
    let spent = &line.spent;
    let limit = line.limit.tokens;
    let mut used = format!("{} tokens", grouped(spent.tokens));
    if let Some(limit) = limit {
        used = format!("{} of {} tokens", grouped(spent.tokens), grouped(limit));
    }
    let style = look(spent.tokens, limit);
    let mut more = Vec::new();
    more.extend(limit.map(|limit| format!("{} left", grouped(limit.saturating_sub(spent.tokens)))));
    if spent.estimated_tokens > 0 {
        more.push(format!("{} estimated", grouped(spent.estimated_tokens)));
    }
    match (spent.usage.cost_micros, line.limit.cost_micros) {
        (cost, Some(limit)) => more.push(format!("{} of {}", money(cost.unwrap_or(0)), money(limit))),
        (Some(cost), None) => more.push(money(cost)),
        (None, None) => {}
    }
    if spent.unknown_costs > 0 {
        let runs = usize::try_from(spent.unknown_costs).unwrap_or(usize::MAX);
        more.push(format!("cost of {} unknown", counted(runs, "run")));
    }
    let mut cells = vec![(label, plain), (used, style)];
    if is_on_terminal {
        cells.push((bar(spent.tokens, limit), style));
    }
    table.row(cells);
    for line in wrapped(&more) {
        table.below(format!("    {line}"), DIM);
    }
}

/// Puts parts into as few lines as fit the narrowest terminal.
fn wrapped(parts: &[String]) -> Vec<String> {
    const WIDTH: usize = 76;
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut().filter(|line| line.len() + part.len() + 2 <= WIDTH) {
            Some(line) => line.extend([", ", part]),
            None => lines.push(part.clone()),
        }
    }
    lines
}

fn look(used: u64, limit: Option<u64>) -> Style {
    match limit {
        None => Style::new(),
        Some(limit) if used >= limit => RED,
        Some(limit) if used >= limit - limit / 5 => YELLOW,
        Some(_) => GREEN,
    }
}

/// Returns a bar, full where everything is used; empty without a limit.
fn bar(used: u64, limit: Option<u64>) -> String {
    let Some(limit) = limit else { return String::new() };
    let filled = match limit {
        0 => BAR,
        limit => {
            u64::try_from(u128::from(used) * u128::from(BAR) / u128::from(limit)).unwrap_or(BAR).min(BAR)
        }
    };
    (0..BAR).map(|cell| if cell < filled { '█' } else { '░' }).collect()
}

fn document(overview: &Overview) -> Value {
    let steps = overview.steps.iter().map(|(id, line)| line_json(Some(id), line));
    let lines = overview.lines.iter().map(|line| line_json(None, line));
    json!({
        "schema": "git-godzilla/budget@1",
        "mode": overview.mode.as_str(),
        "name": overview.name.as_ref().map(ToString::to_string),
        "budgets": steps.chain(lines).collect::<Vec<_>>(),
        "unread_streams": overview.n_unread,
    })
}

fn line_json(step: Option<&StepId>, line: &Line) -> Value {
    let spent = &line.spent;
    let cost = spent.usage.cost_micros;
    let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
    json!({
        "scope": line.scope.as_str(),
        "step": step.map(ToString::to_string),
        "tokens": {
            "used": spent.tokens,
            "estimated": spent.estimated_tokens,
            "limit": line.limit.tokens,
            "left": left(line.limit.tokens, spent.tokens),
        },
        "cost": {
            "used_micros": cost,
            "limit_micros": line.limit.cost_micros,
            "left_micros": left(line.limit.cost_micros, cost.unwrap_or(0)),
            "unknown_runs": spent.unknown_costs,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::Limit;
    use crate::domain::run::{Spent, Usage};

    #[test]
    fn a_bar_is_full_where_everything_is_used() {
        let filled = |used, limit| bar(used, limit).chars().filter(|c| *c == '█').count();
        for (used, limit, want) in
            [(0, 10, 0), (5, 10, 5), (9, 10, 9), (10, 10, 10), (u64::MAX, 10, 10), (0, 0, 10)]
        {
            assert_eq!(filled(used, Some(limit)), want, "{used} of {limit}");
        }
        assert_eq!(bar(7, None), "");
    }

    #[test]
    fn the_widest_line_fits_a_terminal() {
        let spent = Spent {
            tokens: 12_345_678,
            estimated_tokens: 1_234_567,
            unknown_costs: 120,
            usage: Usage { cost_micros: Some(1_234_560_000), ..Usage::default() },
        };
        let limit = Limit { tokens: Some(20_000_000), cost_micros: Some(2_000_000_000) };
        let mut table = Table::default();
        let line = Line { scope: Scope::Protocol, spent, limit };
        add(&mut table, "0123-add-a-login-page-to-it".to_owned(), &line, true);
        let lines = table.lines();
        assert_eq!(lines.len(), 3);
        for line in lines {
            let plain = anstream::adapter::strip_str(&line).to_string();
            assert!(plain.chars().count() <= 80, "{plain}");
        }
    }
}
