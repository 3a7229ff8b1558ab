//! What goes between clones and servers, and what breaks on the way.

use std::path::Path;

use std::collections::BTreeMap;
use std::fs;
use std::panic::resume_unwind;

use git_godzilla::platform::git::{Cause, PushResult, RefPush, Refusal, Repo, TransportError};
use git_godzilla::platform::simulated::Machine;
use git_godzilla::service;
use git_godzilla::service::server::Received;
use git_godzilla::store::refs;

use super::super::clones::write_ref;
use super::super::releases::older_knows;
use super::super::{Broken, Interrupt, refspecs};
use super::held::collect;
use super::{BEGIN_MS, Killed, STEP_MS, Server, World};

impl World {
    fn clone_at(&self, repo: &Repo) -> usize {
        let clones = self.clones.borrow();
        let found = clones.iter().position(|clone| {
            fs::canonicalize(&clone.git_dir).is_ok_and(|git_dir| git_dir == repo.common_dir())
        });
        found.expect("only clones talk to servers")
    }

    /// Returns the server that a clone means, if it is online; sometimes the connection is lost.
    fn connect(&self, clone: usize, remote: &str) -> Result<usize, TransportError> {
        let clones = self.clones.borrow();
        let clone = &clones[clone];
        let server = clone.remotes.iter().find(|(name, _)| name == remote).map(|(_, server)| *server);
        let is_offline = !self.calm.get() && (clone.offline_until > self.now() || self.below(100) < 2);
        server.filter(|_| !is_offline).ok_or_else(|| lost(remote))
    }

    fn apply(&self, server: usize, update: &RefPush) -> Result<(), String> {
        let now = self.servers.borrow()[server].refs.get(&update.name).copied();
        if now != update.expected && !self.is_let_in(update, now) {
            return Err("[rejected] (stale info)".to_owned());
        }
        let is_busy =
            self.servers.borrow()[server].busy_until > self.now() && update.name.starts_with(refs::PROTOCOLS);
        let is_stubborn = self.is_broken(Broken::StubbornServer);
        if is_stubborn || !self.calm.get() && (is_busy || self.below(100) < 5) {
            return Err("[remote rejected] (failed to update ref)".to_owned());
        }
        if self.is_forgotten(update) {
            return Ok(());
        }
        self.check_update(server, update, now);
        self.n_moves.set(self.n_moves.get() + 1);
        if let (Some(old), Some(true)) = (now, update.new.map(|new| self.begins_anew(new))) {
            self.replaced.borrow_mut().push((server, update.name.clone(), old));
        }
        let refs = &mut self.servers.borrow_mut()[server].refs;
        match update.new {
            Some(new) => refs.insert(update.name.clone(), new),
            None => refs.remove(&update.name),
        };
        Ok(())
    }

    /// Returns why the hook of a server lets nothing of a push in.
    fn refusal(&self, server: usize, updates: &[RefPush]) -> Option<String> {
        let servers = self.servers.borrow();
        let Server { refs, gate: Some(gate), .. } = &servers[server] else { return None };
        let mut there = BTreeMap::new();
        collect(gate.repo.common_dir(), Path::new("refs/godzilla"), &mut there);
        for name in there.keys().filter(|name| !refs.contains_key(*name)) {
            write_ref(gate.repo.common_dir(), name, None);
        }
        for (name, oid) in refs.iter().filter(|(name, oid)| there.get(*name) != Some(oid)) {
            write_ref(gate.repo.common_dir(), name, Some(*oid));
        }
        let received: Vec<Received> = updates
            .iter()
            .map(|update| Received { name: update.name.clone(), old: update.expected, new: update.new })
            .collect();
        self.by_hand(|_| service::server::refusals(gate, &received).unwrap().into_iter().next())
    }

    /// Whether whoever runs now has the release before this one.
    fn is_of_older(&self) -> bool {
        let is_older = || self.clones.borrow().get(self.who.get()).is_some_and(|clone| clone.is_older);
        !self.is_by_hand.get() && is_older()
    }
}

fn lost(remote: &str) -> TransportError {
    TransportError::Unreachable { remote: remote.to_owned(), message: "no answer".to_owned() }
}

impl Machine for World {
    fn now_ms(&self) -> u64 {
        let skew = self.clones.borrow().get(self.who.get()).map_or(0, |clone| clone.skew_ms);
        (BEGIN_MS + self.now.get() * STEP_MS).saturating_add_signed(skew)
    }

    fn random(&self) -> u128 {
        let mut chance = self.chance.get();
        let random = u128::from(chance.next()) << 64 | u128::from(chance.next());
        self.chance.set(chance);
        random
    }

    fn point(&self, _name: &'static str) {
        if self.is_by_hand.get() {
            return;
        }
        let mut interrupt = self.interrupt.borrow_mut();
        match interrupt.as_mut() {
            None | Some((_, Interrupt::Full)) => return,
            Some((left, _)) if *left > 1 => {
                *left -= 1;
                return;
            }
            Some(_) => (),
        }
        let Some((_, what)) = interrupt.take() else { return };
        drop(interrupt);
        match what {
            // As if the process were gone: nothing is printed, and nobody catches it on the way.
            Interrupt::Kill => resume_unwind(Box::new(Killed)),
            Interrupt::Meanwhile(step) => {
                self.count("meanwhile");
                self.step(&step);
                self.has_met.set(true);
            }
            Interrupt::Full => (),
        }
    }

    fn has_room(&self) -> bool {
        if self.is_by_hand.get() {
            return true;
        }
        match self.interrupt.borrow_mut().as_mut() {
            Some((left, Interrupt::Full)) if *left > 0 => {
                *left -= 1;
                true
            }
            Some((_, Interrupt::Full)) => {
                self.has_met.set(true);
                self.count("no room on the disk");
                false
            }
            _ => true,
        }
    }

    fn fold_version(&self, own: u64) -> u64 {
        if self.is_of_older() { own - 1 } else { own }
    }

    fn knows(&self, kind: &str) -> bool {
        older_knows(kind) || !self.is_of_older() || self.is_broken(Broken::CarelessRelease)
    }

    fn push(&self, from: &Repo, remote: &str, updates: &[RefPush]) -> Result<PushResult, TransportError> {
        self.point("push.send");
        let clone = self.clone_at(from);
        let server = self.connect(clone, remote)?;
        let mut result = PushResult::default();
        if self.is_lonely(clone) {
            result.accepted.extend(updates.iter().map(|update| update.name.clone()));
            return Ok(result);
        }
        if let Some(why) = self.refusal(server, updates) {
            self.count("refused by a hook");
            let reason = format!("[remote rejected] (pre-receive hook declined: {why})");
            result.refused.extend(updates.iter().map(|update| {
                let (name, reason) = (update.name.clone(), reason.clone());
                Refusal { name, reason, cause: Cause::Unwanted }
            }));
            return Ok(result);
        }
        for update in self.sent(clone, server, updates) {
            self.point("push.ref");
            match self.apply(server, &update) {
                Ok(()) => result.accepted.push(update.name.clone()),
                Err(reason) => {
                    let name = update.name.clone();
                    result.refused.push(Refusal { name, reason, cause: Cause::Overtaken });
                }
            }
            if let Some(new) = update.new.filter(|_| result.accepted.contains(&update.name)) {
                self.note(&update.name, new, None);
            }
        }
        self.count("push");
        if !self.calm.get() && self.below(100) < 2 {
            self.count("lost after the server acted");
            return Err(lost(remote));
        }
        self.point("push.sent");
        Ok(result)
    }

    fn fetch(&self, into: &Repo, remote: &str, specs: &[String], prune: bool) -> Result<(), TransportError> {
        self.point("fetch.send");
        let clone = self.clone_at(into);
        let server = self.connect(clone, remote)?;
        let there = self.servers.borrow()[server].refs.clone();
        if self.is_lonely(clone) {
            return Ok(());
        }
        let here = self.refs_of(clone);
        let copies = refspecs::copies(specs, there.keys());
        for (from, to) in copies.iter().filter(|(from, to)| here.get(to) != there.get(from)) {
            self.point("fetch.ref");
            self.clones.borrow()[clone].write_ref(to, there.get(from).copied());
        }
        let targets = refspecs::targets(specs);
        let is_below = |name: &&String| targets.iter().any(|target| name.starts_with(target.as_str()));
        let is_gone = |name: &&String| !copies.iter().any(|(_, to)| to == *name);
        for name in here.keys().filter(|name| prune && is_below(name)).filter(is_gone) {
            self.point("fetch.ref");
            self.clones.borrow()[clone].write_ref(name, None);
        }
        self.point("fetch.done");
        Ok(())
    }

    fn has_branches(&self, from: &Repo, remote: &str) -> bool {
        let server = self.connect(self.clone_at(from), remote);
        server.is_ok_and(|server| {
            self.servers.borrow()[server].refs.keys().any(|name| name.starts_with("refs/heads/"))
        })
    }
}
