//! Every ref name we own.

use crate::domain::id::{Name, Ulid};

pub const PROTOCOLS: &str = "refs/godzilla/protocols/";
pub const PROJECT: &str = "refs/godzilla/project";
pub const INBOX: &str = "refs/godzilla/inbox/";
pub const ARCHIVE: &str = "refs/godzilla/archive";
pub const NOTES: &str = "refs/notes/godzilla";

/// Everything that is shared.
pub const SHARED: &str = "refs/godzilla/";
/// Copies of what remotes hold; never pushed.
pub const TRACKING: &str = "refs/godzilla-remote/";
/// What stays in this clone; never pushed.
pub const LOCAL: &str = "refs/godzilla-local/";

/// What lay in worktrees before somebody else changed them.
pub const SNAPSHOTS: &str = "refs/godzilla-local/snapshots/";
/// Worktrees and branches that were removed.
pub const TRASH: &str = "refs/godzilla-local/trash/";
/// Commits of branches that no branch has any more.
pub const KEEP: &str = "refs/godzilla-local/keep/";

/// Returns the ref that keeps commits of a protocol that its branch lost.
pub fn keep(name: &Name) -> String {
    format!("{KEEP}{name}")
}

/// Returns the ref of a protocol's stream.
pub fn protocol(name: &Name) -> String {
    format!("{PROTOCOLS}{name}")
}

/// Returns the ref of a drop box.
pub fn drop_box(id: Ulid) -> String {
    // Ref names are compared without case on some file systems.
    format!("{INBOX}{}", id.to_string().to_lowercase())
}

/// Returns the folder of the tracking refs of a remote, with its slash.
pub fn tracking_root(remote: &str) -> String {
    format!("{TRACKING}{}/", encode_remote(remote))
}

/// Returns the tracking ref of one of our refs at a remote.
pub fn tracking(remote: &str, name: &str) -> String {
    format!("{}{}", tracking_root(remote), name.strip_prefix(SHARED).unwrap_or(name))
}

/// Returns the refspecs that bring a remote's state: without claims and logs of runs.
pub fn fetch_refspecs(remote: &str) -> Vec<String> {
    vec![
        format!("+{SHARED}*:{}*", tracking_root(remote)),
        format!("^{SHARED}claims/*"),
        format!("^{SHARED}runs/*"),
    ]
}

/// Escapes what a remote's name may hold and a part of a ref name, or a file name anywhere, may not.
pub(super) fn encode_remote(remote: &str) -> String {
    let mut encoded = String::with_capacity(remote.len());
    for byte in remote.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            byte => {
                use std::fmt::Write as _;
                // Writing to a `String` cannot fail.
                write!(encoded, "%{byte:02x}").ok();
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w6_names_of_remotes_are_escaped() {
        assert_eq!(
            tracking("origin", "refs/godzilla/protocols/0001-a"),
            "refs/godzilla-remote/origin/protocols/0001-a"
        );
        assert_eq!(tracking_root("team/x.lock"), "refs/godzilla-remote/team%2fx%2elock/");
        assert_ne!(tracking_root("a/b"), tracking_root("a%2fb"));
    }
}
