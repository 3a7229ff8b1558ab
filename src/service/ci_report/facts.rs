//! What is reported: from the options, else from the environment, else from `HEAD`.

use super::{Error, Request};
use crate::ci::{self, Detected, Sha, Source};
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;
use crate::domain::{message, text};
use crate::platform::git::{CommitInfo, Repo};
use crate::service::streams::folded;
use crate::store::inventory::Inventory;
use crate::store::{refs, stream};

const MAX_NAME_CHARS: usize = 200;

/// Everything about a job but how it ended.
pub(super) struct Facts {
    pub(super) detected: Detected,
    pub(super) commit: Oid,
    /// `None` if the commit is not here.
    pub(super) tree: Option<Oid>,
    pub(super) branch: Option<String>,
    pub(super) protocol: Option<Name>,
    pub(super) provider: String,
    pub(super) workflow: String,
    pub(super) job: String,
    pub(super) run: Option<u64>,
    pub(super) attempt: u64,
    pub(super) url: Option<String>,
}

pub(super) fn gather(repo: &Repo, request: &Request, source: &dyn Source) -> Result<Facts, Error> {
    let detected = ci::detect(source);
    let commit = match said(request.sha.as_deref()) {
        Some(text) => named_commit(repo, text)?,
        None => detected_commit(repo, &detected, source)?,
    };
    // A shallow clone may lack it, which is no reason not to report.
    let info = repo.commit(commit).ok();
    let branch = match said(request.branch.as_deref()) {
        Some(text) => Some(valid_branch(text).ok_or_else(|| invalid("branch", text))?),
        None => detected.branch.as_deref().and_then(valid_branch).or_else(|| branch_of_head(repo, commit)),
    };
    let url = match said(request.url.as_deref()) {
        Some(text) => Some(ci::parse_url(text).ok_or_else(|| invalid("web address", text))?),
        None => detected.url.clone(),
    };
    let protocol = match said(request.protocol.as_deref()) {
        Some(text) => Some(named_protocol(repo, text, branch.as_deref(), info.as_ref())?),
        None => of_branch(repo, branch.as_deref(), commit, info.as_ref()),
    };
    let name = |given: Option<&str>, found: Option<&str>| {
        let name = said(given).or(found).map(|name| text::clip(&text::one_line(name), MAX_NAME_CHARS));
        name.filter(|name| !name.is_empty())
    };
    Ok(Facts {
        commit,
        tree: info.map(|info| info.tree),
        branch,
        protocol,
        provider: name(request.provider.as_deref(), None)
            .unwrap_or_else(|| detected.provider.as_str().to_owned()),
        workflow: name(request.workflow.as_deref(), detected.workflow.as_deref()).unwrap_or_default(),
        job: name(request.job.as_deref(), detected.job.as_deref()).unwrap_or_else(|| "ci".to_owned()),
        run: request.run.or(detected.run),
        attempt: request.attempt.or(detected.attempt).unwrap_or(0),
        url,
        detected,
    })
}

/// Scripts pass empty variables on.
fn said(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn invalid(what: &'static str, text: &str) -> Error {
    Error::Invalid { what, text: text::clip(&text::one_line(text), 80) }
}

/// Returns the commit that an option names: any full id, also of a commit that is not here.
fn named_commit(repo: &Repo, text: &str) -> Result<Oid, Error> {
    let full: Option<Oid> = text.to_ascii_lowercase().parse().ok();
    match full {
        Some(oid) if oid.is_null() => return Err(invalid("commit", text)),
        // It may be the id of a tag, which has a commit behind it.
        Some(oid) if !repo.has_object(oid) || repo.commit(oid).is_ok() => return Ok(oid),
        _ => (),
    }
    let unknown = || Error::UnknownCommit { text: text::clip(&text::one_line(text), 80) };
    if text.starts_with('-') {
        return Err(unknown());
    }
    let found = repo.git_text(&["rev-parse", "--verify", "--quiet", &format!("{text}^{{commit}}")]);
    found.ok().and_then(|hex| hex.parse().ok()).ok_or_else(unknown)
}

fn detected_commit(repo: &Repo, detected: &Detected, source: &dyn Source) -> Result<Oid, Error> {
    let unknown = || Error::NoCommit { provider: detected.provider.as_str() };
    let head = || repo.head().ok().and_then(|head| head.commit());
    let found = match &detected.sha {
        Some(Sha::Known(hex)) => hex.parse().ok(),
        Some(Sha::Head) => head(),
        Some(Sha::SecondParentOfHead) => {
            // Only the merge that the provider made has the change as its second parent; a job that
            // checked out something else is not to be guessed at.
            let made = source.var("GITHUB_SHA").and_then(|hex| hex.to_ascii_lowercase().parse().ok());
            let head = head().filter(|head| made == Some(*head));
            head.and_then(|head| repo.commit(head).ok()).and_then(|merge| match merge.parents.as_slice() {
                [_, change] => Some(*change),
                _ => None,
            })
        }
        None => None,
    };
    found.ok_or_else(unknown)
}

/// Returns a branch name that git allows and that looks like what it is.
fn valid_branch(text: &str) -> Option<String> {
    ci::parse_branch(text).filter(|branch| text::one_line(branch) == *branch)
}

/// Returns the current branch if it is at `commit`.
fn branch_of_head(repo: &Repo, commit: Oid) -> Option<String> {
    let head = repo.head().ok().filter(|head| head.commit() == Some(commit))?;
    head.branch().and_then(valid_branch)
}

/// Returns the protocol that an option names, by name or by number.
fn named_protocol(
    repo: &Repo,
    text: &str,
    branch: Option<&str>,
    info: Option<&CommitInfo>,
) -> Result<Name, Error> {
    if let Ok(name) = text.parse() {
        return Ok(name);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 =
        text.parse().ok().filter(|_| is_number).ok_or_else(|| invalid("protocol name", text))?;
    // The first that knows the number decides.
    let places: [&dyn Fn() -> Vec<Name>; 3] = [
        &|| branch.and_then(|branch| branch.parse().ok()).into_iter().collect(),
        &|| of_trailers(info),
        &|| of_refs(repo, &["refs/heads/", "refs/remotes/", refs::PROTOCOLS, refs::TRACKING]),
    ];
    for place in places {
        let mut candidates = place();
        candidates.retain(|name| name.number() == number);
        candidates.sort();
        candidates.dedup();
        match candidates.as_slice() {
            [] => (),
            [name] => return Ok(name.clone()),
            _ => return Err(Error::Number { number, candidates }),
        }
    }
    Err(Error::Number { number, candidates: Vec::new() })
}

/// Returns the protocol that a job ran for: that of its branch, else that of the commit's trailers.
///
/// A branch that somebody renamed says another name, or none. Where state is here, it shows whose that is, or the
/// commit. Most checkouts of jobs have none, and then a name is taken at its word.
fn of_branch(repo: &Repo, branch: Option<&str>, commit: Oid, info: Option<&CommitInfo>) -> Option<Name> {
    let said: Option<Name> = branch.and_then(|branch| branch.parse().ok());
    if let Some(name) = said.as_ref().filter(|name| of_refs(repo, &STATE).contains(name)) {
        return Some(name.clone());
    }
    let is_its_commit = |protocol: &Protocol| protocol.commits.contains_key(&commit);
    match said {
        Some(said) => {
            let recorded = Recorded::read(repo);
            let by_name = recorded.one(|protocol| protocol.names.contains(&said));
            by_name.or_else(|| recorded.one(is_its_commit)).or(Some(said))
        }
        None => of_trailers(info).pop().or_else(|| Recorded::read(repo).one(is_its_commit)),
    }
}

/// The protocols whose state is here.
struct Recorded(Vec<(Name, Protocol)>);

impl Recorded {
    /// None if something cannot be read: it could be meant as well.
    fn read(repo: &Repo) -> Self {
        let all = || -> Option<Vec<_>> {
            let mut all = Vec::new();
            for (name, tips) in Inventory::read(repo).ok()?.streams {
                let view =
                    stream::view(repo, &name, &tips, None).ok().filter(|it| it.set_aside.is_empty())?;
                all.extend(folded(&view.content, None).protocol.map(|protocol| (name, protocol)));
            }
            Some(all)
        };
        Self(all().unwrap_or_default())
    }

    /// Returns the only one that is meant; `None` if several may be.
    fn one(&self, is_meant: impl Fn(&Protocol) -> bool) -> Option<Name> {
        let mut meant = self.0.iter().filter(|(_, protocol)| is_meant(protocol));
        meant.next().filter(|_| meant.next().is_none()).map(|(name, _)| name.clone())
    }
}

/// Returns the protocols that step trailers of a commit name; the last one counts.
fn of_trailers(info: Option<&CommitInfo>) -> Vec<Name> {
    let Some(info) = info else { return Vec::new() };
    // A hint may stand anywhere in the text; only a trailer is meant.
    let is_trailer = |name: &Name| message::parse(&info.message, name.as_str()).step.is_some();
    let hints = message::hints(&info.message).into_iter();
    hints.filter_map(|hint| hint.protocol.parse().ok()).filter(is_trailer).collect()
}

/// Where streams are.
const STATE: [&str; 2] = [refs::PROTOCOLS, refs::TRACKING];

/// Returns the protocols that have a branch or a stream in these folders.
fn of_refs(repo: &Repo, folders: &[&str]) -> Vec<Name> {
    let found = folders.iter().flat_map(|folder| repo.refs(folder).unwrap_or_default());
    found.filter_map(|(name, _)| name.rsplit('/').next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(message: &str) -> CommitInfo {
        CommitInfo {
            tree: Oid::from_bytes(&[1; 20]).unwrap(),
            parents: Vec::new(),
            message: message.as_bytes().to_vec(),
            time_ms: 0,
            author: String::new(),
            authored_s: 0,
        }
    }

    #[test]
    fn only_real_trailers_route_a_report() {
        for (message, names) in [
            ("fix: x\n\nGodzilla-Step: 0007-add-login/01-a\n", vec!["0007-add-login"]),
            ("fix: x\n\nGodzilla-Step: 0007-a/01-a\nGodzilla-Step: 0008-b/01-a\n", vec!["0007-a", "0008-b"]),
            ("fix: x\n\n    Godzilla-Step: 0007-add-login/01-a\n\nprose\n", vec![]),
            ("fix: x\n", vec![]),
        ] {
            let found: Vec<String> =
                of_trailers(Some(&commit(message))).iter().map(ToString::to_string).collect();
            assert_eq!(found, names, "{message}");
        }
    }

    #[test]
    fn a_branch_with_hidden_characters_is_none() {
        assert_eq!(valid_branch("refs/heads/a/b").as_deref(), Some("a/b"));
        for bad in ["0007-a\u{200b}", "a b", "-x", ""] {
            assert_eq!(valid_branch(bad), None, "{bad:?}");
        }
    }
}
