//! The state as it was: at a moment, or in a commit of a stream.
//!
//! At a moment, the state is the fold of those events that say they happened by then, of all that is known
//! here today: what somebody did offline counts from when it was done, not from when it was shared. So every
//! clone that knows the same events tells the same, an archived protocol is told as any other, and what a clone
//! showed at that moment may have been less. A code commit stands for the moment of its committer date. A
//! commit of a stream stands for exactly what it holds. Nothing is taken over or recorded by looking.

use super::context::Context;
use super::error::Error;
use super::list::{Shown, row, twin_name};
use super::resolve::{self, Target};
use super::streams::{Streams, folded};
use crate::domain::id::{Name, Oid, Ulid};
use crate::domain::text::{clip, one_line};
use crate::platform::clock;
use crate::platform::git::{CommitInfo, Repo, TreeEntry};
use crate::store::cache::Row;
use crate::store::content::Content;
use crate::store::tip;

/// Which state is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Milliseconds since 1970.
    Moment(u64),
    /// A commit of a stream.
    Stream(Oid),
}

/// All protocols as they were.
#[derive(Debug, Default)]
pub struct Past {
    pub rows: Vec<Row>,
    /// Streams that cannot be read, and why.
    pub set_aside: Vec<(Name, String)>,
    /// Archives that cannot be read, and why.
    pub archives_set_aside: Vec<String>,
}

/// Returns what `text` means: a revision, else a date as git reads it.
///
/// # Errors
///
/// [`Error::Usage`] if it is neither.
pub fn when(ctx: &Context, text: &str) -> Result<When, Error> {
    let repo = &ctx.repo;
    if let Some(commit) = repo.commit_named(text)? {
        let info = repo.commit(commit)?;
        return Ok(if is_stream(repo, &info) {
            When::Stream(commit)
        } else {
            When::Moment(info.time_ms.saturating_add(999))
        });
    }
    if text.trim() == "now" {
        return Ok(When::Moment(clock::now_ms()));
    }
    repo.moment_of(text).map(When::Moment).ok_or_else(|| Error::Usage {
        message: format!("`{}` is neither a revision nor a date", clip(&one_line(text), 60)),
        hint: Some("as in `--at yesterday`, `--at '2026-11-20 14:00'` or `--at HEAD~3`".to_owned()),
    })
}

/// Whether a commit is one of a stream.
fn is_stream(repo: &Repo, info: &CommitInfo) -> bool {
    let has = |entries: &[TreeEntry], name: &[u8], is_tree| {
        entries.iter().any(|entry| entry.name == name && entry.is_tree() == is_tree)
    };
    let is_ours = info.message.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"Godzilla-Op: "));
    is_ours && repo.tree(info.tree).is_ok_and(|all| has(&all, b"format", false) && has(&all, b"events", true))
}

/// Returns all protocols that there were; of a stream's commit the one that it is of.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed, or the stream's commit cannot be read.
pub fn list(ctx: &Context, when: When) -> Result<Past, Error> {
    let mut past = Past::default();
    match when {
        When::Stream(commit) => past.rows = rows(&read(&ctx.repo, commit)?, None),
        When::Moment(at_ms) => {
            let streams = Streams::read_all(ctx)?;
            past.archives_set_aside.clone_from(&streams.inventory.set_aside);
            for name in streams.inventory.streams.keys() {
                match streams.view(name) {
                    Ok(view) => {
                        past.rows.extend(rows(&view.content.until(at_ms), Some(name)));
                        past.set_aside.extend(view.set_aside.into_iter().map(|why| (name.clone(), why)));
                    }
                    Err(err) => past.set_aside.push((name.clone(), super::error_chain(&err))),
                }
            }
        }
    }
    past.rows.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    Ok(past)
}

/// Returns one protocol as it was: the one that is named, else that of the stream's commit, else that of the
/// current branch.
///
/// # Errors
///
/// [`Error::Unknown`] if there is no such protocol, [`Error::State`] (`protocol.not_yet`) if it was not planned
/// yet, [`Error::Usage`] if the stream's commit is of another one.
pub fn show(ctx: &Context, name: Option<&str>, when: When) -> Result<Shown, Error> {
    match when {
        When::Stream(commit) => {
            let content = read(&ctx.repo, commit)?;
            let shown = shown(None, None, content).ok_or_else(|| Error::Usage {
                message: format!("the commit {} holds no protocol", commit.short()),
                hint: Some("git godzilla list".to_owned()),
            })?;
            let streams = Streams::read(ctx)?;
            match name.map(|name| resolve::protocol(&streams, Some(name))).transpose()? {
                Some(target) if target.name.as_str() != shown.protocol.key() => Err(Error::Usage {
                    message: format!("that commit is of {}, not of {}", shown.name, target.name),
                    hint: Some(format!("git log refs/godzilla/protocols/{}", target.name)),
                }),
                _ => Ok(shown),
            }
        }
        When::Moment(at_ms) => {
            let streams = Streams::for_target(ctx, name)?;
            let Target { name, root } = resolve::protocol(&streams, name)?;
            let content = streams.view(&name)?.content.until(at_ms);
            shown(Some(&name), root, content).ok_or_else(|| {
                let message = format!("{name} was not planned yet");
                Error::state("protocol.not_yet", message, format!("git godzilla log {name}"))
            })
        }
    }
}

/// Whether `when` and a name, or the current branch, mean one protocol.
///
/// # Errors
///
/// [`Error`] if `HEAD` or refs cannot be read.
pub fn is_of_one(ctx: &Context, when: When) -> Result<bool, Error> {
    Ok(matches!(when, When::Stream(_)) || resolve::current(&Streams::for_target(ctx, None)?)?.is_some())
}

fn read(repo: &Repo, commit: Oid) -> Result<Content, Error> {
    let content = tip::read(repo, repo.tree_of(commit)?)?;
    if content.may_be_read() {
        return Ok(content);
    }
    let message = format!("the commit {} was written by a newer version of this program", commit.short());
    Err(Error::state("stream.too_new", message, "update git-godzilla; nothing was changed"))
}

/// Returns the rows of a stream; `name` is the one that it is kept under.
fn rows(content: &Content, name: Option<&Name>) -> Vec<Row> {
    let now = folded(content, None);
    let mut rows: Vec<Row> = now.protocol.iter().map(|protocol| row(protocol, protocol.name())).collect();
    for root in &now.twins {
        if let (Some(twin), Some(name)) = (folded(content, Some(*root)).protocol, name) {
            rows.push(row(&twin, twin_name(name, *root)));
        }
    }
    rows
}

fn shown(name: Option<&Name>, root: Option<Ulid>, content: Content) -> Option<Shown> {
    let folded = folded(&content, root);
    let protocol = folded.protocol.clone()?;
    let name = match (name, root) {
        (Some(name), Some(root)) => twin_name(name, root),
        (_, None) | (None, _) => protocol.name(),
    };
    Some(Shown { row: row(&protocol, name.clone()), name, protocol, folded, content })
}
