//! What git takes out of a draft before it becomes a message.

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
}
