//! Streams as commands see them: everything fetched is part of what they read, and what they write
//! begins with taking it over.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::branch::Branches;
use super::context::Context;
use super::error::Error;
use super::keep;
use super::observe::{self, Scope};
use super::on_commit;
use crate::domain::event::{Body, Event};
use crate::domain::fold::{Folded, fold_refs};
use crate::domain::id::{Name, Ulid};
use crate::domain::ledger::Ledger;
use crate::domain::sentence;
use crate::platform::git::{self, Signer};
use crate::store::archive::{self, Addition};
use crate::store::content::Content;
use crate::store::inventory::{Inventory, Tips};
use crate::store::stream::{self, Appended, View, Writer};
use crate::store::stubs::Stubs;
use crate::store::tip;

/// All streams of the repository, read once.
pub struct Streams<'a> {
    pub ctx: &'a Context,
    pub inventory: Inventory,
    pub branches: Branches<'a>,
    /// Drop boxes and the project's stream, by the protocol that each event names.
    routed: HashMap<Option<Name>, Content>,
}

impl<'a> Streams<'a> {
    /// Reads all refs, drop boxes and the project's stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed.
    pub fn read(ctx: &'a Context) -> Result<Self, Error> {
        let branches = Branches::read(&ctx.repo)?;
        Ok(Self::with(ctx, Inventory::read(&ctx.repo)?, branches))
    }

    /// As [`Self::read`], with what only archives hold beside what has a stream.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_all(ctx: &'a Context) -> Result<Self, Error> {
        let mut all = Self::read(ctx)?;
        let archived: Vec<Name> = all.inventory.all_archived(&ctx.repo).into_keys().collect();
        all.inventory.add_archived(&ctx.repo, &archived);
        Ok(all)
    }

    /// Reads what is needed for the protocol that `arg` names in full, or for that of the current
    /// branch; everything, if it takes everything to tell which one is meant.
    ///
    /// # Errors
    ///
    /// [`Error`] if `HEAD` or refs cannot be read.
    pub fn for_target(ctx: &'a Context, arg: Option<&str>) -> Result<Self, Error> {
        let name = match arg {
            Some(arg) => arg.parse::<Name>().ok(),
            None => on_commit::current(ctx)?,
        };
        if let Some(name) = name {
            let only = Inventory::only(&ctx.repo, &name)?;
            if only.streams.values().any(|tips| *tips != Tips::default()) {
                return Ok(Self::with(ctx, only, Branches::lazy(&ctx.repo)));
            }
        }
        Self::read(ctx)
    }

    /// Reads what a new stream must keep clear of, but for the refs of the others.
    ///
    /// # Errors
    ///
    /// [`Error`] if refs cannot be listed.
    pub fn for_new(ctx: &'a Context) -> Result<Self, Error> {
        Ok(Self::with(ctx, Inventory::without_tips(&ctx.repo)?, Branches::lazy(&ctx.repo)))
    }

    fn with(ctx: &'a Context, mut inventory: Inventory, branches: Branches<'a>) -> Self {
        let mut routed = inventory.boxed(&ctx.repo);
        match stream::project_view(&ctx.repo, &inventory.project) {
            Ok(project) => {
                for (name, part) in project.content.by_protocol() {
                    routed.entry(name).or_default().unite(&part);
                }
            }
            Err(err) => tracing::warn!(%err, "the project's stream is passed over"),
        }
        let routed_to: Vec<Name> = routed.keys().flatten().cloned().collect();
        inventory.add_archived(&ctx.repo, &routed_to);
        // A protocol whose creation came in a drop box is as known as any other.
        let is_created = |content: &Content| {
            content.lines().iter().any(|line| matches!(line.event.body, Body::Created(_)))
        };
        for (name, _) in routed.iter().filter(|(_, content)| is_created(content)) {
            if let Some(name) = name {
                inventory.streams.entry(name.clone()).or_default();
            }
        }
        Self { ctx, inventory, branches, routed }
    }

    /// Returns what drop boxes and the project's stream hold for `name`; `None` for what names no
    /// protocol.
    pub fn routed(&self, name: Option<&Name>) -> Option<&Content> {
        self.routed.get(&name.cloned())
    }

    /// Returns the protocols of which only archives know, and drop boxes or the project's stream.
    pub fn archived_routed(&self) -> impl Iterator<Item = &Name> {
        self.routed.keys().flatten().filter(|name| {
            let tips = self.inventory.streams.get(*name);
            tips.is_some_and(|tips| tips.local.is_none() && !tips.archived.is_empty())
        })
    }

    /// Returns the names that protocols were given later, each with the name of its stream. The project's
    /// stream holds these events as well, so that nobody has to read every other one for them.
    pub fn renumbered(&self) -> Vec<(Name, Name)> {
        let mut found = Vec::new();
        for (key, content) in self.routed.iter().filter_map(|(name, content)| Some((name.as_ref()?, content)))
        {
            for line in content.lines() {
                if let Body::Renumbered { number, slug } = &line.event.body
                    && let Ok(name) = Name::new(*number, slug)
                {
                    found.push((name, key.clone()));
                }
            }
        }
        found.sort();
        found
    }

    /// Returns the names that only drop boxes or the project's stream know, without a creation.
    pub fn unknown_names(&self) -> Vec<Name> {
        let is_unknown = |name: &&Name| !self.inventory.streams.contains_key(*name);
        let mut names: Vec<Name> = self.routed.keys().flatten().filter(is_unknown).cloned().collect();
        names.sort();
        names
    }

    fn tips(&self, name: &Name) -> Tips {
        self.inventory.tips(&self.ctx.repo, name)
    }

    /// Returns what is known of a stream.
    ///
    /// # Errors
    ///
    /// [`Error`] if its local tip cannot be read.
    pub fn view(&self, name: &Name) -> Result<View, Error> {
        self.view_with(name, &self.tips(name)).map(|(view, _)| view)
    }

    /// As [`Self::view`], with what it was made of beside the stream itself: what is routed to it, and the
    /// stubs of what lies in it and was taken out of its own stream.
    fn view_with(&self, name: &Name, tips: &Tips) -> Result<(View, Option<Cow<'_, Content>>), Error> {
        let repo = &self.ctx.repo;
        let routed = self.routed(Some(name));
        let view = stream::view(repo, name, tips, routed)?;
        let stubs = self.stubs_of_others(name, &view.content)?;
        if stubs.is_empty() {
            return Ok((view, routed.map(Cow::Borrowed)));
        }
        let mut extra = routed.cloned().unwrap_or_default();
        extra.unite(&stubs);
        let view = stream::view(repo, name, tips, Some(&extra))?;
        Ok((view, Some(Cow::Owned(extra))))
    }

    /// Returns the stubs of events in `content` that lie in the stream of `name` and are of other protocols.
    fn stubs_of_others(&self, name: &Name, content: &Content) -> Result<Content, Error> {
        let repo = &self.ctx.repo;
        let mut stubs = Stubs::default();
        for other in content.others_than(name) {
            let tips = Tips { archived: self.tips(other).archived, ..Inventory::of_stream(repo, other)? };
            // Of one that cannot be read nothing is known to be taken out.
            if let Ok(view) = stream::view(repo, other, &tips, self.routed(Some(other))) {
                stubs.add(&view.content);
            }
        }
        Ok(stubs.of(content))
    }

    /// What was taken out of a stream does not stay in the project's, which may have it from where the protocol
    /// was not known yet, nor in its entry in the archive here, which may be older.
    fn take_out_elsewhere(&self, name: &Name, tips: &Tips, content: &Content) {
        let mut stubs = Stubs::default();
        stubs.add(content);
        if stubs.is_empty() {
            return;
        }
        let of_project = self.take_out_of_project(name, &stubs);
        if let Err(err) = of_project.and_then(|()| self.take_out_of_archive(name, tips, content, &stubs)) {
            tracing::debug!(%name, err = super::error_chain(&err), "what was taken out is only read");
        }
    }

    fn take_out_of_project(&self, name: &Name, stubs: &Stubs) -> Result<(), Error> {
        if self.routed(Some(name)).is_none_or(|routed| stubs.of(routed).is_empty()) {
            return Ok(());
        }
        let repo = &self.ctx.repo;
        let (writer, tips) = (self.ctx.writer(), || Inventory::of_project(repo));
        let take_out = &mut |content: &mut Content| content.unite(&stubs.of(content));
        stream::append_project(repo, &writer, &tips, "take a text out", take_out)?;
        Ok(())
    }

    /// The entry takes in all that is known, as whenever it grows, with who took it out.
    fn take_out_of_archive(
        &self,
        name: &Name,
        tips: &Tips,
        known: &Content,
        stubs: &Stubs,
    ) -> Result<(), Error> {
        let repo = &self.ctx.repo;
        let Some((_, entry)) = tips.archived.iter().find(|(holder, _)| holder.is_none()) else {
            return Ok(());
        };
        let mut content = tip::read(repo, *entry)?;
        let holds_none = stubs.of(&content).is_empty();
        content.unite(known);
        if holds_none || !content.may_be_written() {
            return Ok(());
        }
        let fold = |content: &Content| folded(content, None).protocol;
        let tree = tip::write(repo, &content, fold(&content).as_ref())?;
        let subject = format!("take a text out of {name}");
        let addition = Addition { entries: vec![(name.clone(), tree)], subject };
        archive::update(repo, &self.ctx.writer(), &addition, &fold)?;
        Ok(())
    }

    /// Whether all that is known of a protocol, but for `routed`, is in the archive here.
    pub fn is_archived(&self, name: &Name) -> bool {
        let tips = self.tips(name);
        tips.local.is_none()
            && tips.archived.iter().any(|(holder, _)| holder.is_none())
            && stream::view(&self.ctx.repo, name, &tips, None).is_ok_and(|view| view.adopted)
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
        self.append_within(name, Scope::All, None, decide)
    }

    /// As [`Self::append`], with approvals signed by `signer`.
    ///
    /// # Errors
    ///
    /// As [`Self::append`], and if the signer does not sign.
    pub fn append_signed(
        &self,
        name: &Name,
        signer: Option<&Signer>,
        decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<(), Error>,
    ) -> Result<Appended, Error> {
        self.append_within(name, Scope::All, signer, decide)
    }

    fn append_within(
        &self,
        name: &Name,
        scope: Scope,
        signer: Option<&Signer>,
        decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<(), Error>,
    ) -> Result<Appended, Error> {
        self.append_with(name, self.routed(Some(name)), scope, signer, decide)
    }

    fn append_with(
        &self,
        name: &Name,
        extra: Option<&Content>,
        scope: Scope,
        signer: Option<&Signer>,
        decide: &mut dyn FnMut(&mut Ledger<'_>, &mut Content) -> Result<(), Error>,
    ) -> Result<Appended, Error> {
        let repo = &self.ctx.repo;
        let tips = || -> Result<Tips, git::Error> {
            // The first look may have been long ago, and every later one follows a lost race.
            Ok(Tips { archived: self.tips(name).archived, ..Inventory::of_stream(repo, name)? })
        };
        let writer = Writer { signer, ..self.ctx.writer() };
        let appended = stream::append(repo, name, &writer, extra, &tips, &mut |ledger, content| {
            self.reconcile(ledger, content, scope)?;
            decide(ledger, content)?;
            Ok::<_, Error>(sentence::pushed(ledger))
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
        let (view, extra) = self.view_with(name, &tips)?;
        let extra = extra.as_deref();
        let now = folded(&view.content, None);
        self.hold(name, &now);
        self.take_out_elsewhere(name, &tips, &view.content);
        if view.adopted && self.is_quiet(&now) {
            let View { content, set_aside, .. } = view;
            let is_settled = set_aside.is_empty();
            return Ok(Looked { folded: now, content, tips, moved: false, is_settled, set_aside });
        }
        let (mut is_settled, mut moved) = (true, false);
        match self.append_with(name, extra, Scope::All, None, &mut |_, _| Ok(())) {
            Ok(appended) => {
                tips.local = appended.tip;
                moved = appended.moved;
            }
            Err(err) => {
                tracing::debug!(%name, err = super::error_chain(&err), "only read");
                is_settled = false;
            }
        }
        let View { content, set_aside, .. } = stream::view(&self.ctx.repo, name, &tips, extra)?;
        is_settled &= set_aside.is_empty();
        let folded = folded(&content, None);
        if moved {
            self.hold(name, &folded);
        }
        Ok(Looked { content, folded, tips, moved, is_settled, set_aside })
    }

    /// Keeps commits that no branch has any more. A repository that cannot be written is only read.
    fn hold(&self, name: &Name, folded: &Folded) {
        let Some(protocol) = folded.protocol.as_ref().filter(|_| !self.is_archived(name)) else { return };
        let tips = self.branches.of(protocol, self.inventory.home());
        if let Err(err) = keep::hold(&self.ctx.repo, name, protocol, &tips) {
            tracing::debug!(%name, err = super::error_chain(&err), "lost commits are not kept");
        }
    }

    /// Whether git shows nothing that the events do not say.
    fn is_quiet(&self, folded: &Folded) -> bool {
        let Some(protocol) = &folded.protocol else { return true };
        let tips = self.branches.of(protocol, self.inventory.home());
        observe::is_quiet(&self.ctx.repo, protocol, &tips)
    }

    fn reconcile(&self, ledger: &mut Ledger<'_>, content: &mut Content, scope: Scope) -> Result<(), Error> {
        if let Some(protocol) = ledger.protocol() {
            let tips = self.branches.of(protocol, self.inventory.home());
            let both = (ledger, content);
            observe::reconcile(&self.ctx.repo, both, &tips, scope, &BTreeSet::new())?;
        }
        Ok(())
    }

    /// Takes over what is known of a stream and records what git shows of it.
    ///
    /// # Errors
    ///
    /// What keeps the stream from being read or written.
    pub fn refresh(&self, name: &Name) -> Result<Appended, Error> {
        self.refresh_within(name, Scope::All)
    }

    /// As [`Self::refresh`], looking as far as `scope` says.
    ///
    /// # Errors
    ///
    /// What keeps the stream from being read or written.
    pub fn refresh_within(&self, name: &Name, scope: Scope) -> Result<Appended, Error> {
        self.append_within(name, scope, None, &mut |_, _| Ok(()))
    }

    /// Puts events of protocols that nobody here knows into the project's stream, so that they
    /// are not lost with the drop box. Returns how many were new.
    ///
    /// # Errors
    ///
    /// [`Error`] if the project's stream cannot be written.
    pub fn keep_unknown(&self) -> Result<usize, Error> {
        let names = self.unknown_names().into_iter().map(Some).chain([None]);
        let unknown: Vec<&Content> = names.filter_map(|name| self.routed(name.as_ref())).collect();
        let project = &self.inventory.project;
        let tracked_more = project.tracking.iter().any(|(_, tip)| Some(*tip) != project.local);
        if unknown.is_empty() && !tracked_more {
            return Ok(0);
        }
        let repo = &self.ctx.repo;
        let tips = || Inventory::of_project(repo);
        Ok(stream::append_project(
            repo,
            &self.ctx.writer(),
            &tips,
            "take over reports that name no known protocol",
            &mut |content| unknown.iter().for_each(|part| content.unite(part)),
        )?)
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
    /// Whether nothing is left to take over or to record.
    pub is_settled: bool,
    /// What of it could not be taken in, and why.
    pub set_aside: Vec<String>,
}

/// Returns the state of the incumbent, or of the twin whose creation is `root`.
pub fn folded(content: &Content, root: Option<Ulid>) -> Folded {
    let events: Vec<&Event> = content.lines().iter().map(|line| &line.event).collect();
    fold_refs(&events, &content.decoded_specs(), root)
}
