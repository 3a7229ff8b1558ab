//! What git takes out of a draft before it becomes a message.

use super::lines::{is_scissors, last_line};

/// What git picks from with `core.commentChar=auto`.
const AUTO: [&str; 10] = ["#", ";", "@", "!", "$", "%", "^", "&", "|", ":"];

/// How to tell the text of a draft from what git will take out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub comment: Comment,
    /// Whether everything from the scissors line on is no part of the message,
    /// as after `commit --verbose` and with `commit.cleanup=scissors`.
    pub scissors: bool,
}

/// What begins a comment line, as in `core.commentChar` and
/// `core.commentString`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub(super) mark: Vec<u8>,
    /// Whether git takes such lines out of the message.
    pub(super) stripped: bool,
}

impl Comment {
    /// Returns the comment marker `mark`, which may have several bytes, or
    /// `None` for one that git refuses: empty, or with a line break.
    ///
    /// The value `auto` is the caller's to resolve.
    pub fn new(mark: impl Into<Vec<u8>>) -> Option<Self> {
        let mark = mark.into();
        let valid = !mark.is_empty() && !mark.contains(&b'\n');
        valid.then_some(Self { mark, stripped: true })
    }

    /// Returns the marker that git used in `raw`, of those that the configuration names, the last
    /// one set first; `auto` stands for each that git may pick.
    ///
    /// It begins the scissors line, else the last line. A git that does not know
    /// `core.commentString` is told apart this way, too. Where no marker fits, the first one counts.
    pub fn used_in(raw: &[u8], configured: &[String]) -> Self {
        let mut marks: Vec<&str> = Vec::new();
        for mark in configured.iter().map(String::as_str) {
            if mark == "auto" { marks.extend(AUTO) } else { marks.push(mark) }
        }
        marks.push("#");
        let is_cut = |mark: &&&str| raw.split(|b| *b == b'\n').any(|line| is_scissors(line, mark.as_bytes()));
        let ends = |mark: &&&str| {
            let rest = last_line(raw).strip_prefix(mark.as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
        };
        let used = marks.iter().find(is_cut).or_else(|| marks.iter().find(ends)).or(marks.first());
        used.and_then(|mark| Self::new(*mark)).unwrap_or_default()
    }

    /// Returns the same marker for a clean-up mode that keeps such lines in the
    /// message: `verbatim`, `whitespace`, and `scissors`, and any commit made
    /// without an editor. It still tells the scissors line.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { stripped: false, ..self }
    }
}

impl Default for Comment {
    /// The comment marker of git, `#`.
    fn default() -> Self {
        Self { mark: b"#".to_vec(), stripped: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_markers_that_git_refuses() {
        assert_eq!(Comment::new(""), None);
        assert_eq!(Comment::new("a\nb"), None);
        assert!(Comment::new("//").is_some());
    }

    #[test]
    fn the_marker_is_the_one_that_git_used() {
        let hint = |mark: &str| format!("#12 fix\n\n{mark} Please enter\n{mark}\n");
        let cut =
            |mark: &str| format!("x\n{mark} ------------------------ >8 ------------------------\n+# y\n#\n");
        for (raw, configured, mark) in [
            (hint("#"), &[][..], "#"),
            (hint(";"), &["auto"], ";"),
            (cut("@"), &["auto"], "@"),
            (hint("//"), &["//"], "//"),
            (hint("#"), &["//"], "#"),
            (cut("%"), &["%", "//"], "%"),
            ("fix: x\n".to_owned(), &[";"], ";"),
            ("fix: x\n".to_owned(), &["auto"], "#"),
            (String::new(), &["\n"], "#"),
        ] {
            let configured: Vec<String> = configured.iter().map(|mark| (*mark).to_owned()).collect();
            assert_eq!(Comment::used_in(raw.as_bytes(), &configured).mark, mark.as_bytes(), "{raw}");
        }
    }
}
