//! What goes between clones and servers, and what breaks on the way.

use std::path::Path;

use std::collections::BTreeMap;
use std::fs;
use std::panic::resume_unwind;

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::{Cause, PushResult, RefPush, Refusal, Repo, TransportError};
use git_godzilla::platform::simulated::Machine;
use git_godzilla::service;
use git_godzilla::service::server::Received;
use git_godzilla::store::refs;

use super::super::clones::write_ref;
use super::super::ledger::Content;
use super::super::{Broken, Interrupt, refspecs};
use super::{BEGIN_MS, Killed, STEP_MS, Server, World, collect};

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
        let is_lenient = self.config.broken == Some(Broken::ServerWithoutExpectations);
        if now != update.expected && !is_lenient {
            return Err("[rejected] (stale info)".to_owned());
        }
        let is_busy =
            self.servers.borrow()[server].busy_until > self.now() && update.name.starts_with(refs::PROTOCOLS);
        if !self.calm.get() && (is_busy || self.below(100) < 5) {
            return Err("[remote rejected] (failed to update ref)".to_owned());
        }
        if self.config.broken == Some(Broken::ForgetfulServer) && update.name.starts_with(refs::INBOX) {
            return Ok(());
        }
        self.check_update(server, update, now);
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
        service::server::refusals(gate, &received).unwrap().into_iter().next()
    }

    /// Adds what a broken clone pushes beside what it must.
    fn with_breakage(&self, server: usize, updates: &[RefPush]) -> Vec<RefPush> {
        let mut all = updates.to_vec();
        let refs = &self.servers.borrow()[server].refs;
        match self.config.broken {
            Some(Broken::HastyDelete) => all.extend(
                refs.iter().find(|(name, _)| name.starts_with(refs::INBOX)).map(|(name, oid)| RefPush {
                    name: name.clone(),
                    new: None,
                    expected: Some(*oid),
                }),
            ),
            Some(Broken::EmptyPush) => {
                all.extend(refs.iter().find(|(name, _)| name.starts_with(refs::PROTOCOLS)).map(
                    |(name, oid)| {
                        let again = self.commit(self.repo.tree_of(*oid).unwrap(), &[*oid], "again");
                        RefPush { name: name.clone(), new: Some(again), expected: Some(*oid) }
                    },
                ));
            }
            Some(Broken::PushWithoutCauses) => {
                for update in all.iter_mut().filter(|update| update.name.starts_with(refs::PROTOCOLS)) {
                    update.new = update.new.map(|new| self.last_line_of(new, update.expected));
                }
            }
            _ => (),
        }
        all
    }

    /// Returns a commit that adds nothing but the last line of `new` to `parent`.
    fn last_line_of(&self, new: Oid, parent: Option<Oid>) -> Oid {
        let mut ledger = self.ledger.borrow_mut();
        let all = ledger.read(&self.repo, new).unwrap();
        let mut less = parent
            .and_then(|parent| ledger.read(&self.repo, parent))
            .map_or_else(Content::default, |known| known.content.clone());
        less.specs.extend(all.content.specs.clone());
        less.unknown.extend(all.content.unknown.clone());
        less.rejects.extend(all.content.rejects.clone());
        less.add(all.content.lines().last().unwrap().clone());
        less.normalize();
        let tree = git_godzilla::store::tip::write(&self.repo, &less, None).unwrap();
        self.commit(tree, parent.as_slice(), "the last line")
    }

    fn is_lonely(&self, clone: usize) -> bool {
        self.config.broken == Some(Broken::LonelyClone) && clone == 0
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
        let mut interrupt = self.interrupt.borrow_mut();
        match interrupt.as_mut() {
            None => return,
            Some((left, _)) if *left > 1 => {
                *left -= 1;
                return;
            }
            // Who writes notes is waited for by the clock of the real machine.
            Some((_, Interrupt::Meanwhile(_))) if self.clones.borrow()[self.who.get()].is_locked("notes") => {
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
        }
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
        for update in self.with_breakage(server, updates) {
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
