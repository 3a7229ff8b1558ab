//! The terminal that stdout may be, and what it can show.

use std::io::{self, IsTerminal as _};

use super::env;

/// The size of a terminal, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// Returns the size of the terminal that stdout is; `None` if it is none. A terminal that does not
/// know its size is taken for one of 80 columns and 24 rows.
pub fn size() -> Option<Size> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let known = |size: &usize| *size > 0;
    let set = |name| env::var(name).and_then(|text| text.parse().ok()).filter(known);
    let (columns, rows) = asked();
    Some(Size {
        columns: set("COLUMNS").or(columns.filter(known)).unwrap_or(80),
        rows: set("LINES").or(rows.filter(known)).unwrap_or(24),
    })
}

#[cfg(unix)]
fn asked() -> (Option<usize>, Option<usize>) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    (size.map(|size| size.ws_col.into()), size.map(|size| size.ws_row.into()))
}

#[cfg(not(unix))]
fn asked() -> (Option<usize>, Option<usize>) {
    (None, None)
}

/// Whether the locale says that text is UTF-8.
pub fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env::var).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
