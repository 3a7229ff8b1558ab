//! The end of the play: what must be true of both clones.

use serde_json::Value;

use super::Error;
use super::play::PROTOCOL;
use super::stage::{Person, Stage};

/// The fields that clones need not agree on.
const LOCAL: &[&str] = &["worktree", "unshared_events"];

/// Checks that both clones show one completed protocol and hold the same
/// events, some of which a hook wrote; returns how many.
pub(super) fn check(stage: &Stage<'_>, ada: &Person, bob: &Person) -> Result<usize, Error> {
    let (mine, theirs) = (shown(stage, ada)?, shown(stage, bob)?);
    if let Some(key) = differing(&mine, &theirs) {
        let (mine, theirs) = (&mine[key.as_str()], &theirs[key.as_str()]);
        return Err(Error::Differs(format!("`{key}` is {mine} for ada and {theirs} for bob")));
    }
    if mine["status"] != "completed" {
        return Err(Error::Differs(format!("the protocol is {} and not completed", mine["status"])));
    }
    let (mine, theirs) = (ids(stage, ada)?, ids(stage, bob)?);
    if mine != theirs {
        return Err(Error::Differs(format!("ada holds {} events and bob {}", mine.len(), theirs.len())));
    }
    if !log(stage, ada)?.iter().any(|event| event["actor"]["kind"] == "hook") {
        return Err(Error::Differs("no hook wrote an event".to_owned()));
    }
    Ok(mine.len())
}

fn shown(stage: &Stage<'_>, person: &Person) -> Result<Value, Error> {
    let text = stage.ask(person, &["show", PROTOCOL, "--json"])?;
    let mut document: Value = serde_json::from_str(&text)
        .map_err(|err| Error::Differs(format!("`show --json` is no JSON: {err}")))?;
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|key, _| !LOCAL.contains(&key.as_str()));
    }
    Ok(document)
}

fn differing(mine: &Value, theirs: &Value) -> Option<String> {
    let (Some(mine), Some(theirs)) = (mine.as_object(), theirs.as_object()) else {
        return (mine != theirs).then(|| "schema".to_owned());
    };
    mine.keys().chain(theirs.keys()).find(|key| mine.get(*key) != theirs.get(*key)).cloned()
}

fn ids(stage: &Stage<'_>, person: &Person) -> Result<Vec<String>, Error> {
    let events = log(stage, person)?;
    Ok(events.iter().filter_map(|event| event["id"].as_str().map(str::to_owned)).collect())
}

fn log(stage: &Stage<'_>, person: &Person) -> Result<Vec<Value>, Error> {
    let text = stage.ask(person, &["log", PROTOCOL, "--json"])?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
