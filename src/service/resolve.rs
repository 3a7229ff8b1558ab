//! What a name on the command line means.

use super::error::Error;
use super::list::twin_name;
use super::on_commit;
use super::streams::{Streams, folded};
use crate::domain::id::{Name, StepId, Ulid};
use crate::domain::state::Protocol;
use crate::domain::text;
use crate::store::inventory::Tips;

/// A protocol that was named, or that the current branch belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: Name,
    /// The twin that was meant; `None` for the incumbent.
    pub root: Option<Ulid>,
}

/// Returns the protocol that `arg` names: its full name, its number, a twin's name; without `arg`
/// the protocol of the current branch.
///
/// # Errors
///
/// [`Error::Unknown`] with near misses, [`Error::Ambiguous`] with the candidates.
pub fn protocol(streams: &Streams<'_>, arg: Option<&str>) -> Result<Target, Error> {
    let names: Vec<&Name> = streams.inventory.streams.keys().collect();
    let Some(arg) = arg else {
        return current(streams)?.map(|name| Target { name, root: None }).ok_or_else(|| Error::Ambiguous {
            message: "this is not the branch of a protocol, so say which one".to_owned(),
            candidates: names.iter().map(ToString::to_string).collect(),
        });
    };
    if let Some((base, suffix)) = arg.split_once('~') {
        return twin(streams, arg, base, suffix);
    }
    let (repo, inventory) = (&streams.ctx.repo, &streams.inventory);
    let number = arg.parse::<u64>().ok();
    let is_named = |name: &&&Name| number.map_or(name.as_str() == arg, |number| name.number() == number);
    let mut found: Vec<Name> = names.iter().filter(is_named).copied().cloned().collect();
    found.extend(inventory.archived_as(repo, arg));
    found.sort();
    found.dedup();
    if let Some(number) = number.filter(|_| found.len() > 1) {
        found = still_numbered(streams, number, found)?;
    }
    match found.as_slice() {
        [name] => {
            is_read(streams, name)?;
            Ok(Target { name: name.clone(), root: None })
        }
        [] => {
            if let Some(name) = renumbered(streams, arg)? {
                return Ok(Target { name, root: None });
            }
            if let Some(why) = inventory.set_aside.first() {
                return Err(unread(
                    &format!("nothing here is called `{}`", text::clip(&text::one_line(arg), 80)),
                    why,
                ));
            }
            let archived = inventory.all_archived(repo);
            let known = names.into_iter().chain(archived.keys());
            Err(unknown("protocol", arg, known.map(Name::as_str)))
        }
        several => Err(Error::Ambiguous {
            message: format!("`{arg}` names several protocols"),
            candidates: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Refuses a protocol of which nothing can be read: what an archive or a remote holds of it may not be here.
fn is_read(streams: &Streams<'_>, name: &Name) -> Result<(), Error> {
    let is_local = streams.inventory.streams.get(name).is_some_and(|tips| tips.local.is_some());
    if is_local {
        return Ok(());
    }
    let view = streams.view(name)?;
    match view.set_aside.first().filter(|_| view.content.lines().is_empty()) {
        Some(why) => Err(unread(&format!("nothing of {name} can be read"), why)),
        None => Ok(()),
    }
}

fn unread(what: &str, why: &str) -> Error {
    Error::state("protocol.unread", format!("{what}: {why}"), "git godzilla sync")
}

/// Returns those of several streams with a number in their names that are still shown under it; all, if none is.
fn still_numbered(streams: &Streams<'_>, number: u64, found: Vec<Name>) -> Result<Vec<Name>, Error> {
    let gone: Vec<Name> = streams.renumbered().into_iter().map(|(_, key)| key).collect();
    let mut still = Vec::new();
    for name in &found {
        let shown = || -> Result<Option<u64>, Error> {
            let protocol = folded(&streams.view(name)?.content, None).protocol;
            Ok(protocol.map(|protocol| protocol.created.number))
        };
        if !gone.contains(name) || shown()? == Some(number) {
            still.push(name.clone());
        }
    }
    Ok(if still.is_empty() { found } else { still })
}

/// Returns the protocol that has, or had, a name which is not that of its stream.
fn renumbered(streams: &Streams<'_>, arg: &str) -> Result<Option<Name>, Error> {
    let number = arg.parse::<u64>().ok();
    let is_meant = |name: &Name| name.as_str() == arg || number == Some(name.number());
    for (given, key) in streams.renumbered() {
        if is_meant(&given) && streams.inventory.tips(&streams.ctx.repo, &key) != Tips::default() {
            let protocol = folded(&streams.view(&key)?.content, None).protocol;
            if protocol.is_some_and(|protocol| protocol.names.iter().any(is_meant)) {
                return Ok(Some(key));
            }
        }
    }
    Ok(None)
}

fn twin(streams: &Streams<'_>, arg: &str, base: &str, suffix: &str) -> Result<Target, Error> {
    let missing = || unknown("protocol", arg, std::iter::empty());
    let Target { name, .. } = protocol(streams, Some(base))?;
    let view = streams.view(&name)?;
    let folded = folded(&view.content, None);
    let wanted = format!("{name}~{}", suffix.to_lowercase());
    let is_wanted = |root: &Ulid| twin_name(&name, *root) == wanted;
    if let Some(moved) = folded.moved.into_iter().find(|moved| is_wanted(&moved.root)) {
        return protocol(streams, Some(moved.to.as_str()));
    }
    let root = folded.twins.into_iter().find(is_wanted).ok_or_else(missing)?;
    Ok(Target { name, root: Some(root) })
}

/// Returns the protocol that the current branch belongs to.
///
/// # Errors
///
/// [`Error`] if `HEAD` is damaged.
pub fn current(streams: &Streams<'_>) -> Result<Option<Name>, Error> {
    let inventory = &streams.inventory;
    let is_known = |name: &Name| {
        let archived = || inventory.archived_as(&streams.ctx.repo, name.as_str());
        inventory.streams.contains_key(name) || !archived().is_empty()
    };
    Ok(on_commit::current(streams.ctx)?.filter(is_known))
}

/// Returns the step of `protocol` that `arg` names: its id or its number; without `arg` the
/// current step.
///
/// # Errors
///
/// [`Error::Unknown`] with near misses, or [`Error::State`] if no step is current.
pub fn step(protocol: &Protocol, arg: Option<&str>) -> Result<StepId, Error> {
    let name = protocol.name();
    let Some(arg) = arg else {
        return protocol.current_step().map(|step| step.id.clone()).ok_or_else(|| {
            Error::state(
                "step.none",
                format!("every step of {name} is settled"),
                format!("git godzilla show {name}"),
            )
        });
    };
    let number = arg.bytes().all(|b| b.is_ascii_digit()).then(|| arg.parse::<u64>().ok()).flatten();
    let found = protocol.steps.iter().find(|step| match number {
        Some(number) => step.id.number() == number,
        None => step.id.as_str() == arg,
    });
    found
        .map(|step| step.id.clone())
        .ok_or_else(|| unknown("step", arg, protocol.steps.iter().map(|step| step.id.as_str())))
}

pub(super) fn unknown<'n>(what: &'static str, text: &str, names: impl Iterator<Item = &'n str>) -> Error {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| {
            let slug = name.split_once('-').map_or(name, |(_, slug)| slug);
            let distance =
                strsim::damerau_levenshtein(text, name).min(strsim::damerau_levenshtein(text, slug));
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= 3.max(name.len() / 3))
        .collect();
    near.sort_unstable();
    let near = near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect();
    let text = text::clip(&text::one_line(text), 80);
    Error::Unknown { what, text, near }
}
