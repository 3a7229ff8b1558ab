//! What the play tells, one line at a time; how it looks is up to who listens.

/// One line of the play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Chapter {
        number: usize,
        title: &'static str,
        about: &'static str,
    },
    /// What somebody does without a command, such as editing a file.
    Aside(String),
    /// A command as it is typed.
    Command {
        place: String,
        text: String,
    },
    /// What followed from it.
    News(String),
    /// What followed, and needs attention.
    Trouble(String),
    /// What the command itself said.
    Output(String),
    /// One row of `list`; its status comes first.
    Row {
        status: String,
        text: String,
    },
}
