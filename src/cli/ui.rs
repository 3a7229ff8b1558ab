//! The terminal: results on stdout, everything else on stderr, and nothing raw on either.

mod pipe;
mod table;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use self::pipe::{Pipe, write_json};
pub(super) use self::table::Table;
use super::error::CliError;
use super::pager;
use crate::domain::text;
use crate::platform::git::Repo;
use crate::platform::terminal::{self, Size};
use crate::platform::{clock, env};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Where a command writes, and what was said for all commands.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Ui {
    pub(super) json: bool,
    /// What `--git-dir` says.
    pub(super) git_dir: Option<PathBuf>,
    /// What `--no-pager` says.
    pub(super) no_pager: bool,
    /// That of the terminal which stdout is.
    size: Option<Size>,
    speaks_utf8: bool,
    /// What is held back for a pager.
    held: Option<Held>,
    out: anstream::AutoStream<io::StdoutLock<'static>>,
    err: anstream::AutoStream<io::StderrLock<'static>>,
    progress_shown: bool,
    /// Whether who reads stdout has had enough.
    is_closed: bool,
}

struct Held {
    pager: OsString,
    text: String,
}

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

impl Ui {
    pub(super) fn new(json: bool, color: Color) -> Self {
        let choice = match color {
            // Git has started a pager for us, which takes colours.
            Color::Auto if is_paged_by_git() => anstream::ColorChoice::Always,
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        let out = match choice {
            anstream::ColorChoice::Auto => anstream::AutoStream::auto(io::stdout().lock()),
            choice => anstream::AutoStream::new(io::stdout().lock(), choice),
        };
        let err = match choice {
            anstream::ColorChoice::Auto => anstream::AutoStream::auto(io::stderr().lock()),
            choice => anstream::AutoStream::new(io::stderr().lock(), choice),
        };
        Self {
            json,
            git_dir: None,
            no_pager: false,
            size: terminal::size(),
            speaks_utf8: terminal::speaks_utf8(),
            held: None,
            out,
            err,
            progress_shown: false,
            is_closed: false,
        }
    }

    /// Whether stdout is a terminal.
    pub(super) fn is_on_terminal(&self) -> bool {
        self.size.is_some()
    }

    /// Lets a person page through what comes, if it turns out to be longer than the screen.
    pub(super) fn page(&mut self, repo: &Repo) {
        if self.size.is_some() && !self.json && !self.no_pager && self.held.is_none() {
            self.held = pager::wanted(repo).map(|pager| Held { pager, text: String::new() });
        }
    }

    /// Shows what was held back.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written to, other than because it was closed.
    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let is_long = self.size.is_some_and(|size| pager::is_long(&held.text, size));
        let plain;
        let text = if self.out.current_choice() == anstream::ColorChoice::Never {
            plain = anstream::adapter::strip_str(&held.text).to_string();
            &plain
        } else {
            &held.text
        };
        if is_long && pager::show(&held.pager, text) {
            return Ok(());
        }
        let written = self.out.write_all(text.as_bytes());
        self.told(written)
    }

    /// Makes a closed stdout a silent end of what is said, and of nothing else: what is left to do is
    /// done, and the exit code is as it would have been.
    fn told(&mut self, written: io::Result<()>) -> Result<(), CliError> {
        match written {
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            written => written.map_err(Into::into),
        }
    }

    pub(super) fn stderr_has_colors(&self) -> bool {
        self.err.current_choice() != anstream::ColorChoice::Never
    }

    /// Whether stdout was closed before all was said.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns `text` as it is shown: nothing that a terminal would obey, in signs that it can show.
    fn shown(&self, text: &str) -> String {
        let text = harmless(text);
        if self.speaks_utf8 { text } else { text.chars().map(ascii).collect() }
    }

    /// Writes one line of results.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written to, other than because it was closed.
    pub(super) fn line(&mut self, line: impl Display) -> Result<(), CliError> {
        self.end_progress();
        let line = self.shown(&line.to_string());
        if let Some(held) = &mut self.held {
            held.text.extend([line.as_str(), "\n"]);
            return Ok(());
        }
        if self.is_closed {
            return Ok(());
        }
        let written = writeln!(self.out, "{line}");
        self.told(written)
    }

    /// Writes a table, on a terminal no wider than that.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written to, other than because it was closed.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), CliError> {
        let columns = self.size.map(|size| size.columns);
        table.lines_within(columns).into_iter().try_for_each(|line| self.line(line))
    }

    /// Writes text of our own, such as a script, byte for byte.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written to, other than because it was closed.
    pub(super) fn verbatim(&mut self, text: &str) -> Result<(), CliError> {
        self.end_progress();
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.told(written)
    }

    /// Returns stdout for what is written piece by piece, and holds nothing that a terminal would obey. A closed
    /// one takes everything in silence.
    pub(super) fn pipe(&mut self) -> impl Write {
        self.end_progress();
        Pipe::new()
    }

    /// Writes a JSON document in one line. What a terminal would obey is escaped, which changes nothing
    /// for a parser.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written to, other than because it was closed.
    pub(super) fn json(&mut self, document: &impl Serialize) -> Result<(), CliError> {
        self.end_progress();
        if self.is_closed {
            return Ok(());
        }
        // JSON holds no colours, so it need not be searched for them.
        let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        let written = write_json(&mut out, document).and_then(|()| out.write_all(b"\n"));
        let written = written.and_then(|()| out.flush());
        self.told(written)
    }

    /// Writes what is worth knowing beside the result.
    pub(super) fn note(&mut self, text: impl Display) {
        self.end_progress();
        let text = self.shown(&text.to_string());
        match &mut self.held {
            // A pager would hide it.
            Some(held) if io::stderr().is_terminal() => held.text.extend([text.as_str(), "\n"]),
            // A closed stderr is no reason to stop.
            _ => drop(writeln!(self.err, "{text}")),
        }
    }

    pub(super) fn warn(&mut self, text: impl Display) {
        self.note(format!("{YELLOW}warning:{YELLOW:#} {text}"));
    }

    /// Shows what is being done, on a terminal only; the next one takes its place.
    pub(super) fn progress(&mut self, said: &str) {
        if io::stderr().is_terminal() {
            drop(write!(self.err, "\r\x1b[2K{}", text::clip(&text::one_line(said), 78)));
            drop(self.err.flush());
            self.progress_shown = true;
        }
    }

    fn end_progress(&mut self) {
        if self.progress_shown {
            drop(write!(self.err, "\r\x1b[2K"));
            self.progress_shown = false;
        }
    }

    /// Shows an error: its text on stderr and, for scripts, a JSON document on stdout.
    pub(super) fn error(&mut self, err: &CliError) {
        self.note(format!("{RED}error:{RED:#} {}", err.message));
        for name in err.candidates.iter().filter(|_| err.candidates.len() > 1) {
            self.note(format!("  {name}"));
        }
        if let Some(hint) = &err.hint {
            self.note(format!("{CYAN}hint:{CYAN:#} {hint}"));
        }
        if self.json {
            let document = serde_json::json!({
                "schema": "git-godzilla/error@1",
                "code": err.code,
                "message": err.message,
                "hint": err.hint,
                "exit": err.exit as i32,
            });
            drop(self.json(&document));
        }
    }
}

/// Returns `text` without anything that a terminal would obey, but for styles.
pub(super) fn harmless(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut out = text::harmless(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(piece.len());
        let (style, rest) = match piece[end..].strip_prefix('m') {
            Some(rest) => (Some(&piece[..end]), text::harmless(rest)),
            None => (None, text::harmless(&format!("\u{1b}[{piece}"))),
        };
        if let Some(style) = style {
            out.extend(["\u{1b}[", style, "m"]);
        }
        out.push_str(&rest);
    }
    out
}

/// Returns `text` in a style.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns a count with its noun, which forms its plural by an `s`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Returns the sign that stands for one of ours where the locale knows ASCII only.
fn ascii(c: char) -> char {
    match c {
        '●' => '*',
        '○' => 'o',
        '✓' => '+',
        '✗' => 'x',
        '◐' => '?',
        '‖' => '=',
        '–' => '-',
        '→' => '>',
        '…' => '~',
        c => c,
    }
}

fn is_paged_by_git() -> bool {
    let in_use = env::var("GIT_PAGER_IN_USE");
    matches!(in_use.as_deref(), Some("true" | "1"))
        && env::raw("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns the glyph and the style of a status.
pub(super) fn status_look(status: &str) -> (&'static str, Style) {
    match status {
        "completed" => ("✓", GREEN),
        "running" => ("●", CYAN),
        "needs_qa" => ("◐", YELLOW),
        "blocked" | "failed" => ("✗", RED),
        "paused" => ("‖", YELLOW),
        "cancelled" => ("–", DIM),
        _ => ("○", Style::new()),
    }
}

/// Returns a moment in the local time zone, to the minute.
pub(super) fn moment(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(clock::zone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_styles_steer_the_terminal() {
        for (text, want) in [
            ("plain  text\n", "plain  text\n"),
            ("\u{1b}[1;31mred\u{1b}[0m\tand\rmore", "\u{1b}[1;31mred\u{1b}[0m and more"),
            ("\u{1b}[2Jgone \u{1b}]0;title\u{7}too \u{9b}2Jhere", "gone too here"),
            ("a\u{1b}[31", "a"),
            ("ab\u{202e}cd\u{85}e", "abcd e"),
        ] {
            assert_eq!(harmless(text), want, "{text:?}");
        }
    }
}
