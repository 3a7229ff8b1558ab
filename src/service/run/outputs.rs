//! What a run leaves behind beside its changes: its last words, and the files that its step declares.

use super::work::Did;
use crate::domain::event::{Body, Draft};
use crate::domain::id::{Name, Oid};
use crate::domain::redact::{self, Known};
use crate::domain::run::{Artifact, RunStatus};
use crate::domain::state::Step;
use crate::domain::step_file::boxes;
use crate::domain::text;
use crate::engine::Outcome;
use crate::platform::git::{Repo, TreeEntry};
use crate::platform::{env, fs};
use crate::service::ask::Asked;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::Streams;
use crate::service::workplace::Workplace;
use crate::store::content::sha256;

/// The longest last words that are kept, in characters.
const MAX_WORDS: usize = 60_000;

/// Checks that last words can be kept, before anybody is paid for them.
///
/// # Errors
///
/// [`Error::State`] with what lies in their place.
pub(super) fn check_folder(place: &Workplace, name: &Name, step: &Step) -> Result<(), Error> {
    let folder = place.folder_of(name)?.join("outputs");
    let file = folder.join(format!("{}.md", step.id));
    let is_free = folder.symlink_metadata().is_err() || fs::is_real_dir(&folder);
    let fits = file.symlink_metadata().map_or(true, |meta| meta.is_file());
    if is_free && fits {
        return Ok(());
    }
    let what = if is_free { file } else { folder };
    let message = format!("{} lies where the last words of the run go", what.display());
    Err(Error::state(
        "run.outputs",
        message,
        format!("git rm -r --cached '{0}'; rm -r '{0}'", what.display()),
    ))
}

/// Makes of a success none whose step declares files that are not there.
pub(super) fn check(place: &Workplace, name: &Name, step: &Step, did: &Did, outcome: &mut Outcome) {
    if outcome.status != RunStatus::Succeeded || !did.did_something() {
        return;
    }
    let missing: Vec<String> = declared(name, step)
        .filter(|(_, path)| !did.tree_now().is_some_and(|tree| is_file(&place.repo, tree, path)))
        .map(|(output, path)| format!("{output} ({path})"))
        .collect();
    if !missing.is_empty() {
        outcome.status = RunStatus::Schema;
        outcome.text = format!("the step is to leave files that are not there: {}", missing.join(", "));
    }
}

/// Puts the last words of a run into the folder of outputs: into the worktree, and into `tree`. Returns the
/// tree with them.
pub(super) fn keep_words(
    place: &Workplace,
    name: &Name,
    step: &Step,
    asked: &Asked,
    tree: Oid,
) -> Result<Oid, Error> {
    let known = Known::new(env::secrets());
    let said = redact::clean(&text::multi_line(&asked.outcome.text), &known);
    let said = text::clip(said.trim(), MAX_WORDS);
    if said.is_empty() {
        return Ok(tree);
    }
    let by = text::one_line(&asked.engine);
    let words = format!("# {}\n\nRun {} by {by} said:\n\n{said}\n", text::one_line(&step.title), asked.run);
    let folder = place.folder_of(name)?.join("outputs");
    // A link would lead what is written out of the worktree.
    if folder.symlink_metadata().is_ok() && !fs::is_real_dir(&folder) {
        return Err(Error::state("run.outputs", format!("{} is no folder", folder.display()), ""));
    }
    let file = format!("{}.md", step.id);
    fs::replace_file(&folder.join(&file), words.as_bytes(), false)
        .map_err(Error::io("write what was said"))?;
    let blob = TreeEntry::blob("", place.repo.write_blob(words.as_bytes())?);
    let path = format!(".protocols/{name}/outputs/{file}");
    Ok(place.repo.tree_with(Some(tree), &path, Some(blob))?)
}

/// Records what a run has left, out of the tree that is committed. Again it records nothing.
///
/// # Errors
///
/// [`Error`] if the stream cannot be written.
pub(super) fn record(
    ctx: &Context,
    repo: &Repo,
    name: &Name,
    step: &Step,
    asked: &Asked,
    tree: Oid,
) -> Result<(), Error> {
    let found = artifacts(repo, name, step, asked, tree)?;
    if found.is_empty() {
        return Ok(());
    }
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    streams.append(name, &mut |ledger, _| {
        let Some(protocol) = ledger.protocol() else { return Ok(()) };
        let attempt = protocol.step(&step.id).map(|step| step.attempt);
        let run = protocol.runs.iter().find(|run| run.started.run == asked.run);
        let known: Vec<String> =
            run.iter().flat_map(|run| &run.artifacts).map(|artifact| artifact.name.clone()).collect();
        for artifact in found.iter().filter(|artifact| !known.contains(&artifact.name)) {
            let body = Body::ArtifactAdded(artifact.clone());
            ledger.push(Draft { step: Some(step.id.clone()), attempt, ..Draft::new(body) });
        }
        Ok(())
    })?;
    Ok(())
}

fn artifacts(
    repo: &Repo,
    name: &Name,
    step: &Step,
    asked: &Asked,
    tree: Oid,
) -> Result<Vec<Artifact>, Error> {
    let words = ("output".to_owned(), format!(".protocols/{name}/outputs/{}.md", step.id));
    let mut found = Vec::new();
    for (kind, (output, path)) in
        [("protocol_output", words)].into_iter().chain(declared(name, step).map(|it| ("aux_output", it)))
    {
        let Some(entry) = repo.tree_path(tree, &path)?.filter(|entry| !entry.is_tree()) else { continue };
        let bytes = repo.blob(entry.oid)?;
        found.push(Artifact {
            run: asked.run,
            name: output,
            kind: kind.to_owned(),
            path,
            sha256: sha256(&bytes).to_string(),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        });
    }
    Ok(found)
}

/// Returns what to say about boxes of a step that are still open in a commit; nothing if there is none.
pub(super) fn open_boxes(
    repo: &Repo,
    name: &Name,
    step: &Step,
    commit: Oid,
) -> Result<Option<String>, Error> {
    let path = format!(".protocols/{name}/{}", step.file);
    let text = repo.text_at(repo.tree_of(commit)?, &path)?.unwrap_or_default();
    let open = boxes(&text).open;
    Ok((open > 0).then(|| {
        let what = if open == 1 { "a box is".to_owned() } else { format!("{open} boxes are") };
        format!("the engine says that it is done, and {what} still open in {path}")
    }))
}

/// Returns the files that a step declares, by name, as paths in the tree.
fn declared<'a>(name: &'a Name, step: &'a Step) -> impl Iterator<Item = (String, String)> + 'a {
    let outputs = step.more.iter().flat_map(|more| &more.outputs);
    outputs.map(move |(output, path)| (output.clone(), format!(".protocols/{name}/{path}")))
}

fn is_file(repo: &Repo, tree: Oid, path: &str) -> bool {
    repo.tree_path(tree, path).ok().flatten().is_some_and(|entry| !entry.is_tree())
}
