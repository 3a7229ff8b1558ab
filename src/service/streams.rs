//! Streams as commands see them: everything fetched is part of what they read, and what they write
//! begins with taking it over.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::branch::Branches;
use super::context::Context;
use super::error::Error;
use super::observe::{self, Scope};
use crate::domain::event::Event;
use crate::domain::fold::{Folded, fold_refs};
use crate::domain::id::{Name, Ulid};
use crate::domain::ledger::Ledger;
use crate::domain::sentence::sentence;
use crate::platform::git;
use crate::store::content::{Content, Line};
use crate::store::inventory::{Inventory, Tips};
use crate::store::stream::{self, Appended, View};

/// All streams of the repository, read once.
pub struct Streams<'a> {
    pub ctx: &'a Context,
    pub inventory: Inventory,
    pub branches: Branches<'a>,
    /// Drop boxes and the project's stream, by the protocol that each event names.
    routed: RefCell<Option<HashMap<Option<Name>, Content>>>,
}

impl<'a> Streams<'a> {
    /// Reads all refs.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed.
    pub fn read(ctx: &'a Context) -> Result<Self, Error> {
        let inventory = Inventory::read(&ctx.repo)?;
        let branches = Branches::read(&ctx.repo)?;
        Ok(Self { ctx, inventory, branches, routed: RefCell::new(None) })
    }

    /// Returns what drop boxes and the project's stream hold for `name`; `None` for what names no
    /// protocol.
    pub fn routed(&self, name: Option<&Name>) -> Option<Content> {
        let mut routed = self.routed.borrow_mut();
        let by_name = routed.get_or_insert_with(|| {
            let mut by_name = self.inventory.boxed(&self.ctx.repo);
            if let Ok(project) = stream::project_view(&self.ctx.repo, &self.inventory.project) {
                for line in project.content.lines() {
                    by_name.entry(line.event.protocol.clone()).or_default().add(line.clone());
                }
            }
            for content in by_name.values_mut() {
                content.normalize();
            }
            by_name
        });
        by_name.get(&name.cloned()).cloned()
    }

    /// Returns the names that only drop boxes or the project's stream know.
    pub fn unknown_names(&self) -> Vec<Name> {
        self.routed(None);
        let routed = self.routed.borrow();
        let names = routed.iter().flat_map(|by_name| by_name.keys().flatten());
        let mut names: Vec<Name> =
            names.filter(|name| !self.inventory.streams.contains_key(*name)).cloned().collect();
        names.sort();
        names
    }

    fn tips(&self, name: &Name) -> Tips {
        self.inventory.streams.get(name).cloned().unwrap_or_default()
    }

    /// Returns what is known of a stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if its local tip cannot be read.
    pub fn view(&self, name: &Name) -> Result<View, Error> {
        let extra = self.routed(Some(name));
        Ok(stream::view(&self.ctx.repo, name, &self.tips(name), extra.as_ref())?)
    }

    /// Takes over what is known, records what git shows, then decides with `decide`; all as one
    /// commit, or none if there is nothing new.
    ///
    /// # Errors
    ///
    /// Anything `decide` returns (nothing is recorded then), or what keeps the stream from being
    /// read or written.
    pub fn append(
        &self,
        name: &Name,
        decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<(), Error>,
    ) -> Result<Appended, Error> {
        let extra = self.routed(Some(name));
        let repo = &self.ctx.repo;
        let tips = || -> Result<Tips, git::Error> {
            let mut tips = self.tips(name);
            // The first look may have been long ago, and every later one follows a lost race.
            let now = Inventory::of_stream(repo, name)?;
            (tips.local, tips.tracking) = (now.local, now.tracking);
            Ok(tips)
        };
        let appended =
            stream::append(repo, name, &self.ctx.writer(), extra.as_ref(), &tips, &mut |ledger, content| {
                self.reconcile(ledger)?;
                decide(ledger, content)?;
                Ok::<_, Error>(sentence(ledger.new_events(), ledger.protocol()))
            })?;
        Ok(appended)
    }

    /// Reads a stream, and writes only if there is something to take over or to record. A repository
    /// that cannot be written is only read.
    ///
    /// # Errors
    ///
    /// [`Error`] if the stream's local tip cannot be read.
    pub fn look(&self, name: &Name) -> Result<Looked, Error> {
        let mut tips = self.tips(name);
        let extra = self.routed(Some(name));
        let view = stream::view(&self.ctx.repo, name, &tips, extra.as_ref())?;
        let now = folded(&view.content, None);
        if view.adopted && self.is_quiet(&now) {
            return Ok(Looked { folded: now, content: view.content, tips, moved: false });
        }
        let mut moved = false;
        match self.refresh(name) {
            Ok(appended) => {
                tips.local = appended.tip;
                moved = appended.moved;
            }
            Err(err) => tracing::debug!(%name, err = super::error_chain(&err), "only read"),
        }
        let view = stream::view(&self.ctx.repo, name, &tips, extra.as_ref())?;
        Ok(Looked { folded: folded(&view.content, None), content: view.content, tips, moved })
    }

    /// Whether git shows nothing that the events do not say.
    fn is_quiet(&self, folded: &Folded) -> bool {
        let Some(protocol) = &folded.protocol else { return true };
        let tips = self.branches.of(protocol, self.inventory.home());
        observe::is_quiet(&self.ctx.repo, protocol, &tips)
    }

    fn reconcile(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        if let Some(protocol) = ledger.protocol() {
            let tips = self.branches.of(protocol, self.inventory.home());
            observe::reconcile(&self.ctx.repo, ledger, &tips, Scope::All, &HashSet::new())?;
        }
        Ok(())
    }

    /// Takes over what is known of a stream and records what git shows of it.
    ///
    /// # Errors
    ///
    /// What keeps the stream from being read or written.
    pub fn refresh(&self, name: &Name) -> Result<Appended, Error> {
        self.append(name, &mut |_, _| Ok(()))
    }

    /// Puts events of protocols that nobody here knows into the project's stream, so that they
    /// are not lost with the drop box. Returns how many were new.
    ///
    /// # Errors
    ///
    /// [`Error`] if the project's stream cannot be written.
    pub fn keep_unknown(&self) -> Result<usize, Error> {
        let names: Vec<Option<Name>> = self.unknown_names().into_iter().map(Some).chain([None]).collect();
        let lines: Vec<Line> = names
            .iter()
            .filter_map(|name| self.routed(name.as_ref()))
            .flat_map(|c| c.lines().to_vec())
            .collect();
        let tracked_more =
            self.inventory.project.tracking.iter().any(|(_, tip)| Some(*tip) != self.inventory.project.local);
        if lines.is_empty() && !tracked_more {
            return Ok(0);
        }
        let repo = &self.ctx.repo;
        let tips = || Inventory::of_project(repo);
        let subject = format!("take over {} reports that name no known protocol", lines.len());
        Ok(stream::append_project(repo, &self.ctx.writer(), &tips, &subject, &mut |known| {
            let new = |line: &&Line| !known.lines().iter().any(|known| known.text == line.text);
            lines.iter().filter(new).cloned().collect()
        })?)
    }
}

/// A stream as it is now.
pub struct Looked {
    pub content: Content,
    /// The fold of the incumbent.
    pub folded: Folded,
    pub tips: Tips,
    /// Whether the look moved the local ref.
    pub moved: bool,
}

/// Returns the state of the incumbent, or of the twin whose creation is `root`.
pub fn folded(content: &Content, root: Option<Ulid>) -> Folded {
    let events: Vec<&Event> = content.lines().iter().map(|line| &line.event).collect();
    fold_refs(&events, &content.decoded_specs(), root)
}
