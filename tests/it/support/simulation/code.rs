//! What somebody does to code, with git: commits, branches, fetches, pushes and merges.

use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::domain::message::STEP_KEY;
use git_godzilla::platform::git::{Transport, TreeEntry};
use git_godzilla::service::context::Context;
use git_godzilla::service::on_commit::{self, HookBranch};
use git_godzilla::service::on_push::{self, PushedRef};
use git_godzilla::store::refs;

use super::World;
use super::actions::{list, protocol_of, some_name, some_remote};

/// Commits on the branch of some protocol, perhaps for its current step. Returns the protocol, what
/// the branch was at, and the commit.
fn commit_code(world: &World, ctx: &Context, clone: usize, amends: bool) -> Option<(Name, Oid, Oid)> {
    let name = some_name(world, ctx)?;
    let protocol = protocol_of(ctx, &name)?;
    let branch = format!("refs/heads/{name}");
    let tracked = || {
        let all = ctx.repo.refs("refs/remotes/").ok()?;
        all.into_iter().find(|(tracked, _)| tracked.ends_with(&format!("/{name}"))).map(|(_, oid)| oid)
    };
    let tip = ctx.repo.find_ref(&branch).ok()?.or_else(tracked)?;
    let info = ctx.repo.commit(tip).ok()?;
    let is_plan = !String::from_utf8_lossy(&info.message).starts_with("work");
    if amends && is_plan {
        return None;
    }
    let text = format!("{}\n", world.below(1_000_000));
    let path = format!("file-{}", world.below(1000));
    let tree = world.by_hand(|repo| {
        let blob = repo.write_blob(text.as_bytes()).unwrap();
        repo.tree_with(Some(info.tree), &path, Some(TreeEntry::blob("", blob))).unwrap()
    });
    let step = protocol.current_step().filter(|_| world.below(4) > 0);
    let trailer = step.map(|step| format!("\n\n{STEP_KEY}: {name}/{}", step.id)).unwrap_or_default();
    let parents = if amends { info.parents } else { vec![tip] };
    let commit = world.commit(tree, &parents, &format!("work{trailer}"));
    world.clones.borrow()[clone].write_ref(&branch, Some(commit));
    world.code.borrow_mut().push((name.clone(), commit));
    Some((name, tip, commit))
}

pub(super) fn commit(world: &World, clone: usize) -> bool {
    let done = world.process(clone, |ctx| {
        let (name, _, _) = commit_code(world, ctx, clone, false)?;
        let done = on_commit::committed(ctx, &HookBranch::of(name.clone())).ok()?;
        Some(recorded(world, clone, &done))
    });
    done.flatten().unwrap_or_default()
}

/// Whether a hook recorded anything.
fn recorded(world: &World, clone: usize, done: &on_commit::Done) -> bool {
    if done.spooled {
        world.count("a hook spooled");
    }
    world.check_promise(clone, &done.events);
    done.spooled || !done.events.is_empty()
}

/// Somebody deletes a branch; what no other has is kept here.
pub(super) fn drop_branch(world: &World, clone: usize) -> bool {
    let branches = world.refs_in(clone, &["refs/heads"]);
    let branches: Vec<&String> = branches.keys().filter(|name| !name.ends_with("/main")).collect();
    let Some(branch) = world.pick(&branches) else { return false };
    world.clones.borrow()[clone].write_ref(branch, None);
    true
}

pub(super) fn commit_without_hooks(world: &World, clone: usize) -> bool {
    world.process(clone, |ctx| commit_code(world, ctx, clone, false)).flatten().is_some()
}

pub(super) fn amend(world: &World, clone: usize) -> bool {
    let done = world.process(clone, |ctx| {
        let (name, old, new) = commit_code(world, ctx, clone, true)?;
        let branch = HookBranch::of(name.clone());
        let done = on_commit::rewritten(ctx, &branch, &[(old, new)], "amend").ok()?;
        Some(recorded(world, clone, &done))
    });
    done.flatten().unwrap_or_default()
}

/// Plain `git fetch`, which no hook of ours sees, between two commands of ours.
pub(super) fn fetch(world: &World, clone: usize) -> bool {
    if !list(world, clone) || world.clones.borrow()[clone].has_unadopted {
        return false;
    }
    let remote = some_remote(world, clone);
    let mut refspecs = refs::fetch_refspecs(&remote);
    refspecs.push(format!("+refs/heads/*:refs/remotes/{remote}/*"));
    let prunes = world.below(10) < 3;
    world.clones.borrow_mut()[clone].has_unadopted = true;
    let how = Transport { may_ask: false, silence: std::time::Duration::MAX, total: None, durable: false };
    let fetched = world.process(clone, |ctx| ctx.repo.fetch(&remote, &refspecs, prunes, how, |_| ()).is_ok());
    list(world, clone) && fetched.unwrap_or_default()
}

/// Plain `git push` of a branch, with its hook.
pub(super) fn push(world: &World, clone: usize) -> bool {
    let remote = some_remote(world, clone);
    let server = world.clones.borrow()[clone].remotes.iter().find(|(name, _)| *name == remote).unwrap().1;
    let pushed = world.process(clone, |ctx| {
        let name = some_name(world, ctx)?;
        let branch = format!("refs/heads/{name}");
        let tip = ctx.repo.find_ref(&branch).ok()??;
        let there = world.servers.borrow()[server].refs.get(&branch).copied();
        let line = PushedRef {
            local: branch.clone(),
            local_oid: Some(tip),
            remote: branch.clone(),
            remote_oid: there,
        };
        on_push::send_state(ctx, &remote, &[line]).ok();
        if there.is_some_and(|there| there == tip || !ctx.repo.is_ancestor(there, tip)) {
            return None;
        }
        world.servers.borrow_mut()[server].refs.insert(branch, tip);
        world.clones.borrow()[clone].write_ref(&format!("refs/remotes/{remote}/{name}"), Some(tip));
        Some(())
    });
    pushed.flatten().is_some()
}

/// Somebody merges a branch on the forge.
pub(super) fn merge(world: &World, _: usize) -> bool {
    let server = world.below(world.config.n_remotes);
    let there = world.servers.borrow()[server].refs.clone();
    let main = there["refs/heads/main"];
    let is_open = |(name, oid): &(&String, &Oid)| {
        name.starts_with("refs/heads/0") && !world.by_hand(|repo| repo.is_ancestor(**oid, main))
    };
    let open: Vec<Oid> = there.iter().filter(is_open).map(|(_, oid)| *oid).collect();
    let Some(branch) = world.pick(&open) else { return false };
    let tree = world.by_hand(|repo| repo.tree_of(*branch).unwrap());
    let merged = world.commit(tree, &[main, *branch], "merge");
    world.servers.borrow_mut()[server].refs.insert("refs/heads/main".to_owned(), merged);
    true
}
