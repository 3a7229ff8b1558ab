//! `uninstall`: takes out of a repository what `init` and all that followed put into it.
//!
//! What is gone for good comes after all that others could lose by it: hooks first, so that nothing writes any
//! more, then the settings, the refs in one transaction, `info/exclude`, and last the folder that remembers what
//! was there before. Once it has begun, a note in that folder lets whoever was killed go on without being asked
//! again. Branches, worktrees and `.protocols/` stay, as does what remotes and other clones hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::Error;
use super::init::{self, Action, Result as Done};
use super::streams::Streams;
use super::{exclude, export, hooks, list, run};
use crate::domain::event::Body;
use crate::domain::id::Oid;
use crate::platform::git::Repo;
use crate::platform::{clock, fail, fs, server_hooks};
use crate::store::inventory::Tips;
use crate::store::{kept, refs, stream};

/// How long what was put aside is kept, in milliseconds: 30 days.
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What an engine moved, as it was.
const TAMPERED: &str = "refs/godzilla-local/tampered/";

/// How to go about what would be lost.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where everything is written first.
    pub export: Option<PathBuf>,
    /// It may be lost.
    pub discard: bool,
}

/// What nobody else has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Events that the remote was not seen to hold; all, where there is none to share with.
    pub unshared_events: usize,
    /// Refs of work that was put aside less than 30 days ago.
    pub snapshots: Vec<String>,
}

impl Holds {
    pub fn is_empty(&self) -> bool {
        self.unshared_events == 0 && self.snapshots.is_empty()
    }
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Uninstalled {
    pub actions: Vec<Action>,
    /// The file with all streams, and the bundle of what was put aside.
    pub kept_in: Vec<PathBuf>,
    pub warnings: Vec<String>,
}

/// Returns what nobody else has, which would be lost.
///
/// # Errors
///
/// [`Error`] if refs or a stream cannot be read.
pub fn holds(ctx: &Context) -> Result<Holds, Error> {
    let repo = &ctx.repo;
    if note(repo).exists() {
        return Ok(Holds::default());
    }
    let streams = Streams::read_all(ctx)?;
    let home = streams.inventory.home();
    let is_there = |tips: &&Tips| tips.is_archived_alike(home);
    let mut unshared_events = 0;
    for (name, tips) in streams.inventory.streams.iter().filter(|(_, tips)| !is_there(tips)) {
        let content = streams.view(name)?.content;
        unshared_events += match home {
            Some(_) => list::unshared_events(&streams, tips, &content),
            None => content.lines().len(),
        };
    }
    // That there is a project is said again by the next `init`.
    let project = &streams.inventory.project;
    let mut content = stream::project_view(repo, project)?.content;
    content.retain(|event| !matches!(event.body, Body::ProjectCreated { .. }));
    unshared_events += match home {
        Some(_) => list::unshared_events(&streams, project, &content),
        None => content.lines().len(),
    };
    Ok(Holds { unshared_events, snapshots: put_aside(repo)? })
}

/// Returns the refs of work that was put aside and is not old enough to go.
fn put_aside(repo: &Repo) -> Result<Vec<String>, Error> {
    let now_ms = clock::now_ms();
    let kept = kept::list(repo)?;
    let mut held = Vec::new();
    for folder in [refs::SNAPSHOTS, refs::TRASH, TAMPERED] {
        for (name, oid) in repo.refs(folder)? {
            // One that is not named as ours are is as old as its commit.
            let until_ms = match kept.iter().find(|kept| kept.name == name) {
                Some(kept) => kept.until_ms(),
                None => repo.commit(oid).map_or(u64::MAX, |commit| commit.time_ms.saturating_add(KEPT_MS)),
            };
            held.extend(Some(name).filter(|_| until_ms > now_ms));
        }
    }
    Ok(held)
}

/// Refuses where something would be lost that the request does not speak of.
///
/// # Errors
///
/// [`Error::State`] (`uninstall.holds`) with what it is.
pub fn check(holds: &Holds, request: &Request) -> Result<(), Error> {
    if holds.is_empty() || request.discard || request.export.is_some() {
        return Ok(());
    }
    let events = match holds.unshared_events {
        0 => None,
        1 => Some("1 event that no remote was seen to hold".to_owned()),
        n => Some(format!("{n} events that no remote was seen to hold")),
    };
    let snapshots = match holds.snapshots.len() {
        0 => None,
        1 => Some("1 snapshot of work that is less than 30 days old".to_owned()),
        n => Some(format!("{n} snapshots of work that are less than 30 days old")),
    };
    let lost: Vec<String> = events.into_iter().chain(snapshots).collect();
    let message = format!("this clone holds {}; they would be lost", lost.join(" and "));
    let hint = "keep them with `--export FILE`, share events with `git godzilla sync`, or give all up with `--discard`";
    Err(Error::state("uninstall.holds", message, hint))
}

/// Takes everything of ours out of this repository. What was begun before and cut off is completed.
///
/// # Errors
///
/// [`Error::State`] if something would be lost, or an engine works on a protocol; nothing was changed then.
/// Any other error leaves it half done, to be run again.
pub fn uninstall(ctx: &Context, request: &Request) -> Result<Uninstalled, Error> {
    let repo = &ctx.repo;
    let mut leaving = Leaving { repo, done: Uninstalled::default() };
    if !note(repo).exists() {
        let holds = holds(ctx)?;
        check(&holds, request)?;
        for name in Streams::read(ctx)?.inventory.streams.keys() {
            run::not_during(ctx, name)?;
        }
        if let Some(path) = &request.export {
            leaving.keep(ctx, path, &holds.snapshots)?;
        }
        if repo.state_dir().exists() {
            fs::replace_file(&note(repo), b"", true).map_err(Error::io("begin to leave"))?;
        }
        fail::point("uninstall.begun");
    }
    leaving.hooks()?;
    fail::point("uninstall.hooks");
    leaving.settings()?;
    fail::point("uninstall.settings");
    leaving.refs()?;
    fail::point("uninstall.refs");
    for line in exclude::remove(repo)? {
        leaving.say("exclude", line, "git status shows it again");
    }
    fail::point("uninstall.exclude");
    leaving.folder()?;
    Ok(leaving.done)
}

/// The note that it has begun.
fn note(repo: &Repo) -> PathBuf {
    repo.state_dir().join("uninstall")
}

struct Leaving<'a> {
    repo: &'a Repo,
    done: Uninstalled,
}

impl Leaving<'_> {
    fn say(&mut self, action: &'static str, target: impl Into<String>, message: impl Into<String>) {
        let (target, message) = (target.into(), message.into());
        self.done.actions.push(Action { action, target, result: Done::Done, message });
    }

    /// Writes what would be lost to files.
    fn keep(&mut self, ctx: &Context, path: &Path, snapshots: &[String]) -> Result<(), Error> {
        let (exported, written) = export::to_file(ctx, path)?;
        if let Some(left_out) = exported.left_out.first() {
            let message = format!("not everything can be exported: {left_out}");
            return Err(Error::state("export.incomplete", message, "git godzilla doctor"));
        }
        self.done.kept_in.push(path.to_owned());
        if snapshots.is_empty() {
            return Ok(());
        }
        let mut bundle = path.as_os_str().to_owned();
        bundle.push(".bundle");
        let bundle = PathBuf::from(bundle);
        // Who was killed in between has written both.
        if written && bundle.exists() {
            let message = format!("`{}` is there already", bundle.display());
            return Err(Error::state("export.exists", message, "name a file that is not there yet"));
        }
        let to = std::path::absolute(&bundle).map_err(Error::io("resolve the name of the bundle"))?;
        let to = to.to_string_lossy();
        let mut args = vec!["bundle", "create", "--quiet", &*to];
        args.extend(snapshots.iter().map(String::as_str));
        self.repo.git_output(&args)?;
        self.done.kept_in.push(bundle);
        Ok(())
    }

    fn hooks(&mut self) -> Result<(), Error> {
        let outcome = hooks::uninstall(self.repo)?;
        self.done.warnings.extend(outcome.warnings);
        for change in outcome.changed {
            self.say_hook(&change);
        }
        if self.repo.is_bare() {
            let removed = server_hooks::uninstall(&self.repo.hooks_path()?);
            let failed = |err: server_hooks::Error| Error::state("hooks.failed", err.to_string(), "");
            for change in removed.map_err(failed)? {
                self.say_hook(&change);
            }
        }
        Ok(())
    }

    /// A change begins with the event that it is about.
    fn say_hook(&mut self, change: &str) {
        let (event, message) = change.split_once(": ").unwrap_or(("all", change));
        self.say("hooks", event, message);
    }

    fn settings(&mut self) -> Result<(), Error> {
        for remote in self.repo.remotes() {
            let key = format!("remote.{}.fetch", remote.name);
            // The one that the others limit goes first, so that a crash never fetches too much.
            let ours: Vec<&String> = remote.fetch.iter().filter(|refspec| is_ours(refspec)).collect();
            let (limits, brings): (Vec<&String>, _) =
                ours.iter().partition(|refspec| refspec.starts_with('^'));
            for refspec in brings.into_iter().chain(limits) {
                self.repo.config_remove(&key, Some(refspec))?;
            }
            if !ours.is_empty() {
                self.say("refspec", remote.name, "git fetch brings no state any more");
            }
        }
        // Each worktree may have settings of its own.
        let linked = self.repo.worktrees().into_iter().filter_map(|(dir, _)| Repo::at(&dir));
        let places = Repo::open(self.repo.common_dir()).ok().into_iter().chain(linked);
        let mut keys = BTreeSet::new();
        for repo in places {
            let lines = repo.config_section("godzilla").into_iter();
            for line in lines.filter(|line| matches!(line.scope, "local" | "worktree")) {
                let key = format!("godzilla.{}", line.key);
                repo.config_remove(&key, None)?;
                keys.insert(key);
            }
        }
        for key in keys {
            self.say("setting", key, "removed");
        }
        self.repo.config_tidy("godzilla")?;
        Ok(())
    }

    fn refs(&mut self) -> Result<(), Error> {
        const FOLDERS: &[&str] = &[refs::SHARED, refs::TRACKING, refs::LOCAL];

        let mut all: Vec<(String, Oid)> = Vec::new();
        for folder in FOLDERS {
            all.extend(self.repo.refs(folder)?);
        }
        all.extend(self.repo.find_ref(refs::NOTES)?.map(|oid| (refs::NOTES.to_owned(), oid)));
        let gone = self.repo.delete_refs(&all)?;
        if gone.len() < all.len() {
            let message = format!("{} refs moved meanwhile, or are held by somebody", all.len() - gone.len());
            return Err(Error::state("refs.busy", message, "run it again"));
        }
        for folder in FOLDERS.iter().chain(&["refs/notes/"]) {
            self.repo.tidy_refs(folder);
        }
        if !all.is_empty() {
            self.say("refs", all.len().to_string(), "with their reflogs; git gc removes what they held");
        }
        Ok(())
    }

    /// Removes the folder of this clone, the note last.
    fn folder(&mut self) -> Result<(), Error> {
        init::remove_old_drafts(self.repo);
        let dir = self.repo.state_dir();
        if !dir.exists() {
            return Ok(());
        }
        let failed = || Error::io(format!("remove `{}`", dir.display()));
        let entries = std::fs::read_dir(&dir).map_err(failed())?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| *path != note(self.repo)) {
            let removed =
                if fs::is_real_dir(&path) { fs::remove_tree(&path) } else { fs::remove_if_there(&path) };
            removed.map_err(failed())?;
            fail::point("uninstall.folder");
        }
        fs::remove_tree(&dir).map_err(failed())?;
        self.say("folder", dir.display().to_string(), "removed");
        Ok(())
    }
}

/// Whether a refspec is one that brings our refs, or limits it.
fn is_ours(refspec: &str) -> bool {
    let limits = [format!("^{}claims/*", refs::SHARED), format!("^{}runs/*", refs::SHARED)];
    let to = refspec.split_once(':').map(|(_, to)| to);
    to.is_some_and(|to| to.starts_with(refs::TRACKING)) || limits.iter().any(|limit| limit == refspec)
}
