//! What somebody may do, one row each.

use std::collections::BTreeSet;

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::id::Name;
use git_godzilla::domain::outline::{Outline, OutlineStep};
use git_godzilla::domain::spec::QaPolicy;
use git_godzilla::domain::state::Protocol;
use git_godzilla::service::act::{self, Verb};
use git_godzilla::service::ci_report::{self, Delivered};
use git_godzilla::service::context::Context;
use git_godzilla::service::redact::{self, Wanted};
use git_godzilla::service::streams::Streams;
use git_godzilla::service::undo::{Way, undo};
use git_godzilla::service::{archive, list, plan, renumber, sync};
use git_godzilla::store::inventory::Inventory;

use super::{Broken, World, code, hostile, releases};

/// Nobody plans more than this.
const MAX_PROTOCOLS: usize = 6;

/// The longest time for which somebody is offline, in steps.
const MAX_OFFLINE: usize = 400;

/// The longest time for which others are always faster on a server, in steps.
const MAX_BUSY: usize = 30;

/// In which worlds something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// One with hostile hands.
    Hostile,
    /// One with two releases.
    Releases,
}

/// Something that a clone, a CI job or a hostile hand does.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    /// How likely it is.
    pub(super) weight: usize,
    pub(super) needs: Needs,
    /// Returns whether there was anything to do.
    pub(super) run: fn(&World, usize) -> bool,
}

const fn row(name: &'static str, weight: usize, run: fn(&World, usize) -> bool) -> Action {
    Action { name, weight, needs: Needs::Nothing, run }
}

const fn hostile(name: &'static str, weight: usize, run: fn(&World, usize) -> bool) -> Action {
    Action { name, weight, needs: Needs::Hostile, run }
}

pub(crate) const ACTIONS: &[Action] = &[
    row("plan", 30, plan),
    row("act", 220, act),
    row("commit", 120, code::commit),
    row("commit without hooks", 30, code::commit_without_hooks),
    row("amend", 20, code::amend),
    row("drop a branch", 5, code::drop_branch),
    row("undo", 40, |world, clone| take_back(world, clone, Way::Undo)),
    row("redo", 25, |world, clone| take_back(world, clone, Way::Redo)),
    row("undo and redo", 15, undo_and_redo),
    row("list", 40, list),
    row("fetch", 70, code::fetch),
    row("sync", 160, sync),
    row("push", 60, code::push),
    row("merge", 12, code::merge),
    row("cancel", 5, cancel),
    row("archive", 25, archive),
    row("unarchive", 12, unarchive),
    row("redact", 8, redact),
    row("renumber", 6, renumber),
    row("report", 90, report),
    row("go offline", 8, go_offline),
    row("be busy", 8, be_busy),
    row("backup", 15, hostile::backup),
    hostile("force back", 4, hostile::force_back),
    hostile("force to a subset", 4, hostile::force_to_a_subset),
    hostile("delete", 4, hostile::delete),
    hostile("restore", 4, hostile::restore),
    hostile("mirror", 3, hostile::mirror),
    hostile("overwrite the local refs", 2, hostile::overwrite_local),
    hostile("lose the refs", 2, hostile::lose_refs),
    hostile("lose the machine", 2, hostile::lose_machine),
    hostile("leap", 4, hostile::leap),
    hostile("forge an id", 4, hostile::forge_id),
    hostile("garbage", 4, hostile::garbage),
    hostile("foreign events", 4, hostile::foreign),
    hostile("newer tool", 6, hostile::newer),
    Action { name: "critical event", weight: 6, needs: Needs::Releases, run: releases::critical },
];

/// Returns the names of all streams and of all that is archived.
fn known_names(ctx: &Context) -> Vec<Name> {
    let inventory = Inventory::read(&ctx.repo).unwrap_or_default();
    let archived = inventory.all_archived(&ctx.repo).into_keys();
    let all: BTreeSet<Name> = inventory.streams.into_keys().chain(archived).collect();
    all.into_iter().collect()
}

/// Draws a protocol that the clone knows.
pub(super) fn some_name(world: &World, ctx: &Context) -> Option<Name> {
    let names = known_names(ctx);
    world.pick(&names).cloned()
}

pub(super) fn protocol_of(ctx: &Context, name: &Name) -> Option<Protocol> {
    let streams = Streams::for_target(ctx, Some(name.as_str())).ok()?;
    let content = streams.view(name).ok()?.content;
    git_godzilla::service::streams::folded(&content, None).protocol
}

fn plan(world: &World, clone: usize) -> bool {
    let slug = ["a", "b"][world.below(2)];
    let step = |title: &str| OutlineStep { title: title.to_owned(), ..OutlineStep::default() };
    let request = plan::Request {
        // No two plans say the same.
        title: format!("Do it {}", world.below(1_000_000)),
        slug: Some(slug.to_owned()),
        outline: Outline { steps: vec![step("One"), step("Two")], ..Outline::default() },
        base: Some("main".to_owned()),
        qa: Some(QaPolicy::Skip),
        ..plan::Request::default()
    };
    let planned = world.process(clone, |ctx| {
        (known_names(ctx).len() < MAX_PROTOCOLS).then(|| plan::plan(ctx, &request).ok()).flatten()
    });
    planned.flatten().is_some()
}

fn act(world: &World, clone: usize) -> bool {
    let reason = || Some(format!("reason {}", world.below(1000)));
    let verb = match world.below(20) {
        0..=3 => Verb::Start,
        4..=5 => Verb::Next,
        6..=9 => Verb::Done { no_commit: world.below(2) == 0 },
        10 => Verb::Block { reason: reason() },
        11 => Verb::Unblock,
        12 => Verb::Skip { reason: "not needed".to_owned() },
        13 => Verb::Approve { reason: reason(), mode: "terminal", sign: false },
        14 => Verb::Retry,
        15 => Verb::Pause { reason: reason() },
        16 => Verb::Resume,
        18 if world.below(3) == 0 => Verb::CompleteUnmerged { reason: "done elsewhere".to_owned() },
        _ => Verb::Comment { text: format!("note {}", world.below(1_000_000)) },
    };
    releases::has_verb(world, clone, &verb) && do_verb(world, clone, &verb)
}

/// What is over can be archived.
fn cancel(world: &World, clone: usize) -> bool {
    do_verb(world, clone, &Verb::Cancel { reason: Some("not wanted".to_owned()) })
}

fn do_verb(world: &World, clone: usize, verb: &Verb) -> bool {
    let acted = world.process(clone, |ctx| {
        let name = some_name(world, ctx)?;
        let acted = act::act(ctx, Some(name.as_str()), None, verb).ok()?;
        world.check_promise(clone, &acted.events);
        Some(acted)
    });
    acted.flatten().is_some_and(|acted| !acted.events.is_empty())
}

fn take_back(world: &World, clone: usize, way: Way) -> bool {
    world.process(clone, |ctx| undo(ctx, way, None, false).ok()).flatten().is_some()
}

/// What an undo of the last undo brings back is what was there before.
fn undo_and_redo(world: &World, clone: usize) -> bool {
    let done = world.process(clone, |ctx| {
        list::list(ctx).ok()?;
        let shown = |name: &Name| {
            let protocol = protocol_of(ctx, name)?;
            let steps = protocol.steps.iter().map(|step| (step.recorded, step.attempt));
            Some((protocol.recorded, steps.collect::<Vec<_>>()))
        };
        let before: Vec<_> = known_names(ctx).into_iter().map(|name| (shown(&name), name)).collect();
        let undone = undo(ctx, Way::Undo, None, false).ok()?;
        let redone = if world.is_broken(Broken::HalfRedo) {
            Ok(undone)
        } else {
            undo(ctx, Way::Redo, Some(&undone.of.id.to_string()), false)
        };
        Some((before.into_iter().map(|(was, name)| (was, shown(&name), name)).collect::<Vec<_>>(), redone))
    });
    let Some((states, redone)) = done.flatten() else { return false };
    // What another process did meanwhile may keep it from coming back.
    if redone.is_err() || world.was_interrupted() {
        return false;
    }
    for (was, is, name) in states {
        if was != is {
            world.violated("a redo brings back", format!("c{clone} {name}: {was:?} and {is:?}"));
        }
    }
    true
}

/// The first thing that a person does after plain git; it takes over what was fetched.
pub(super) fn list(world: &World, clone: usize) -> bool {
    let listed = world.process(clone, |ctx| list::list(ctx).is_ok()).unwrap_or_default();
    if listed {
        world.clones.borrow_mut()[clone].has_unadopted = false;
    }
    listed
}

pub(super) fn some_remote(world: &World, clone: usize) -> String {
    let remotes = world.clones.borrow()[clone].remotes.clone();
    world.pick(&remotes).unwrap().0.clone()
}

fn sync(world: &World, clone: usize) -> bool {
    let remote = (world.below(2) == 0).then(|| some_remote(world, clone));
    let synced = world.process(clone, |ctx| sync::sync(ctx, remote.as_deref(), &mut |_| ()));
    let Some(Ok(synced)) = synced else { return false };
    if synced
        .remotes
        .iter()
        .any(|remote| remote.message.as_ref().is_some_and(|said| said.contains("as drop boxes")))
    {
        world.count("sync fell back to a drop box");
    }
    synced.remotes.iter().all(|remote| remote.result == sync::Outcome::Ok)
}

fn archive(world: &World, clone: usize) -> bool {
    // What a command archives by itself must have been over for some time.
    let request = archive::Request { over_for_ms: Some(0), ..archive::Request::default() };
    let archived = world.process(clone, |ctx| archive::archive(ctx, &request).ok());
    archived.flatten().is_some_and(|archived| !archived.names.is_empty())
}

fn unarchive(world: &World, clone: usize) -> bool {
    let verb = Verb::Unarchive { reopen: world.below(2) == 0, reason: Some("more to do".to_owned()) };
    let acted = world.process(clone, |ctx| {
        let names: Vec<Name> = known_names(ctx).into_iter().filter(|name| is_archived(ctx, name)).collect();
        act::act(ctx, Some(world.pick(&names)?.as_str()), None, &verb).ok()
    });
    acted.flatten().is_some_and(|acted| !acted.events.is_empty())
}

fn is_archived(ctx: &Context, name: &Name) -> bool {
    Streams::read(ctx).is_ok_and(|streams| streams.is_archived(name))
}

/// Takes the text of some event out, perhaps of all that remotes ever held as well.
fn redact(world: &World, clone: usize) -> bool {
    if world.below(3) == 0 && releases::knows_plans_without_texts(world, clone) && redact_plan(world, clone) {
        return true;
    }
    let redacted = world.process(clone, |ctx| {
        let name = some_name(world, ctx)?;
        let content = Streams::read(ctx).ok()?.view(&name).ok()?.content;
        let line = world.pick(content.lines())?;
        let wanted = Wanted::Event(line.event.id);
        let looked = redact::look(ctx, &wanted).ok().filter(|looked| !looked.found.is_empty())?;
        redact::redact(ctx, &looked, &wanted, None).ok()?;
        if world.below(3) == 0 {
            world.count("purge");
            let answers = redact::purge::purge(ctx, Some(&wanted)).unwrap_or_default();
            let clean = answers.iter().filter(|answer| answer.clean).map(|answer| answer.name.as_str());
            world.note_purged(clone, clean, &line.text);
        }
        Some(())
    });
    redacted.flatten().is_some()
}

/// Takes what some plans say out of them, perhaps of all that remotes ever held as well.
fn redact_plan(world: &World, clone: usize) -> bool {
    let text = ["One", "Two", "Do it"][world.below(3)].to_owned();
    let redacted = world.process(clone, |ctx| {
        let wanted = Wanted::Text { escaped: text.clone(), text };
        let looked = redact::look(ctx, &wanted).ok().filter(|looked| !looked.plans.is_empty())?;
        redact::redact(ctx, &looked, &wanted, None).ok()?;
        world.count("a plan without a text");
        if world.below(3) == 0 {
            let answers = redact::purge::purge(ctx, Some(&wanted)).unwrap_or_default();
            for spec in looked.digests() {
                let clean = answers.iter().filter(|answer| answer.clean).map(|answer| answer.name.as_str());
                world.note_purged(clone, clean, &format!("spec {spec}"));
            }
        }
        Some(())
    });
    redacted.flatten().is_some()
}

fn renumber(world: &World, clone: usize) -> bool {
    let number = (200 + world.below(50)).to_string();
    let renumbered = world.process(clone, |ctx| {
        let rows = list::list(ctx).ok()?.rows;
        renumber::renumber(ctx, &world.pick(&rows)?.name, &number).ok()
    });
    renumbered.flatten().is_some()
}

/// A CI job reports, perhaps late, perhaps about something that nobody knows.
fn report(world: &World, _: usize) -> bool {
    let code = world.code.borrow().clone();
    let Some((name, commit)) = world.pick(&code).cloned() else { return false };
    let protocol = match world.below(20) {
        0 => "0099-unknown".to_owned(),
        _ => name.to_string(),
    };
    let results = [JobResult::Success, JobResult::Failure, JobResult::Running, JobResult::Cancelled];
    let request = ci_report::Request {
        result: world.pick(&results).copied(),
        job: Some(["test", "lint"][world.below(2)].to_owned()),
        sha: Some(commit.to_string()),
        protocol: Some(protocol),
        provider: Some("plain".to_owned()),
        workflow: Some("ci".to_owned()),
        branch: Some(name.to_string()),
        run: Some(world.below(1000) as u64),
        attempt: Some(world.below(3) as u64),
        remote: Some(format!("s{}", world.below(world.config.n_remotes))),
        ..ci_report::Request::default()
    };
    let runner = world.config.n_clones;
    let reported = world.process(runner, |ctx| ci_report::report(&ctx.repo, &ctx.settings, request).ok());
    reported.flatten().is_some_and(|reported| matches!(reported.delivered, Delivered::Pushed))
}

fn go_offline(world: &World, clone: usize) -> bool {
    let until = world.now() + world.below(MAX_OFFLINE) as u64;
    world.clones.borrow_mut()[clone].offline_until = until;
    true
}

/// On this server others are faster for a while, whatever is pushed to a stream.
fn be_busy(world: &World, _: usize) -> bool {
    let until = world.now() + world.below(MAX_BUSY) as u64;
    world.servers.borrow_mut()[world.below(world.config.n_remotes)].busy_until = until;
    true
}
