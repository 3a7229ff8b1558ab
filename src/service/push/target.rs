//! Where a push goes and what it moves, as `git push` decides it.

use super::Wish;
use crate::domain::id::Name;
use crate::platform::git::{Error, Repo};

/// Where to, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// A name or an address; `None` is left to git, which says what is wrong.
    pub(super) remote: Option<String>,
    /// None if git decides by more than the current branch, or refuses.
    pub(super) refspecs: Vec<String>,
    /// Whether the branch is to follow what it is pushed to, as `push.autoSetupRemote` says, and as a branch of
    /// a protocol does.
    pub(super) sets_upstream: bool,
}

impl Target {
    /// Returns what `git push` would do for `wish`, which refuses the first push of a branch: that of a
    /// protocol has one name everywhere.
    ///
    /// # Errors
    ///
    /// [`Error`] if `HEAD` is damaged.
    pub(super) fn of(repo: &Repo, wish: &Wish) -> Result<Self, Error> {
        let head = repo.head()?;
        let branch = head.branch();
        let remote = wish.remote.clone().or_else(|| push_remote(repo, branch));
        let mut target = Self { remote, refspecs: explicit(wish), sets_upstream: false };
        if target.refspecs.is_empty()
            && !wish.delete
            && let (Some(branch), Some(remote)) = (branch, &target.remote)
            && let Some((to, sets_upstream)) = of_branch(repo, branch, remote)
        {
            let force = if wish.force { "+" } else { "" };
            target.refspecs = vec![format!("{force}refs/heads/{branch}:{to}")];
            target.sets_upstream = sets_upstream;
        }
        Ok(target)
    }
}

/// Returns the refspecs of the person, with what `--force`, `--delete` and `tag` mean. They are
/// forced one by one, so that nothing else is.
fn explicit(wish: &Wish) -> Vec<String> {
    let mut refspecs = Vec::new();
    let mut words = wish.refspecs.iter();
    while let Some(word) = words.next() {
        let name = match (word.as_str(), words.as_slice().first()) {
            ("tag", Some(tag)) => {
                words.next();
                let name = format!("refs/tags/{tag}");
                if wish.delete { name } else { format!("{name}:{name}") }
            }
            (word, _) => word.to_owned(),
        };
        refspecs.push(match name {
            name if wish.delete => format!(":{name}"),
            name if wish.force && !name.starts_with(['+', '^']) => format!("+{name}"),
            name => name,
        });
    }
    refspecs
}

fn push_remote(repo: &Repo, branch: Option<&str>) -> Option<String> {
    let of_branch = |key| branch.and_then(|branch| last(repo, "branch", branch, key));
    of_branch("pushRemote")
        .or_else(|| repo.config("remote.pushDefault"))
        .or_else(|| fetch_remote(repo, branch))
}

fn fetch_remote(repo: &Repo, branch: Option<&str>) -> Option<String> {
    branch.and_then(|branch| last(repo, "branch", branch, "remote")).or_else(|| {
        let mut remotes = repo.remotes();
        let origin = remotes.iter().position(|remote| remote.name == "origin");
        match (origin, remotes.len()) {
            (Some(_), _) => Some("origin".to_owned()),
            (None, 1) => remotes.pop().map(|remote| remote.name),
            (None, _) => None,
        }
    })
}

/// Returns the ref at `remote` that the current branch is pushed to, and whether the branch is to follow
/// it; `None` if git decides by more than that, or refuses.
fn of_branch(repo: &Repo, branch: &str, remote: &str) -> Option<(String, bool)> {
    let is_mirror = repo.config_bool(&format!("remote.{remote}.mirror")) == Some(true);
    if is_mirror || !repo.config_all("remote", remote, "push").is_empty() {
        return None;
    }
    let own = format!("refs/heads/{branch}");
    let upstream = last(repo, "branch", branch, "merge");
    let is_same_remote = fetch_remote(repo, Some(branch)).as_deref() == Some(remote);
    let is_protocol = branch.parse::<Name>().is_ok();
    let sets_up = upstream.is_none() && repo.config_bool("push.autoSetupRemote").unwrap_or(is_protocol);
    let upstream = upstream.or_else(|| sets_up.then(|| own.clone()));
    let to = match repo.config("push.default").as_deref().unwrap_or("simple") {
        "simple" if is_same_remote => upstream.filter(|upstream| *upstream == own)?,
        "simple" | "current" => own,
        "upstream" | "tracking" => upstream.filter(|_| is_same_remote)?,
        _ => return None,
    };
    Some((to, sets_up))
}

fn last(repo: &Repo, section: &str, subsection: &str, key: &str) -> Option<String> {
    repo.config_all(section, subsection, key).pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_becomes_refspecs() {
        let wish = |words: &[&str], force, delete| {
            let refspecs = words.iter().map(|word| (*word).to_owned()).collect();
            explicit(&Wish { refspecs, force, delete, ..Wish::default() })
        };
        assert_eq!(wish(&["main", "tag", "v1"], false, false), ["main", "refs/tags/v1:refs/tags/v1"]);
        assert_eq!(wish(&["main", "+a:b", "^c"], true, false), ["+main", "+a:b", "^c"]);
        assert_eq!(wish(&["main", "tag", "v1"], false, true), [":main", ":refs/tags/v1"]);
        // A branch may have that name.
        assert_eq!(wish(&["tag"], false, false), ["tag"]);
    }
}
