//! Plans that say what is to be taken out: another one without it stands for each.
//!
//! Events go on naming the old plan, which nobody keeps, and who looks it up finds the new one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Looked, Wanted};
use crate::domain::event::Event;
use crate::domain::id::{Digest, Name};
use crate::domain::ledger::Ledger;
use crate::domain::spec::Specs;
use crate::domain::text;
use crate::platform::fail;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::Streams;
use crate::store::content::{Content, Line};
use crate::store::inventory::Inventory;
use crate::store::{spec, stream};

/// A plan that says it.
#[derive(Clone, Debug)]
pub struct FoundPlan {
    /// Whose stream holds it; `None` for the project's.
    pub name: Option<Name>,
    pub spec: Digest,
    /// The plan that is to stand for it.
    pub instead: Digest,
    /// What that one says.
    text: String,
}

impl Looked {
    pub(super) fn look_at_plans(&mut self, name: Option<&Name>, content: &Content, wanted: &Wanted) {
        let Wanted::Text { text: secret, escaped } = wanted else { return };
        let label = name.map_or("the project's stream", Name::as_str);
        for (digest, said) in content.specs.iter().filter(|(_, said)| said.contains(escaped.as_str())) {
            let without = spec::take_out(said, secret);
            if let Some((instead, text)) = without.filter(|(_, text)| !text.contains(escaped.as_str())) {
                self.plans.push(FoundPlan { name: name.cloned(), spec: *digest, instead, text });
                continue;
            }
            let digest = text::clip(&digest.to_string(), 12);
            self.stays.push(format!(
                "{label}: the plan {digest} says it where nothing can be taken out, such as in the name of a step"
            ));
        }
        if name.is_some() && self.plans.iter().any(|found| found.name.as_ref() == name) {
            self.stays.push(format!(
                "{label}: the plan's files on the branch, whose history is yours to rewrite; no plan takes it from \
                 them again"
            ));
        }
    }
}

impl FoundPlan {
    /// Lets the other plan stand for it, unless somebody was faster.
    pub(super) fn take_out(&self, ledger: &mut Ledger<'_>, content: &mut Content, reason: Option<&String>) {
        if content.specs.contains_key(&self.spec) {
            let (was, now, text) = (self.spec, self.instead, self.text.clone());
            stream::let_stand(ledger, content, (was, now, text), None, reason);
        }
    }

    /// As [`Self::take_out`], in the project's stream, for every protocol that names it there.
    pub(super) fn take_out_of_project(&self, ctx: &Context, content: &mut Content, reason: Option<&String>) {
        let names = |event: &&Event| event.body.spec() == Some(self.spec);
        let events = content.events();
        let named: BTreeSet<Name> =
            events.iter().filter(names).filter_map(|it| it.protocol.clone()).collect();
        for name in named {
            let own = events.iter().filter(|event| event.protocol.as_ref() == Some(&name)).cloned().collect();
            let mut ledger = Ledger::new(name, own, Specs::default(), ctx.writer().author);
            self.take_out(&mut ledger, content, reason);
            for event in ledger.new_events() {
                content.add(Line::new(event.clone()));
            }
        }
    }
}

/// Lets what stands for a plan anywhere stand for it in every stream that holds that plan: a protocol may have been
/// copied to another name by a clone that had not heard of it. Plans that say again what was taken out go too.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read or written.
pub(super) fn everywhere(ctx: &Context) -> Result<(), Error> {
    let streams = Streams::read_all(ctx)?;
    let archived = streams.inventory.all_archived(&ctx.repo);
    let names: BTreeSet<&Name> = streams.inventory.streams.keys().chain(archived.keys()).collect();
    let mut contents = Vec::new();
    for name in names {
        // What cannot be read is told by the look that comes before, and nothing can be written to it.
        contents.extend(streams.view(name).ok().map(|view| (Some(name), view.content)));
    }
    contents.push((None, stream::project_view(&ctx.repo, &streams.inventory.project)?.content));
    let standing: BTreeMap<Digest, (Digest, String)> = contents
        .iter()
        .flat_map(|(_, content)| content.standing())
        .map(|(was, now, text)| (was, (now, text.clone())))
        .collect();
    for (name, content) in &contents {
        let mut found: Vec<FoundPlan> = content.said_again().into_iter().map(FoundPlan::said_again).collect();
        for spec in content.specs.keys() {
            let other = standing.get(spec).filter(|(now, _)| now != spec);
            found.extend(other.map(|(now, text)| FoundPlan::said_again((*spec, *now, text.clone()))));
        }
        let found: Vec<&FoundPlan> = found.iter().collect();
        match name {
            _ if found.is_empty() => (),
            Some(name) => super::of_stream(ctx, name, (&[], &found), None)?,
            None => of_project(ctx, (&[], &found), None)?,
        }
    }
    Ok(())
}

impl FoundPlan {
    fn said_again((spec, instead, text): (Digest, Digest, String)) -> Self {
        Self { name: None, spec, instead, text }
    }
}

/// Takes texts out of the project's stream.
pub(super) fn of_project(
    ctx: &Context,
    (lines, plans): (&[&super::Found], &[&FoundPlan]),
    reason: Option<&String>,
) -> Result<(), Error> {
    let repo = &ctx.repo;
    let tips = || Inventory::of_project(repo);
    let add = &mut |content: &mut Content| {
        for found in lines {
            content.add_raw(found.stub.as_bytes());
        }
        for plan in plans {
            plan.take_out_of_project(ctx, content, reason);
        }
    };
    stream::append_project(repo, &ctx.writer(), &tips, "take a text out", add)?;
    fail::point("redact.project");
    Ok(())
}
