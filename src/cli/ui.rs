//! The terminal: results on stdout, everything else on stderr, and nothing raw on either.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::error::CliError;
use crate::domain::text;
use crate::platform::clock;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Where a command writes, and what was said for all commands.
pub(super) struct Ui {
    pub(super) json: bool,
    /// What `--git-dir` says.
    pub(super) git_dir: Option<PathBuf>,
    out: anstream::AutoStream<io::StdoutLock<'static>>,
    err: anstream::AutoStream<io::StderrLock<'static>>,
    progress_shown: bool,
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
        Self { json, git_dir: None, out, err, progress_shown: false }
    }

    /// Writes one line of results.
    ///
    /// # Errors
    ///
    /// If stdout is closed.
    pub(super) fn line(&mut self, line: impl Display) -> Result<(), CliError> {
        self.end_progress();
        writeln!(self.out, "{}", harmless(&line.to_string())).map_err(Into::into)
    }

    /// Writes text of our own, such as a script, byte for byte.
    ///
    /// # Errors
    ///
    /// If stdout is closed.
    pub(super) fn verbatim(&mut self, text: &str) -> Result<(), CliError> {
        self.end_progress();
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush().map_err(Into::into)
    }

    /// Writes a JSON document in one line. What a terminal would obey is escaped, which changes nothing
    /// for a parser.
    ///
    /// # Errors
    ///
    /// If stdout is closed.
    pub(super) fn json(&mut self, document: &impl Serialize) -> Result<(), CliError> {
        self.end_progress();
        // JSON holds no colours, so it need not be searched for them.
        let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        write_json(&mut out, document)?;
        out.write_all(b"\n")?;
        out.flush().map_err(Into::into)
    }

    /// Writes what is worth knowing beside the result.
    pub(super) fn note(&mut self, text: impl Display) {
        self.end_progress();
        // A closed stderr is no reason to stop.
        drop(writeln!(self.err, "{}", harmless(&text.to_string())));
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

/// Writes JSON in which every character that a terminal would obey is escaped.
fn write_json(out: impl Write, document: &impl Serialize) -> io::Result<()> {
    document.serialize(&mut serde_json::Serializer::with_formatter(out, Harmless)).map_err(io::Error::from)
}

struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        if text::is_plain(rest) {
            return out.write_all(rest.as_bytes());
        }
        while let Some((idx, c)) = rest.char_indices().find(|(_, c)| text::is_raw(*c)) {
            out.write_all(&rest.as_bytes()[..idx])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[idx + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Returns `text` in a style.
pub(super) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns a count with its noun, which forms its plural by an `s`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Cells in columns as wide as their widest cell.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Vec<(String, Style)>>,
}

impl Table {
    pub(super) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = (S, Style)>) {
        self.rows.push(cells.into_iter().map(|(cell, style)| (cell.into(), style)).collect());
    }

    /// Returns the lines, without spaces at their ends.
    pub(super) fn lines(&self) -> Vec<String> {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..n_columns)
            .map(|idx| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(idx))
                    .map(|(cell, _)| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        self.rows
            .iter()
            .map(|row| {
                // Empty cells at the end would only leave spaces behind.
                let n_cells = row.iter().rposition(|(cell, _)| !cell.is_empty()).map_or(0, |idx| idx + 1);
                let cells = row.iter().take(n_cells).enumerate().map(|(idx, (cell, style))| {
                    let is_last = idx + 1 == n_cells || widths[idx] == 0;
                    let gap = if is_last { 0 } else { widths[idx] - cell.width() + 2 };
                    styled(*style, cell) + &" ".repeat(gap)
                });
                cells.collect()
            })
            .collect()
    }
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

    #[test]
    fn json_is_the_same_document_in_safe_letters() {
        let document = serde_json::json!({ "a\u{9b}": "é \u{202e} \u{e0001} \u{1b} 🦖" });
        let mut bytes = Vec::new();
        write_json(&mut bytes, &document).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(text::is_raw) && text.contains('🦖'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
    }
}
