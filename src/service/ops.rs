//! The commands that recorded events, over all streams.

use std::collections::BTreeMap;

use super::error::Error;
use super::streams::{Streams, folded};
use crate::domain::event::{Actor, Body, Event};
use crate::domain::fold::Folded;
use crate::domain::id::{Name, Ulid};
use crate::domain::sentence;
use crate::domain::undo::Told;
use crate::store::content::Content;

/// The letters of an id that are shown where they name one command only: its time and a little of
/// its chance.
const SHORT: usize = 13;

/// What is known of one stream, and what it means.
pub struct Stream {
    pub name: Name,
    pub content: Content,
    pub events: Vec<Event>,
    pub folded: Folded,
}

impl Stream {
    pub fn told(&self) -> Told<'_> {
        Told::new(&self.events, &self.folded)
    }
}

/// A command that recorded events.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked by itself")]
pub struct Op {
    pub id: Ulid,
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    pub actor: Actor,
    /// What it did, for people.
    pub command: String,
    /// The protocols that it is about.
    pub names: Vec<Name>,
    /// What it recorded, stream by stream in fold order.
    pub events: Vec<Ulid>,
    /// Whether all that can be taken back of it was.
    pub undone: bool,
    /// Whether something other than an undo counts that can be taken back.
    pub(super) has_standing: bool,
    /// Whether all that it decided was set aside, since it does not fit to what others did.
    pub(super) is_idle: bool,
    /// Whether an undo of something else than undos counts.
    pub(super) has_undo: bool,
}

impl Op {
    /// Whether `text` begins its id.
    pub fn is_named_by(&self, text: &str) -> bool {
        !text.is_empty() && self.id.to_string().starts_with(&text.to_ascii_uppercase())
    }
}

/// Returns what is known of every stream, or of the one that is named. What cannot be read is left
/// out, as `list` says.
pub fn streams(streams: &Streams<'_>, only: Option<&Name>) -> Vec<Stream> {
    // One that is named may be archived.
    let mut names: Vec<&Name> = match only {
        Some(name) => vec![name],
        None => streams.inventory.streams.keys().collect(),
    };
    names.sort_by_key(|name| (name.number(), name.as_str().to_owned()));
    let read = |name: &Name| -> Result<Stream, Error> {
        let content = streams.view(name)?.content;
        let folded = folded(&content, None);
        Ok(Stream { name: name.clone(), events: content.events(), folded, content })
    };
    let tried = names.into_iter().map(|name| (name, read(name)));
    tried
        .filter_map(|(name, stream)| {
            stream.inspect_err(|err| tracing::warn!(%name, %err, "a stream is passed over")).ok()
        })
        .collect()
}

/// Returns the commands that recorded events in `streams`, the oldest first.
pub fn ops(streams: &[Stream]) -> Vec<Op> {
    let mut by_op: BTreeMap<Ulid, Vec<(usize, usize)>> = BTreeMap::new();
    for (stream_idx, stream) in streams.iter().enumerate() {
        for (idx, event) in stream.events.iter().enumerate() {
            if let Some(op) = event.op {
                by_op.entry(op).or_default().push((stream_idx, idx));
            }
        }
    }
    by_op.into_iter().filter_map(|(id, places)| op(streams, id, &places)).collect()
}

fn op(streams: &[Stream], id: Ulid, places: &[(usize, usize)]) -> Option<Op> {
    let events: Vec<&Event> = places.iter().map(|(stream, idx)| &streams[*stream].events[*idx]).collect();
    let mut names: Vec<Name> = places.iter().map(|(stream, _)| streams[*stream].name.clone()).collect();
    names.dedup();
    let mut ids: Vec<Ulid> = Vec::new();
    for event in &events {
        if !ids.contains(&event.id) {
            ids.push(event.id);
        }
    }
    let touched: Vec<&Stream> = streams.iter().filter(|stream| names.contains(&stream.name)).collect();
    let find = |id: Ulid| touched.iter().find_map(|stream| stream.events.iter().find(|event| event.id == id));
    let command = sentence::command(&events, &find);
    let (mut has_standing, mut has_undo, mut n_undone, mut n_takeable) = (false, false, 0, 0);
    // What else an undo records goes with it: a plan that is taken back is cancelled.
    let takes_back = events.iter().any(|event| matches!(event.body, Body::Undo { .. }));
    let mut is_idle = false;
    for stream in &touched {
        let told = stream.told();
        let own = places.iter().map(|(stream, idx)| (&streams[*stream].name, *idx));
        let own: Vec<usize> = own.filter(|(name, _)| **name == stream.name).map(|(_, idx)| idx).collect();
        is_idle |= told.idle(&own).is_some();
        for idx in told.takeable_of(&own) {
            n_takeable += 1;
            n_undone += usize::from(told.is_undone(idx));
            let is_undo = matches!(stream.events[idx].body, Body::Undo { .. });
            if told.is_standing(idx) {
                has_standing |= !takes_back;
                has_undo |= is_undo && told.is_first_undo(idx);
            }
        }
    }
    Some(Op {
        id,
        at_ms: id.timestamp_ms(),
        actor: Actor::clone(&events.first()?.actor),
        command,
        names,
        events: ids,
        undone: n_takeable > 0 && n_undone == n_takeable,
        has_standing,
        is_idle: is_idle && !has_standing && n_undone == 0,
        has_undo,
    })
}

/// Returns how many letters of an id tell the commands apart.
pub fn short_len(ops: &[Op]) -> usize {
    let ids: Vec<String> = ops.iter().map(|op| op.id.to_string()).collect();
    // They are sorted, so only neighbours can share a beginning.
    let shared = |pair: &[String]| {
        pair[0].bytes().zip(pair[1].bytes()).take_while(|(left, right)| left == right).count()
    };
    ids.windows(2).map(|pair| shared(pair) + 1).max().unwrap_or(0).max(SHORT)
}
