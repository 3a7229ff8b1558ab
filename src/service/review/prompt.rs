//! What a reviewer is told.

use std::fmt::Write as _;

use super::Subject;
use crate::domain::event::GateResult;
use crate::domain::id::Oid;
use crate::domain::prompt::Values;
use crate::domain::spec::QaPolicy;
use crate::domain::text;
use crate::platform::git::Repo;
use crate::service::ask::Prompt;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::prompts;

/// How much of a file of the plan is told, in characters.
const MAX_FILE: usize = 40_000;

/// How much of the changes is told, in bytes.
const MAX_DIFF: usize = 200_000;

/// A file that is larger is named, and its changes are not told.
const MAX_CHANGED_FILE: u64 = 200_000;

/// How much is compared at all, in bytes of the files.
const MAX_COMPARED: u64 = 4_000_000;

/// How many files are named.
const MAX_FILES: usize = 500;

/// Returns the prompt of a review, and why the project's own one is not used if that is so.
///
/// # Errors
///
/// [`Error`] if the branch cannot be read.
pub(super) fn of(ctx: &Context, subject: &Subject<'_>) -> Result<(Prompt, Option<String>), Error> {
    let (repo, name, step) = (&subject.place.repo, subject.name, subject.step);
    let tree = repo.tree_of(subject.place.head)?;
    let file = |file: &str| -> Result<String, Error> {
        let said = repo.text_at(tree, &format!(".protocols/{name}/{file}"))?;
        Ok(text::clip(&said.unwrap_or_default(), MAX_FILE))
    };
    let depth = if step.qa == QaPolicy::Light {
        "Keep it brief: look for what must be mended before anybody goes on, and leave the rest."
    } else {
        "Be thorough: read every change, and what depends on it."
    };
    let (from, to) = range(repo, subject)?;
    let (files, diff) = changes(repo, from, to)?;
    let values = Values::default()
        .word("protocol", name)
        .quote("title", &subject.protocol.created.title)
        .word("step", &step.id)
        .quote("step_title", &step.title)
        .word("depth", depth)
        .data("plan", "the plan", &file("plan.md")?)
        .data("context", "the context", &file("context.md")?)
        .data("log", "the log", &file("log.md")?)
        .data("step_file", "the step file", &file(&step.file)?)
        .data("gates", "what the gates said", &gates(&subject.verdict.gates))
        .data("status", "what is not committed", &status(repo, subject.verdict.dirty))
        .data("files", "the files that changed", &files)
        .data("diff", "the changes of the step", &format!("{files}\n{diff}"));
    let rendered = prompts::render(ctx, "quality-validator", Some(subject.judges.base), &values)?;
    Ok((rendered.prompt, rendered.notice))
}

/// Returns what the step's commits lie between: what came before its first one, and its newest.
fn range(repo: &Repo, subject: &Subject<'_>) -> Result<(Oid, Oid), Error> {
    let commits = &subject.step.commits;
    let base = subject.protocol.created.base_commit;
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
        return Ok((repo.tree_of(base)?, repo.tree_of(subject.place.head)?));
    };
    let parent = repo.commit(*first).ok().and_then(|commit| commit.parents.first().copied());
    Ok((repo.tree_of(parent.unwrap_or(base))?, repo.tree_of(*last)?))
}

/// Returns the files that differ between two trees, one a line, and how they do, as far as that is short.
fn changes(repo: &Repo, from: Oid, to: Oid) -> Result<(String, String), Error> {
    let paths = repo.paths_changed(from, to)?;
    let mut files = String::new();
    let mut told = Vec::new();
    let mut n_bytes = 0;
    for (idx, path) in paths.iter().enumerate() {
        if idx == MAX_FILES {
            // Writing to a `String` cannot fail.
            writeln!(files, "… and {} more", paths.len() - idx).ok();
            break;
        }
        let Ok(name) = std::str::from_utf8(path) else {
            writeln!(files, "{} (its name is no text)", text::one_line(&String::from_utf8_lossy(path))).ok();
            continue;
        };
        let size = size_at(repo, from, name).saturating_add(size_at(repo, to, name));
        if size > MAX_CHANGED_FILE || n_bytes + size > MAX_COMPARED {
            writeln!(files, "{} ({size} bytes; look at it yourself)", text::one_line(name)).ok();
            continue;
        }
        n_bytes += size;
        told.push(name);
        writeln!(files, "{}", text::one_line(name)).ok();
    }
    let mut diff = if told.is_empty() { String::new() } else { repo.diff_of(from, to, &told)? };
    if diff.len() > MAX_DIFF {
        let end = diff.floor_char_boundary(MAX_DIFF);
        let end = diff[..end].rfind('\n').map_or(end, |at| at + 1);
        let n_cut = diff.len() - end;
        diff.truncate(end);
        writeln!(diff, "(cut: {n_cut} more bytes; look at the files yourself)").ok();
    }
    Ok((files, diff))
}

fn size_at(repo: &Repo, tree: Oid, path: &str) -> u64 {
    let entry = repo.tree_path(tree, path).ok().flatten();
    entry.and_then(|entry| repo.blob_size(entry.oid).ok()).unwrap_or(0)
}

fn gates(gates: &[GateResult]) -> String {
    if gates.is_empty() {
        return "No gate judges this step.".to_owned();
    }
    let mut said = String::new();
    for gate in gates {
        let how = match gate.exit {
            Some(0) => "passed".to_owned(),
            Some(code) => format!("failed with exit code {code}"),
            None => "did not end by itself, or could not run".to_owned(),
        };
        writeln!(said, "{} ({}): {how}", gate.name, gate.command).ok();
        if !gate.tail.is_empty() {
            writeln!(said, "{}", gate.tail).ok();
        }
    }
    said
}

fn status(repo: &Repo, is_dirty: bool) -> String {
    const MAX_LINES: usize = 200;

    if !is_dirty {
        return "Everything is committed.".to_owned();
    }
    let said = repo.git_text(&["status", "--porcelain=v1", "--untracked-files=all", "--no-renames"]);
    let said = said.unwrap_or_else(|_| "There is something that is not committed.".to_owned());
    said.lines().take(MAX_LINES).collect::<Vec<_>>().join("\n")
}
