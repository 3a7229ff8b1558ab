//! `init`: what a clone needs once, so that plain git carries the state.

use std::path::PathBuf;

use super::context::Context;
use super::error::Error;
use super::settings::Settings;
use super::{exclude, hooks, list};
use crate::domain::event::{Body, Draft};
use crate::platform::git::{Remote, Repo, Transport, TransportError};
use crate::platform::{clock, fail, fs};
use crate::store::content::Line;
use crate::store::inventory::Inventory;
use crate::store::{refs, stream};

/// What to set up.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub base_branch: Option<String>,
    pub remote: Option<String>,
    pub no_hooks: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was set up.
#[derive(Clone, Debug, Default)]
pub struct Initialised {
    pub base_branch: Option<String>,
    pub remote: Option<String>,
    pub label: Option<String>,
    pub actions: Vec<Action>,
    /// Events that the remote already had.
    pub adopted_events: usize,
    pub warnings: Vec<String>,
}

/// One thing that was done, or need not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub action: &'static str,
    pub target: String,
    pub result: Result,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    Done,
    Unchanged,
    Planned,
    Skipped,
}

impl Result {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::Skipped => "skipped",
        }
    }
}

/// Sets this clone up, step by step, leaving what is already so. Running it again changes nothing.
///
/// # Errors
///
/// [`Error`] if something cannot be read or written; what was done stays, and running it again
/// completes the rest.
pub fn init(ctx: &Context, request: &Request) -> std::result::Result<Initialised, Error> {
    let repo = &ctx.repo;
    let mut setup = Setup { ctx, dry_run: request.dry_run, done: Initialised::default() };
    let hooks = if request.no_hooks { None } else { Some(hooks::Plan::new(repo, None)?) };
    let remote = choose_remote(repo, request.remote.as_deref())?;
    super::plan::worktree::root(ctx)?;

    let label = setup.choose_label();
    setup.base(request.base_branch.as_deref())?;
    setup.excludes()?;
    match &remote {
        Some(remote) => setup.refspecs(remote)?,
        None => setup.done.warnings.push(
            "there is no remote: state stays here until you add one and run `git godzilla init` again"
                .to_owned(),
        ),
    }
    fail::point("init.refspecs");
    match hooks {
        Some(plan) => setup.hooks(plan)?,
        None => setup.say("hooks", "hooks", Result::Skipped, "left out; commands find everything themselves"),
    }
    fail::point("init.hooks");
    // What makes this clone count as set up comes last of what must be there.
    setup.write_label(&label)?;
    fail::point("init.label");
    if let Some(remote) = &remote {
        setup.adopt(remote)?;
    }
    fail::point("init.adopted");
    setup.project_record()?;
    remove_old_drafts(repo);
    setup.done.remote = remote.map(|remote| remote.name);
    setup.done.base_branch = setup.base_branch();
    Ok(setup.done)
}

/// Removes what processes that died left unfinished in the folders that we write to.
pub(super) fn remove_old_drafts(repo: &Repo) {
    for folder in draft_folders(repo) {
        fs::remove_old_drafts(&folder);
    }
}

/// Returns the folders that we write files to.
pub(super) fn draft_folders(repo: &Repo) -> Vec<PathBuf> {
    let state = repo.state_dir();
    let mut folders = vec![repo.git_dir().to_owned(), state.clone(), repo.common_dir().join("info")];
    folders.extend(["intents", "cache"].map(|name| state.join(name)));
    let spools = std::fs::read_dir(state.join("spool")).into_iter().flatten().flatten();
    folders.extend(spools.map(|folder| folder.path()));
    folders
}

pub(super) fn choose_remote(repo: &Repo, wanted: Option<&str>) -> std::result::Result<Option<Remote>, Error> {
    let remotes = repo.remotes();
    if let Some(name) = wanted {
        let near = remotes.iter().map(|remote| remote.name.clone()).collect();
        let found = remotes.into_iter().find(|remote| remote.name == name);
        return found.map(Some).ok_or(Error::Unknown { what: "remote", text: name.to_owned(), near });
    }
    let origin = remotes.iter().find(|remote| remote.name == "origin").cloned();
    Ok(origin.or_else(|| remotes.into_iter().next()))
}

struct Setup<'a> {
    ctx: &'a Context,
    dry_run: bool,
    done: Initialised,
}

impl Setup<'_> {
    fn say(
        &mut self,
        action: &'static str,
        target: impl Into<String>,
        result: Result,
        message: impl Into<String>,
    ) {
        let (target, message) = (target.into(), message.into());
        self.done.actions.push(Action { action, target, result, message });
    }

    fn changed(&self) -> Result {
        if self.dry_run { Result::Planned } else { Result::Done }
    }

    /// The clone's label stands in events where a machine's name would give too much away.
    fn choose_label(&mut self) -> String {
        let known = self.ctx.repo.clone_label();
        let result = if known.is_none() { self.changed() } else { Result::Unchanged };
        let label = known.unwrap_or_else(|| {
            let id = clock::new_id().to_string().to_lowercase();
            format!("clone-{}", &id[id.len() - 6..])
        });
        self.say("label", label.clone(), result, "this clone's name in events");
        self.done.label = Some(label.clone());
        label
    }

    fn write_label(&self, label: &str) -> std::result::Result<(), Error> {
        if self.dry_run || self.ctx.repo.clone_label().is_some() {
            return Ok(());
        }
        let path = self.ctx.repo.state_dir().join("clone");
        fs::replace_file(&path, format!("{label}\n").as_bytes(), true).map_err(Error::io("name this clone"))
    }

    fn base(&mut self, wanted: Option<&str>) -> std::result::Result<(), Error> {
        const KEY: &str = "godzilla.project.baseBranch";
        let Some(base) = wanted else {
            let base = self.base_branch().unwrap_or_default();
            self.say(
                "base",
                base,
                Result::Unchanged,
                "the branch that protocols begin at and are merged into",
            );
            return Ok(());
        };
        let same = self.ctx.repo.config(KEY).as_deref() == Some(base);
        if !same && !self.dry_run {
            self.ctx.repo.config_edit(&[KEY, base])?;
        }
        let result = if same { Result::Unchanged } else { self.changed() };
        self.say("base", base, result, "the branch that protocols begin at and are merged into");
        Ok(())
    }

    fn base_branch(&self) -> Option<String> {
        let repo = &self.ctx.repo;
        let configured =
            repo.config("godzilla.project.baseBranch").or_else(|| self.ctx.settings.base_branch.clone());
        configured.or_else(|| {
            let exists = |name: &String| {
                let found = |full: String| repo.find_ref(&full).ok().flatten().is_some();
                found(format!("refs/heads/{name}"))
                    || repo.remotes().iter().any(|r| found(format!("refs/remotes/{}/{name}", r.name)))
            };
            super::base::candidates(repo, None).into_iter().find(exists)
        })
    }

    fn excludes(&mut self) -> std::result::Result<(), Error> {
        let root = self.ctx.settings.worktree_root.trim_matches('/').to_owned();
        for line in [format!("/{root}/"), "/.protocols/.queue/".to_owned()] {
            let result = if self.dry_run {
                Result::Planned
            } else if exclude::add(self.ctx, &line)? {
                Result::Done
            } else {
                Result::Unchanged
            };
            self.say("exclude", line, result, "not shown by git status (info/exclude)");
        }
        Ok(())
    }

    fn refspecs(&mut self, remote: &Remote) -> std::result::Result<(), Error> {
        let result = if missing_refspecs(remote).is_empty() { Result::Unchanged } else { self.changed() };
        if !self.dry_run {
            add_refspecs(&self.ctx.repo, remote)?;
        }
        self.say("refspec", remote.name.clone(), result, "git fetch and git pull bring state from it");
        Ok(())
    }

    fn hooks(&mut self, plan: hooks::Plan) -> std::result::Result<(), Error> {
        let target = plan.target();
        if self.dry_run {
            self.say("hooks", target, Result::Planned, "steps advance on commit and push");
            return Ok(());
        }
        let outcome = plan.carry_out(&self.ctx.repo)?;
        let result = if outcome.changed.is_empty() { Result::Unchanged } else { Result::Done };
        self.done.warnings.extend(outcome.warnings);
        self.say("hooks", target, result, "steps advance on commit and push");
        Ok(())
    }

    /// Brings what the remote already has. A remote that cannot be reached is no reason to stop.
    fn adopt(&mut self, remote: &Remote) -> std::result::Result<(), Error> {
        let ctx = self.ctx;
        if self.dry_run {
            self.say("adopt", remote.name.clone(), Result::Planned, "take over the state that it holds");
            return Ok(());
        }
        let how = Transport { may_ask: true, silence: ctx.settings.sync_timeout, total: None, durable: true };
        match ctx.repo.fetch(&remote.name, &refs::fetch_refspecs(&remote.name), false, how, |_| ()) {
            Ok(()) => (),
            Err(TransportError::Git(err)) => return Err(err.into()),
            Err(err) => {
                self.say("adopt", remote.name.clone(), Result::Skipped, "could not be reached");
                self.done.warnings.push(super::error_chain(&err));
                return Ok(());
            }
        }
        fail::point("init.fetched");
        // The refspecs are new, so the repository must be read again.
        let repo = Repo::discover(ctx.repo.git_dir()).map_err(|err| {
            Error::state("repository.reopen", super::error_chain(&err), "git godzilla init")
        })?;
        let settings = Settings::load(&repo);
        let before = Inventory::read(&repo)?;
        let was_archived = before.archive().map(|archive| archive.tip);
        let before = before.streams.values().filter(|tips| tips.local.is_some()).count();
        let fresh = Context { repo, settings, op: ctx.op, actor: ctx.actor, limit: ctx.limit };
        let listing = list::list(&fresh)?;
        let is_first = before == 0 && was_archived.is_none();
        let adopted = if is_first { listing.n_known(&fresh.repo) } else { 0 };
        self.done.adopted_events = adopted;
        let n_protocols = listing.n_protocols(&fresh.repo);
        let result = if adopted > 0 { Result::Done } else { Result::Unchanged };
        self.say(
            "adopt",
            remote.name.clone(),
            result,
            match n_protocols {
                1 => "1 protocol is known".to_owned(),
                n => format!("{n} protocols are known"),
            },
        );
        Ok(())
    }

    /// The first event of the project; without an identity it waits for the next `init`.
    fn project_record(&mut self) -> std::result::Result<(), Error> {
        let ctx = self.ctx;
        let tips = || Inventory::of_project(&ctx.repo);
        let known = stream::project_view(&ctx.repo, &tips()?)?;
        let is_record = |line: &Line| line.event.body.kind() == "project.created";
        if known.content.lines().iter().any(is_record) {
            self.say("project", "project", Result::Unchanged, "recorded");
            return Ok(());
        }
        if self.dry_run {
            self.say("project", "project", Result::Planned, "record the project");
            return Ok(());
        }
        if ctx.repo.committer().is_none() {
            self.say("project", "project", Result::Skipped, "nobody has said who you are");
            self.done
                .warnings
                .push("set `user.name` and `user.email`, then run `git godzilla init` again".to_owned());
            return Ok(());
        }
        let writer = ctx.writer();
        let base_branch = self.base_branch().unwrap_or_default();
        stream::append_project(&ctx.repo, &writer, &tips, "record the project", &mut |content| {
            if content.lines().iter().any(is_record) {
                return;
            }
            let clock = content.lines().iter().map(|line| line.event.clock).max().unwrap_or(0) + 1;
            let draft = Draft::new(Body::ProjectCreated { base_branch: base_branch.clone() });
            content.add(Line::new(writer.author.event(draft, clock)));
        })?;
        self.say("project", "project", Result::Done, "recorded");
        Ok(())
    }
}

/// Returns the refspecs that bring state and that `remote` does not have.
pub(super) fn missing_refspecs(remote: &Remote) -> Vec<String> {
    let mut missing = refs::fetch_refspecs(&remote.name);
    missing.retain(|refspec| !remote.fetch.contains(refspec));
    missing
}

/// Adds the refspecs that `remote` does not have.
///
/// # Errors
///
/// [`Error`] if git's configuration cannot be written.
pub(super) fn add_refspecs(repo: &Repo, remote: &Remote) -> std::result::Result<(), Error> {
    let key = format!("remote.{}.fetch", remote.name);
    // The one that the others limit comes last, so that a crash never fetches too much.
    for refspec in missing_refspecs(remote).iter().rev() {
        repo.config_edit(&["--add", &key, refspec])?;
        fail::point("init.refspec");
    }
    Ok(())
}
