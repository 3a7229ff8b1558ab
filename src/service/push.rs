//! `push`: what `git push` does, with the state in the same connection.
//!
//! Branch and state move together or not at all where the server can do that. State that it does not
//! take costs the person nothing: the branch goes alone then, and the state as `sync` sends it.

mod target;

use self::target::Target;
use super::answers::{self, Said};
use super::context::Context;
use super::error::Error;
use super::sync::{self, Outcome};
use super::{initialised, list, share};
use crate::platform::git::{Cause, Moved, Refusal, TransportError, UserPush, UserPushed};
use crate::platform::{env, hook_files};
use crate::store::inventory::Inventory;
use crate::store::refs;

/// More refs of ours than this do not go along with a branch.
const MAX_ALONG: usize = 1000;

/// What a person asks for, in the words of `git push`.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub remote: Option<String>,
    pub refspecs: Vec<String>,
    pub force: bool,
    pub delete: bool,
    pub dry_run: bool,
    pub set_upstream: bool,
    pub tags: bool,
    /// What git is told besides, and what concerns the person's refs alone.
    pub options: Vec<String>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// `None` if git chose one that it did not name to us.
    pub remote: Option<String>,
    pub refs: Vec<Moved>,
    /// What hooks and git said on standard output.
    pub said: Vec<String>,
    pub state: State,
}

/// What happens meanwhile.
pub enum Shown<'a> {
    /// A line that git, the server or a hook said.
    Said(&'a str),
    /// What is being done, until the next of these.
    Doing(&'a str),
}

/// What became of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not shared with this remote.
    Elsewhere,
    /// It was there before.
    Nothing,
    /// It went along, in the same connection.
    Together(usize),
    /// It went in a connection of its own.
    Apart(usize),
    NotShared {
        n_events: usize,
        reason: String,
    },
}

/// Pushes what `wish` asks for, and the state that the remote lacks. `show` is given what
/// happens meanwhile.
///
/// # Errors
///
/// [`Error`] if the remote cannot be reached, or git does not understand the wish. A ref that was
/// rejected is no error, see [`Moved::is_done`]; nor is state that was not taken.
pub fn push(ctx: &Context, wish: &Wish, show: &mut dyn FnMut(Shown<'_>)) -> Result<Pushed, Error> {
    initialised(ctx)?;
    let target = Target::of(&ctx.repo, wish)?;
    let Some(shared) = Shared::of(ctx, &target)? else {
        let pushed = send(ctx, wish, &target, &Along::default(), show)?;
        return Ok(answer(target.remote, pushed, State::Elsewhere));
    };
    let remote = &shared.remote;
    let mut along = Along { plan: shared.goes_along(ctx, &target), atomic: true };
    let mut pushed = match send(ctx, wish, &target, &along, show) {
        Err(TransportError::NotAtomic { .. }) => {
            along.atomic = false;
            send(ctx, wish, &target, &along, show)?
        }
        pushed => pushed?,
    };
    let refused = std::mem::take(&mut pushed.refused);
    if along.atomic && refused.iter().any(|refusal| refusal.cause != Cause::Together) {
        // It is ours that the remote did not take, or it did not say whose.
        pushed = send(ctx, wish, &target, &Along::default(), show)?;
    }
    let state = if let Some(plan) = along.plan.filter(|_| refused.is_empty()) {
        if !wish.dry_run {
            answers::forget(ctx, remote);
            sync::follow_home(ctx, &shared.inventory, remote, &pushed.accepted)?;
        }
        State::Together(plan.n_events.values().sum())
    } else if pushed.is_done() {
        shared.send_apart(ctx, wish, &pushed, &refused, show)?
    } else {
        shared.held_back("the push was rejected")
    };
    Ok(answer(target.remote, pushed, state))
}

/// What goes with the person's refs.
#[derive(Default)]
struct Along<'a> {
    plan: Option<&'a share::Plan>,
    atomic: bool,
}

fn send(
    ctx: &Context,
    wish: &Wish,
    target: &Target,
    along: &Along<'_>,
    show: &mut dyn FnMut(Shown<'_>),
) -> Result<UserPushed, TransportError> {
    let state = along.plan.map(|plan| plan.updates.as_slice()).unwrap_or_default();
    let mut options = wish.options.clone();
    let flags = [
        (wish.dry_run, "--dry-run"),
        (wish.set_upstream || target.sets_upstream, "--set-upstream"),
        // Refspecs say themselves that they are forced.
        (wish.force && target.refspecs.is_empty(), "--force"),
    ];
    options.extend(flags.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| (*flag).to_owned()));
    let what = UserPush {
        remote: target.remote.as_deref(),
        refspecs: &target.refspecs,
        options: &options,
        state,
        atomic: along.atomic && !state.is_empty(),
        silence: (!has_slow_hooks(ctx)).then_some(ctx.settings.sync_timeout),
    };
    let mut lines = Lines::default();
    let pushed = ctx.repo.push_for_user(&what, |said| lines.take(said, show));
    lines.end(show);
    pushed
}

/// Makes lines of what is said in pieces. One that ends in a carriage return is soon another.
#[derive(Default)]
struct Lines {
    open: String,
}

impl Lines {
    fn take(&mut self, said: &str, show: &mut dyn FnMut(Shown<'_>)) {
        self.open.push_str(said);
        while let Some(end) = self.open.find(['\n', '\r']) {
            let line: String = self.open.drain(..=end).collect();
            // Git fills lines of the server with spaces.
            match (line.ends_with('\n'), line.trim_end()) {
                (_, "") => (),
                (true, line) => show(Shown::Said(line)),
                (false, line) => show(Shown::Doing(line)),
            }
        }
    }

    fn end(self, show: &mut dyn FnMut(Shown<'_>)) {
        if !self.open.trim().is_empty() {
            show(Shown::Said(self.open.trim_end()));
        }
    }
}

fn answer(remote: Option<String>, pushed: UserPushed, state: State) -> Pushed {
    Pushed { remote, refs: pushed.refs, said: pushed.said, state }
}

/// Whether hooks of others run before the push, which may be silent as long as they like.
fn has_slow_hooks(ctx: &Context) -> bool {
    let Ok(dir) = ctx.repo.hooks_path() else { return true };
    let binary = env::current_exe().unwrap_or_default();
    let mut hooks = hook_files::status(&dir, &binary).into_iter();
    hooks.any(|hook| hook.event == "pre-push" && hook.chain.iter().any(|who| who != "git-godzilla"))
}

/// The state, towards a remote that it is shared with.
struct Shared {
    remote: String,
    inventory: Inventory,
    plan: share::Plan,
    /// Why it is not even tried.
    left_alone: Option<String>,
}

impl Shared {
    fn of(ctx: &Context, target: &Target) -> Result<Option<Self>, Error> {
        let Some(remote) = target.remote.clone() else { return Ok(None) };
        // As `sync`: what was fetched is taken over, and what no hook saw is recorded.
        let listing = list::list(ctx)?;
        if !listing.inventory.remotes.contains(&remote) {
            return Ok(None);
        }
        let inventory = Inventory::read(&ctx.repo)?;
        let plan = share::plan(ctx, &inventory, &remote, false, None)?;
        let last = answers::last(ctx, &remote);
        let left_alone = last.filter(|last| answers::is_left_alone(Some(last))).map(|last| last.reason);
        Ok(Some(Self { remote, inventory, plan, left_alone }))
    }

    /// Returns what can go in one connection with the person's refs.
    fn goes_along(&self, ctx: &Context, target: &Target) -> Option<&share::Plan> {
        // Two refspecs for one ref are none, and an empty remote gets a branch first.
        let names_ours = |refspec: &String| {
            refspec.contains(refs::SHARED)
                || refspec.contains("refs/*")
                || refspec.trim_start_matches('+') == ":"
        };
        let can = !self.plan.updates.is_empty()
            && self.plan.updates.len() <= MAX_ALONG
            && self.left_alone.is_none()
            && !target.refspecs.is_empty()
            && !target.refspecs.iter().any(names_ours)
            && share::is_in_use(ctx, &self.inventory, &self.remote);
        can.then_some(&self.plan)
    }

    fn held_back(&self, reason: &str) -> State {
        match self.plan.n_events.values().sum() {
            0 => State::Nothing,
            n_events => State::NotShared { n_events, reason: reason.to_owned() },
        }
    }

    /// Sends what did not go along with the person's refs, which are there now.
    fn send_apart(
        &self,
        ctx: &Context,
        wish: &Wish,
        pushed: &UserPushed,
        refused: &[Refusal],
        show: &mut dyn FnMut(Shown<'_>),
    ) -> Result<State, Error> {
        if self.plan.updates.is_empty() {
            return Ok(State::Nothing);
        }
        if let Some(reason) = &self.left_alone {
            return Ok(self.held_back(reason));
        }
        let own: Vec<&Refusal> = refused.iter().filter(|refusal| refusal.cause != Cause::Together).collect();
        if let Some((Said::Refused, reason)) = answers::of_refusals(&own, pushed.accepted.is_empty()) {
            if !wish.dry_run {
                answers::remember(ctx, &self.remote, Said::Refused, reason);
            }
            return Ok(self.held_back(reason));
        }
        if wish.dry_run {
            return Ok(State::Apart(self.plan.n_events.values().sum()));
        }
        show(Shown::Doing("sharing the state"));
        let synced = sync::sync(ctx, Some(&self.remote), &mut |_| ())?;
        let Some(synced) = synced.remotes.into_iter().next() else { return Ok(State::Nothing) };
        Ok(match synced.result {
            Outcome::Ok => State::Apart(synced.pushed_events),
            result => self.held_back(synced.message.as_deref().unwrap_or(result.as_str())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_and_progress() {
        let mut seen = Vec::new();
        let mut show = |shown: Shown<'_>| match shown {
            Shown::Said(line) => seen.push(format!("said {line}")),
            Shown::Doing(line) => seen.push(format!("doing {line}")),
        };
        let mut lines = Lines::default();
        for piece in ["remote: a wo", "rd        \n\nWriting: 5", "0%\rWriting: 100%, done.\nno e", "nd"] {
            lines.take(piece, &mut show);
        }
        lines.end(&mut show);
        let wanted =
            ["said remote: a word", "doing Writing: 50%", "said Writing: 100%, done.", "said no end"];
        assert_eq!(seen, wanted);
    }
}
