//! `git godzilla restore`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::worktrees::told;
use crate::cli::error::CliError;
use crate::cli::ui::{CYAN, DIM, GREEN, Table, Ui, counted, moment, styled};
use crate::service::restore::{self, Request, Restored};
use crate::store::kept::Kept;

/// Bring back a worktree that was removed, or what lay in one before it was changed
///
/// The branch is made anew if it is gone, and the worktree is added. Files that differ from the commit of
/// then get the content they had; what lies in their place and is not committed is kept first.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// What to restore: the beginning or the end of an id, or a protocol; may be left out if one is kept
    #[arg(value_name = "SNAPSHOT")]
    snapshot: Option<String>,

    /// List what can be restored
    #[arg(short, long, conflicts_with = "snapshot")]
    list: bool,

    /// Only of this protocol
    #[arg(short, long = "protocol", value_name = "NAME", requires = "list")]
    protocol: Option<String>,

    /// Show what would be restored
    #[arg(short = 'n', long, conflicts_with = "list")]
    dry_run: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    if args.list {
        let all = restore::list(&ctx, args.protocol.as_deref())?;
        list(ui, &all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = Request { which: args.snapshot.clone(), dry_run: args.dry_run };
    let restored = restore::restore(&ctx, &request)?;
    if ui.json {
        ui.json(&json!({
            "schema": "git-godzilla/restore@1",
            "kept": [kept_json(&restored.kept)],
            "restored": restored_json(&restored, args.dry_run),
        }))?;
    } else {
        print(ui, &restored, args.dry_run)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(ui: &mut Ui, all: &[Kept]) -> Result<(), CliError> {
    if ui.json {
        let kept: Vec<Value> = all.iter().map(kept_json).collect();
        return ui.json(&json!({ "schema": "git-godzilla/restore@1", "kept": kept, "restored": null }));
    }
    if all.is_empty() {
        return ui.line("nothing is kept that could be restored");
    }
    let mut table = Table::default();
    for kept in all {
        let why = kept.about.as_ref().map_or("cannot be read", |about| about.why.as_str());
        let not_held = kept.about.as_ref().map_or(0, |about| about.not_held.len());
        let without =
            if not_held > 0 { format!("without {}", counted(not_held, "path")) } else { String::new() };
        table.row([
            (kept.protocol.to_string(), CYAN),
            (kept.kind.as_str().to_owned(), anstyle::Style::new()),
            (moment(kept.at_ms()), DIM),
            (kept.id.to_string(), anstyle::Style::new()),
            (why.to_owned(), anstyle::Style::new()),
            (without, DIM),
        ]);
    }
    ui.table(&table)
}

fn print(ui: &mut Ui, restored: &Restored, dry_run: bool) -> Result<(), CliError> {
    let would = |done: &str, will: &str| if dry_run { format!("would {will}") } else { done.to_owned() };
    let glyph = styled(GREEN, if dry_run { "→" } else { "✓" });
    let (kept, name) = (&restored.kept, &restored.kept.protocol);
    let said = would("restored", "restore");
    ui.line(format!("{glyph} {said} {name} as of {}", moment(kept.at_ms())))?;
    if let Some(tip) = restored.branch {
        ui.line(format!("  {} the branch {name} at {}", would("made", "make"), tip.short()))?;
    }
    if restored.worktree_added {
        let dir = restored.dir.as_ref().map(|dir| format!(" {}", dir.display())).unwrap_or_default();
        ui.line(format!("  {} the worktree{dir}", would("added", "add")))?;
    }
    let (written, removed) = (would("written", "write"), would("removed", "remove"));
    for (paths, what) in [(&restored.put.written, written), (&restored.put.removed, removed)] {
        if !paths.is_empty() {
            ui.line(format!("  {what}: {}", told(&texts(paths))))?;
        }
    }
    if restored.put.is_nothing() && !restored.worktree_added {
        ui.line("  every file of it is there already")?;
    }
    if let Some(snapshot) = &restored.snapshot {
        ui.line(format!("  what was not committed before is kept: git godzilla restore {}", snapshot.id))?;
    }
    if !restored.put.in_the_way.is_empty() {
        let paths = told(&texts(&restored.put.in_the_way));
        ui.warn(format!("something else lies in the place of {paths}"));
    }
    for (why, path) in restored.kept.about.iter().flat_map(|about| &about.not_held) {
        ui.note(format!("not kept, and not restored: {path} ({why})"));
    }
    for notice in &restored.notices {
        ui.warn(notice);
    }
    Ok(())
}

/// Returns what is kept as JSON.
pub(super) fn kept_json(kept: &Kept) -> Value {
    let about = kept.about.as_ref();
    let not_held = about.map(|about| about.not_held.as_slice()).unwrap_or_default();
    json!({
        "id": kept.id.to_string(),
        "kind": kept.kind.as_str(),
        "ref": kept.name,
        "commit": kept.commit.to_string(),
        "protocol": kept.protocol.as_str(),
        "why": about.map(|about| about.why.clone()),
        "branch": about.and_then(|about| about.branch.clone()),
        "tip": about.and_then(|about| about.tip).map(|tip| tip.to_string()),
        "head": about.map(|about| about.head.to_string()),
        "path": about.and_then(|about| about.dir.as_ref()).map(|dir| dir.display().to_string()),
        "at_ms": kept.at_ms(),
        "until_ms": kept.until_ms(),
        "not_held": not_held
            .iter()
            .map(|(why, path)| json!({ "why": why, "path": path }))
            .collect::<Vec<_>>(),
    })
}

fn restored_json(restored: &Restored, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "path": restored.dir.as_ref().map(|dir| dir.display().to_string()),
        "branch": restored.branch.map(|tip| tip.to_string()),
        "worktree_added": restored.worktree_added,
        "written": texts(&restored.put.written),
        "removed": texts(&restored.put.removed),
        "in_the_way": texts(&restored.put.in_the_way),
        "snapshot": restored.snapshot.as_ref().map(|kept| kept.id.to_string()),
        "notices": restored.notices,
    })
}

fn texts(paths: &[impl ToString]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
