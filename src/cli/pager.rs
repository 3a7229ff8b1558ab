//! A pager for what is longer than the screen, chosen as git chooses it.
//!
//! The text is complete before the pager starts, so a pager that cannot be started costs nothing: the
//! text is written as it is.

use std::ffi::OsString;

use unicode_width::UnicodeWidthStr as _;

use crate::platform::git::Repo;
use crate::platform::terminal::Size;
use crate::platform::{env, foreground, process};

/// Returns the command line of the pager that the person wants; `None` for none.
///
/// A repository's own configuration has no say: it may be a stranger's.
pub(super) fn wanted(repo: &Repo) -> Option<OsString> {
    let of_user = || {
        let lines = repo.config_section("core").into_iter();
        let mut named = lines.filter(|line| line.key.eq_ignore_ascii_case("pager") && is_of_user(line.scope));
        named.next_back().and_then(|line| line.value).map(OsString::from)
    };
    let pager = env::raw("GIT_PAGER").or_else(of_user).or_else(|| env::raw("PAGER"));
    pager_or_none(pager.unwrap_or_else(|| "less".into()))
}

fn is_of_user(scope: &str) -> bool {
    matches!(scope, "system" | "global" | "command")
}

fn pager_or_none(pager: OsString) -> Option<OsString> {
    (!pager.is_empty() && pager != "cat").then_some(pager)
}

/// Whether `text` needs more than a screen.
pub(super) fn is_long(text: &str, size: Size) -> bool {
    let plain = anstream::adapter::strip_str(text).to_string();
    let n_rows: usize = plain.lines().map(|line| line.width().div_ceil(size.columns).max(1)).sum();
    // The prompt comes back in a row of its own.
    n_rows >= size.rows
}

/// Shows `text` in a pager until the person leaves it; `false` if it did not start.
pub(super) fn show(pager: &OsString, text: &str) -> bool {
    const NOT_RUN: [i32; 2] = [126, 127];
    let mut command = process::command("sh");
    command.arg("-c").arg(pager);
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if env::raw(name).is_none() {
            command.env(name, value);
        }
    }
    foreground::feed(&mut command, text.as_bytes()).is_ok_and(|ended| !NOT_RUN.contains(&ended.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_screen_shows_them() {
        let size = Size { columns: 10, rows: 4 };
        for (text, want) in [
            ("a\nb\n", false),
            ("a\nb\nc\n", false),
            ("a\nb\nc\nd\n", true),
            ("a\n\u{1b}[1m0123456789\u{1b}[0m\nc\n", false),
            ("a\n0123456789+\nc\n", true),
            ("a\n漢字漢字漢字\nc\n", true),
            ("a\n\n\n\n", true),
        ] {
            assert_eq!(is_long(text, size), want, "{text:?}");
        }
    }

    #[test]
    fn cat_and_nothing_are_no_pager() {
        for (pager, want) in [("", false), ("cat", false), ("less -R", true)] {
            assert_eq!(pager_or_none(pager.into()).is_some(), want, "{pager:?}");
        }
        assert!(!["local", "worktree"].into_iter().any(is_of_user));
    }
}
