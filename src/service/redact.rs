//! `redact`: takes the text of events out of the state of this clone, for ever.
//!
//! A stub stands for the line from then on, and whoever unites with it drops the line; [another plan](plans) stands
//! for a plan. What remotes and older commits still hold goes by a [purge].

pub mod plans;
pub mod purge;

use std::collections::BTreeSet;

use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use super::{initialised, plan};
use crate::domain::event::{Body, Draft, Event, Redacted};
use crate::domain::id::{Digest, Name, Ulid};
use crate::domain::redact::{self, Known};
use crate::domain::{sentence, text};
use crate::platform::fail;
use crate::store::canon::Value;
use crate::store::content::{Content, Line};
use crate::store::{stream, wire};
use plans::FoundPlan;

/// A text that is shorter says too little to be looked for.
const MIN_TEXT: usize = 6;

/// What is to be taken out.
#[derive(Clone, Debug)]
pub enum Wanted {
    Event(Ulid),
    /// Every line that says this, with the same in JSON.
    Text {
        text: String,
        escaped: String,
    },
}

/// An event whose text goes.
#[derive(Clone, Debug)]
pub struct Found {
    /// `None` for the project's stream.
    pub name: Option<Name>,
    /// The protocol that it is of, if that is known here. Its stream may have it elsewhere.
    home: Option<Name>,
    pub event: Event,
    line: Line,
    stub: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub found: Vec<Found>,
    pub plans: Vec<FoundPlan>,
    /// Where the text lies and stays, and why, a line each.
    pub stays: Vec<String>,
}

impl Wanted {
    /// Returns what a person means: the id of an event, or a text.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the text is so short that it would be found everywhere.
    pub fn parse(what: &str) -> Result<Self, Error> {
        if let Some(id) = wire::parse_ulid(&what.to_ascii_uppercase()) {
            return Ok(Self::Event(id));
        }
        if what.trim().len() < MIN_TEXT {
            return Err(Error::Usage {
                message: format!("a text of fewer than {MIN_TEXT} letters would be found everywhere"),
                hint: Some("name the event instead: git godzilla log --json".to_owned()),
            });
        }
        let quoted = Value::str(what).to_text();
        let escaped = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted).to_owned();
        Ok(Self::Text { text: what.to_owned(), escaped })
    }

    fn is_in(&self, line: &Line) -> bool {
        match self {
            Self::Event(id) => line.event.id == *id,
            Self::Text { escaped, .. } => line.text.contains(escaped.as_str()),
        }
    }

    fn is_secret(&self, text: &str) -> bool {
        matches!(self, Self::Text { text: wanted, .. } if text.contains(wanted.as_str()))
    }

    /// Returns `said` without the text.
    pub fn masked(&self, said: &str) -> String {
        redact::clean(said, &self.known())
    }

    fn known(&self) -> Known {
        match self {
            Self::Event(_) => Known::default(),
            Self::Text { text, .. } => Known::new([text]),
        }
    }
}

impl Found {
    /// Returns the event in a sentence, without what is to go.
    pub fn told(&self, wanted: &Wanted) -> String {
        match wanted {
            Wanted::Event(_) => self.event.body.kind().to_owned(),
            Wanted::Text { .. } => wanted.masked(&sentence::line(&self.event)),
        }
    }
}

/// Looks through everything that is known here. Writes nothing but what a look takes over.
///
/// # Errors
///
/// [`Error`] if a stream cannot be read: it could hold the text.
pub fn look(ctx: &Context, wanted: &Wanted) -> Result<Looked, Error> {
    initialised(ctx)?;
    plan::recover(ctx)?;
    let streams = Streams::read_all(ctx)?;
    let mut looked = Looked::default();
    let archived = streams.inventory.all_archived(&ctx.repo);
    let names: BTreeSet<&Name> = streams.inventory.streams.keys().chain(archived.keys()).collect();
    let unread = |why: &String| format!("{why}; what cannot be read may say it");
    looked.stays.extend(streams.inventory.set_aside.iter().map(unread));
    for name in &names {
        let view = streams.view(name)?;
        looked.stays.extend(view.set_aside.iter().map(|why| unread(&format!("{name}: {why}"))));
        looked.look_at(Some(name), &view.content, wanted, &names);
    }
    let project = stream::project_view(&ctx.repo, &streams.inventory.project)?;
    looked.look_at(None, &project.content, wanted, &names);
    Ok(looked)
}

impl Looked {
    fn look_at(&mut self, name: Option<&Name>, content: &Content, wanted: &Wanted, known: &BTreeSet<&Name>) {
        let label = name.map_or("the project's stream", Name::as_str);
        for line in content.lines().iter().filter(|line| line.event.redacts.is_none()) {
            if !wanted.is_in(line) {
                continue;
            }
            let stub = wire::stub(&line.text, &|text| wanted.is_secret(text));
            match stub {
                Some(stub) if !wanted.is_in_stub(&stub) => {
                    let (line, event) = (line.clone(), line.event.clone());
                    let home = event.protocol.clone().filter(|home| known.contains(home));
                    self.found.push(Found { name: name.cloned(), home, event, line, stub });
                }
                _ => self.stays.push(format!(
                    "{label}: event {} says it where nothing can be taken out, such as in a name",
                    line.event.id
                )),
            }
        }
        self.look_at_plans(name, content, wanted);
    }

    /// Whether there is nothing to take out, and nothing to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.plans.is_empty() && self.stays.is_empty()
    }

    /// Returns the names of the plans that were found, each once.
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.plans.iter().map(|plan| plan.spec).collect()
    }

    /// Returns what is to be taken out of one stream, each line once: what it holds, and what others hold of
    /// it, since a remote may have it there as well. The project's stream is that of unknown protocols.
    fn in_stream(&self, name: Option<&Name>) -> Vec<&Found> {
        let mut seen = BTreeSet::new();
        let is_there = |found: &&Found| found.name.as_ref() == name || found.home.as_ref() == name;
        self.found.iter().filter(is_there).filter(|found| seen.insert(&*found.line.text)).collect()
    }

    /// Returns the ids of the events that were found, each once.
    pub fn ids(&self) -> Vec<Ulid> {
        let mut ids: Vec<Ulid> = self.found.iter().map(|found| found.event.id).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

impl Wanted {
    fn is_in_stub(&self, stub: &str) -> bool {
        matches!(self, Self::Text { escaped, .. } if stub.contains(escaped.as_str()))
    }
}

/// Puts stubs and other plans in the place of what was found, and records who did.
///
/// When this returns, they are in the local refs, and no commit that will be pushed leads to what they
/// stand for unless the remote has it already. Commits that were there before still hold it, see [`purge`].
///
/// # Errors
///
/// [`Error`] if a stream cannot be written; those that were written stay so, and it can be done again.
pub fn redact(ctx: &Context, looked: &Looked, wanted: &Wanted, reason: Option<&str>) -> Result<(), Error> {
    let reason = reason.map(|reason| text::clip(&text::one_line(reason), 1000));
    if reason.as_ref().is_some_and(|reason| wanted.is_secret(reason)) {
        return Err(Error::Usage {
            message: "the reason says what is to be taken out".to_owned(),
            hint: None,
        });
    }
    let lines = looked.found.iter().flat_map(|found| [found.name.as_ref(), found.home.as_ref()]);
    let plans = looked.plans.iter().map(|plan| plan.name.as_ref());
    for name in lines.chain(plans).collect::<BTreeSet<Option<&Name>>>() {
        let plans: Vec<&FoundPlan> = looked.plans.iter().filter(|plan| plan.name.as_ref() == name).collect();
        let lines = looked.in_stream(name);
        match name {
            Some(name) => of_stream(ctx, name, (&lines, &plans), reason.as_ref())?,
            None => plans::of_project(ctx, (&lines, &plans), reason.as_ref())?,
        }
    }
    Ok(())
}

fn of_stream(
    ctx: &Context,
    name: &Name,
    (lines, plans): (&[&Found], &[&FoundPlan]),
    reason: Option<&String>,
) -> Result<(), Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    let appended = streams.append(name, &mut |ledger, content| {
        for plan in plans {
            plan.take_out(ledger, content, reason);
        }
        for found in lines {
            content.add_raw(found.stub.as_bytes());
            let body = Redacted { event: found.event.id, line: found.line.digest(), reason: reason.cloned() };
            let root = found.event.root.or_else(|| ledger.protocol().map(|protocol| protocol.root));
            ledger.push_of(root, Draft::new(Body::Redacted(body)));
        }
        content.normalize();
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    fail::point("redact.stream");
    Ok(())
}
