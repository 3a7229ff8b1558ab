//! `sync`: fetch, take over, record, push, and let redundant drop boxes go.

mod known;
mod refused;

use self::known::Known;
use super::answers::{self, Said};
use super::context::Context;
use super::error::Error;
use super::list::Listing;
use super::streams::Streams;
use super::{archive, initialised, list, share, twins};
use crate::domain::id::Name;
use crate::platform::git::{PushResult, RefPush, Refusal, Transport, TransportError};
use crate::platform::{clock, fail};
use crate::store::inventory::Inventory;
use crate::store::refs;

/// How often a push that was overtaken is tried again before the rest goes as a drop box.
const MAX_ROUNDS: usize = 5;

/// What one remote said.
#[derive(Clone, Debug)]
pub struct Synced {
    pub name: String,
    pub result: Outcome,
    pub fetched_events: usize,
    pub pushed_events: usize,
    /// Protocols that its archive has brought, with nothing new of most of them.
    pub fetched_archived: usize,
    /// Protocols that its archive has got, or more of.
    pub pushed_archived: usize,
    /// Refs there that are no longer needed and are gone: streams that its archive holds, drop boxes.
    pub removed_refs: usize,
    /// Refs there that have moved or are new.
    pub pushed_refs: usize,
    /// Why it did not work, or what is worth knowing.
    pub message: Option<String>,
    /// In which way it did not take what it was to take.
    said: Option<Said>,
}

/// What a sync did.
#[derive(Clone, Debug)]
pub struct Done {
    pub remotes: Vec<Synced>,
    /// What went to the archive by itself.
    pub archived: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Unreachable,
    Refused,
    Auth,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Auth => "auth",
        }
    }
}

/// What a sync tells while it works.
pub enum Progress<'a> {
    Fetching(&'a str),
    Reading,
    Pushing {
        remote: &'a str,
        n_refs: usize,
    },
    /// A line that git said.
    Git(&'a str),
}

/// Shares state with `remote`, or with every remote that carries our refspec. When a remote's result
/// is [`Outcome::Ok`], it holds every event of this clone and this clone every event of it, as of
/// one moment in between.
///
/// # Errors
///
/// [`Error`] if the repository cannot be read or written, or `remote` is none that shares state.
pub fn sync(
    ctx: &Context,
    remote: Option<&str>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Done, Error> {
    initialised(ctx)?;
    super::plan::recover(ctx)?;
    super::init::remove_old_drafts(&ctx.repo);
    progress(Progress::Reading);
    let listing = list::list(ctx)?;
    let mut known = Known::of(listing.n_events.clone(), &listing.inventory);
    // What remotes were seen to hold so far.
    let mut latest = None;
    let before = listing.inventory.clone();
    let remotes = match remote {
        Some(name) if before.remotes.iter().any(|known| known == name) => vec![name.to_owned()],
        Some(name) => {
            let known = ctx.repo.remotes().into_iter().any(|remote| remote.name == name);
            if !known {
                return Err(Error::Unknown { what: "remote", text: name.to_owned(), near: before.remotes });
            }
            let hint = format!("git godzilla init --remote {name}");
            return Err(Error::state(
                "remote.not_shared",
                format!("state is not shared with `{name}`"),
                hint,
            ));
        }
        None => before.remotes.clone(),
    };
    if remotes.is_empty() {
        return Err(Error::state(
            "remote.none",
            "there is no remote to share state with",
            "add one with `git remote add origin URL`, then `git godzilla init`",
        ));
    }
    let mut all: Vec<Synced> = remotes.iter().map(|remote| Synced::of(remote)).collect();
    // What one remote brings goes to the others in the same run.
    for synced in &mut all {
        latest = fetch(ctx, synced, &before, &mut known, progress)?.or(latest);
    }
    // What is archived now goes in the same push.
    let archived = archive::upkeep(ctx, latest.as_ref().unwrap_or(&listing), usize::MAX).archived;
    for synced in all.iter_mut().filter(|synced| synced.result == Outcome::Ok) {
        push(ctx, synced, &before, &mut known, progress)?;
    }
    for synced in &all {
        remember(ctx, synced);
    }
    if let Err(err) = super::kept::upkeep(ctx) {
        tracing::debug!(err = super::error_chain(&err), "what was kept for long enough stays");
    }
    Ok(Done { remotes: all, archived })
}

fn remember(ctx: &Context, synced: &Synced) {
    match synced.result {
        Outcome::Ok => answers::forget(ctx, &synced.name),
        result => {
            let reason = synced.message.as_deref().unwrap_or(result.as_str());
            answers::remember(ctx, &synced.name, synced.said.unwrap_or(Said::Failed), reason);
        }
    }
}

/// Forgets that a remote let nothing be deleted, so that it is asked again.
pub(super) fn forget_refused(ctx: &Context, remote: &str) {
    refused::forget(&ctx.repo, remote);
}

/// Returns how a command of a person talks to a remote.
pub(super) fn transport(ctx: &Context) -> Transport {
    Transport { may_ask: true, silence: ctx.settings.sync_timeout, total: None, durable: true }
}

/// Fetches and takes over, and returns what is there then; `known` is what was known, `before` what remotes
/// were seen to hold.
fn fetch(
    ctx: &Context,
    synced: &mut Synced,
    before: &Inventory,
    known: &mut Known,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Option<Listing>, Error> {
    let remote = synced.name.as_str();
    progress(Progress::Fetching(remote));
    let refspecs = refs::fetch_refspecs(remote);
    let fetched =
        ctx.repo.fetch(remote, &refspecs, true, transport(ctx), |line| progress(Progress::Git(line)));
    if let Err(err) = fetched {
        return synced.failed(err).map(|()| None);
    }
    fail::point("sync.fetched");
    progress(Progress::Reading);
    let mut listing = list::list(ctx)?;
    let now = Known::of(listing.n_events.clone(), &listing.inventory);
    synced.fetched_events += known.n_new_in(&ctx.repo, &now);
    synced.fetched_archived += known.n_newly_archived_in(&ctx.repo, &now);
    for renamed in twins::settle(ctx, &listing.rows, before)? {
        synced.say(format!(
            "{} is the name of another protocol there, so yours is {} now",
            renamed.from, renamed.to
        ));
        renamed.told.into_iter().for_each(|told| synced.say(told));
        listing = list::list(ctx)?;
    }
    *known = Known::of(listing.n_events.clone(), &listing.inventory);
    Ok(Some(listing))
}

/// Pushes what the remote lacks; what others were faster with is fetched and tried again.
fn push(
    ctx: &Context,
    synced: &mut Synced,
    before: &Inventory,
    known: &mut Known,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Error> {
    let remote = synced.name.clone();
    let mut keeps_refs = None;
    for round in 0..=MAX_ROUNDS {
        let inventory = Inventory::read(&ctx.repo)?;
        if !has_branches(ctx, &remote, &inventory) {
            synced.say("it holds no branch yet, so no state was sent".to_owned());
            return Ok(());
        }
        let deletes = keeps_refs.is_none() && !refused::is_known(&ctx.repo, &remote);
        let plan = share::plan(ctx, &inventory, &remote, deletes, Some(before))?;
        if plan.updates.is_empty() {
            synced.say_set_aside(&plan);
            return Ok(());
        }
        progress(Progress::Pushing { remote: &remote, n_refs: plan.updates.len() });
        let pushed =
            ctx.repo.push(&remote, &plan.updates, transport(ctx), |line| progress(Progress::Git(line)));
        let result = match pushed.and_then(|result| without_foreign_events(ctx, &remote, &plan, result)) {
            Ok(result) => result,
            Err(err) => return synced.failed(err),
        };
        fail::point("sync.pushed");
        synced.count(&plan, &result.accepted);
        let deletion = refused::deletion(&plan, &result);
        let had_deletes = deletion.is_some();
        keeps_refs = keeps_refs.or(deletion);
        // What somebody else removed first is gone all the same, and what may not go does no harm.
        let is_update = |name: &String| plan.updates.iter().any(|it| it.name == *name && it.new.is_some());
        let lost: Vec<&Refusal> = result.refused.iter().filter(|refusal| is_update(&refusal.name)).collect();
        if lost.is_empty() {
            // Who refuses everything, as with a full disk, says nothing of deletions.
            if let Some(reason) = keeps_refs {
                refused::remember(&ctx.repo, &remote);
                synced.say(format!("what is no longer needed there stays: {reason}"));
            }
            let n_rewound = share::n_rewound(&ctx.repo, before, &remote, &plan);
            if n_rewound > 0 {
                synced.say(format!("{} had lost events there, which are back", streams(n_rewound)));
            }
            synced.say_set_aside(&plan);
            return follow_home(ctx, &inventory, &remote, &result.accepted);
        }
        // A server may refuse a whole push for what it deletes.
        if round == MAX_ROUNDS || (answers::are_unwanted(&lost) && !had_deletes) {
            synced.said = answers::of_refusals(&lost, result.accepted.is_empty()).map(|(said, _)| said);
            return send_as_boxes(ctx, &inventory, &plan, &lost, synced);
        }
        std::thread::sleep(clock::jitter(50 << round));
        fetch(ctx, synced, before, known, progress)?;
        if synced.result != Outcome::Ok {
            return Ok(());
        }
    }
    Ok(())
}

/// What a hostile hand put into one stream elsewhere is not to keep the others away from a server that
/// refused all of them for it: they are sent again without it.
fn without_foreign_events(
    ctx: &Context,
    remote: &str,
    plan: &share::Plan,
    result: PushResult,
) -> Result<PushResult, TransportError> {
    let refused: Vec<&Refusal> = result.refused.iter().collect();
    if !result.accepted.is_empty() || !answers::are_unwanted(&refused) {
        return Ok(result);
    }
    let is_foreign = |update: &&RefPush| share::brings_foreign_events(&ctx.repo, update);
    let (foreign, rest): (Vec<&RefPush>, Vec<&RefPush>) = plan.updates.iter().partition(is_foreign);
    if foreign.is_empty() || rest.is_empty() {
        return Ok(result);
    }
    let rest: Vec<RefPush> = rest.into_iter().cloned().collect();
    let mut again = ctx.repo.push(remote, &rest, transport(ctx), |_| ())?;
    let is_left = |refusal: &Refusal| foreign.iter().any(|update| update.name == refusal.name);
    again.refused.extend(result.refused.into_iter().filter(is_left));
    Ok(again)
}

/// After a push to the home remote the local refs of what was pushed follow what is there now.
pub(super) fn follow_home(
    ctx: &Context,
    inventory: &Inventory,
    remote: &str,
    pushed: &[String],
) -> Result<(), Error> {
    /// More are looked at sooner with all others, whose rows are remembered.
    const FEW: usize = 8;

    if inventory.home() != Some(remote) {
        return Ok(());
    }
    if pushed.len() > FEW || pushed.iter().any(|name| name == refs::PROJECT) {
        return list::list(ctx).map(drop);
    }
    for name in pushed.iter().filter_map(|name| name.strip_prefix(refs::PROTOCOLS)?.parse::<Name>().ok()) {
        let streams = Streams::for_target(ctx, Some(name.as_str()))?;
        // One that cannot be read stays as it is, as in a list.
        if let Err(err) = streams.look(&name) {
            tracing::warn!(%name, err = super::error_chain(&err), "is left as it is");
        }
    }
    Ok(())
}

/// Sends what a contended ref did not take as drop boxes, which nobody contends for.
fn send_as_boxes(
    ctx: &Context,
    inventory: &Inventory,
    plan: &share::Plan,
    lost: &[&Refusal],
    synced: &mut Synced,
) -> Result<(), Error> {
    let mut boxes = Vec::new();
    for update in plan.updates.iter().filter(|update| lost.iter().any(|lost| lost.name == update.name)) {
        boxes.extend(share::drop_box_for(ctx, inventory, &synced.name, update)?);
    }
    let reason = lost.first().map(|lost| lost.reason.as_str()).unwrap_or_default();
    match ctx.repo.push(&synced.name, &boxes, transport(ctx), |_| ()) {
        Ok(result) if result.refused.is_empty() => {
            synced
                .say(format!("{} streams were busy ({reason}); their events went as drop boxes", lost.len()));
        }
        Ok(_) => {
            synced.result = Outcome::Refused;
            synced.say(reason.to_owned());
        }
        Err(err) => return synced.failed(err),
    }
    Ok(())
}

fn streams(count: usize) -> String {
    if count == 1 { "1 stream".to_owned() } else { format!("{count} streams") }
}

impl Synced {
    fn of(remote: &str) -> Self {
        Self {
            name: remote.to_owned(),
            result: Outcome::Ok,
            fetched_events: 0,
            pushed_events: 0,
            fetched_archived: 0,
            pushed_archived: 0,
            removed_refs: 0,
            pushed_refs: 0,
            message: None,
            said: None,
        }
    }

    /// Whether anything here or there is other than before.
    pub fn is_news(&self) -> bool {
        let counts = [self.fetched_events, self.fetched_archived, self.pushed_refs, self.removed_refs];
        counts.iter().any(|count| *count > 0)
    }

    fn count(&mut self, plan: &share::Plan, accepted: &[String]) {
        self.pushed_events += plan.events_in(accepted);
        if accepted.iter().any(|name| name == refs::ARCHIVE) {
            self.pushed_archived += plan.n_archived;
        }
        let is_delete = |update: &&RefPush| accepted.contains(&update.name) && update.new.is_none();
        let n_removed = plan.updates.iter().filter(is_delete).count();
        self.removed_refs += n_removed;
        self.pushed_refs += accepted.len() - n_removed;
    }

    fn say(&mut self, message: String) {
        self.message = Some(match self.message.take() {
            Some(said) => format!("{said}; {message}"),
            None => message,
        });
    }

    fn say_set_aside(&mut self, plan: &share::Plan) {
        if let Some(first) = plan.set_aside.first() {
            let more = plan.set_aside.len() - 1;
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            self.say(format!("left alone there: {first}{more}"));
        }
    }

    fn failed(&mut self, err: TransportError) -> Result<(), Error> {
        self.said = Some(answers::of_error(&err).0);
        let (result, message) = match err {
            TransportError::Unreachable { message, .. } => (Outcome::Unreachable, message),
            TransportError::Auth { message, .. } => (Outcome::Auth, message),
            TransportError::Refused { message, .. } => (Outcome::Refused, message),
            err => return Err(err.into()),
        };
        self.result = result;
        self.say(message);
        Ok(())
    }
}

/// Whether the remote holds a branch.
fn has_branches(ctx: &Context, remote: &str, inventory: &Inventory) -> bool {
    share::is_in_use(ctx, inventory, remote) || ctx.repo.remote_has_branches(remote, transport(ctx))
}
