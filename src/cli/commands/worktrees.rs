//! `git godzilla worktrees`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::restore::kept_json;
use crate::cli::error::CliError;
use crate::cli::ui::{CYAN, DIM, GREEN, Table, Ui, YELLOW, counted, moment, styled};
use crate::domain::text;
use crate::service::worktrees::{self, Collected, Listed, Reason, Removed, Request, Standing};

/// How many paths are told one by one.
const MAX_TOLD: usize = 10;

/// List and remove the worktrees of protocols; nothing that they hold is lost
///
/// Whatever is removed is kept in this clone for 30 days, files that are not committed and commits that are
/// not merged included: `git godzilla restore` brings it back. Not kept are folders that git ignores
/// whole, such as those of builds.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Say of each worktree how old it is, what is not committed or pushed, and why it stays
    List {
        /// Count the bytes of their files too
        #[arg(long)]
        size: bool,
    },
    /// Remove the worktrees and branches of finished protocols, if all that they hold is merged or pushed
    Gc {
        /// Show what would be removed
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
    /// Remove the worktree of a protocol, and its branch if that is merged
    Remove {
        /// The protocol's name or number; that of the current branch if left out
        name: Option<String>,

        /// Also what is not committed or not merged
        #[arg(long)]
        force: bool,

        /// Remove the worktree only
        #[arg(long)]
        keep_branch: bool,

        /// Keep all files that git ignores too, so that they can be restored
        #[arg(long)]
        include_ignored: bool,

        /// Show what would be removed
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

impl Args {
    /// Whether it takes anything away.
    pub(in crate::cli) fn removes(&self) -> bool {
        matches!(self.command, Command::Gc { dry_run: false } | Command::Remove { dry_run: false, .. })
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    match &args.command {
        Command::List { size } => list(ui, &worktrees::list(&ctx, *size)?)?,
        Command::Gc { dry_run } => gc(ui, &worktrees::gc(&ctx, *dry_run)?, *dry_run)?,
        Command::Remove { name, force, keep_branch, include_ignored, dry_run } => {
            let request = Request {
                name: name.clone(),
                force: *force,
                keep_branch: *keep_branch,
                all_ignored: *include_ignored,
                dry_run: *dry_run,
            };
            let removed = worktrees::remove(&ctx, &request)?;
            remove(ui, &removed, *dry_run)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(ui: &mut Ui, all: &[Listed]) -> Result<(), CliError> {
    if ui.json {
        let worktrees: Vec<Value> = all.iter().map(listed_json).collect();
        return ui.json(&json!({ "schema": "git-godzilla/worktrees@1", "worktrees": worktrees }));
    }
    let mut table = Table::default();
    let plain = anstyle::Style::new();
    for listed in all {
        let mark = if listed.is_current { "@" } else { " " };
        let what = match (&listed.name, &listed.worktree.branch) {
            (Some(name), _) => name.to_string(),
            (None, Some(branch)) => branch.clone(),
            (None, None) => "(no branch)".to_owned(),
        };
        let style = if listed.stays.is_empty() { DIM } else { CYAN };
        let status = listed.status.map(|status| status.to_string()).unwrap_or_default();
        let size = listed.size.map(|(bytes, is_all)| size(bytes, is_all)).unwrap_or_default();
        table.row([
            (format!("{mark} {what}"), style),
            (status, plain),
            (moment(listed.used_at_ms), DIM),
            (size, DIM),
            (state(listed), if listed.stays.is_empty() { GREEN } else { YELLOW }),
            (listed.worktree.dir.display().to_string(), plain),
        ]);
    }
    ui.table(&table)?;
    let n_free = all.iter().filter(|it| it.stays.is_empty() && it.name.is_some()).count();
    if n_free > 0 {
        ui.note(format!("{} may go: git godzilla worktrees gc", counted(n_free, "worktree")));
    }
    Ok(())
}

/// Says in a few words what lies there and how its branch stands.
fn state(listed: &Listed) -> String {
    let mut said = Vec::new();
    let worktree = &listed.worktree;
    if !worktree.is_there() {
        said.push("folder missing".to_owned());
    }
    match &listed.dirty {
        None => said.push("cannot be looked at".to_owned()),
        Some(paths) if !paths.is_empty() => said.push(format!("{} not committed", paths.len())),
        Some(_) => (),
    }
    let Standing { merged, pushed, unpushed, tip, .. } = &listed.standing;
    match (merged, pushed) {
        (Some((rule, _)), _) => said.push(format!("merged ({rule})")),
        (None, Some(remote)) => said.push(format!("at {remote}, not merged")),
        (None, None) if tip.is_some() => said.push(format!("{} not pushed", counted(*unpushed, "commit"))),
        (None, None) => (),
    }
    said.extend(worktree.locked.as_ref().map(|_| "locked".to_owned()));
    said.extend(worktree.amid.map(|amid| format!("amid a {amid}")));
    if said.is_empty() { "clean".to_owned() } else { said.join(", ") }
}

/// Returns a number of bytes for people.
fn size(bytes: u64, is_all: bool) -> String {
    const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB"];
    let (mut rest, mut unit_idx) = (bytes, 0);
    while rest >= 10_000 && unit_idx + 1 < UNITS.len() {
        rest /= 1000;
        unit_idx += 1;
    }
    format!("{rest} {}{}", UNITS[unit_idx], if is_all { "" } else { "+" })
}

fn listed_json(listed: &Listed) -> Value {
    let worktree = &listed.worktree;
    json!({
        "path": worktree.dir.display().to_string(),
        "protocol": listed.name.as_ref().map(ToString::to_string),
        "status": listed.status.map(|status| status.to_string()),
        "branch": worktree.branch,
        "head": worktree.head.map(|head| head.to_string()),
        "main": worktree.is_main,
        "current": listed.is_current,
        "present": worktree.is_there(),
        "locked": worktree.locked,
        "amid": worktree.amid,
        "used_at_ms": listed.used_at_ms,
        "dirty": listed.dirty,
        "merged": merged_json(&listed.standing),
        "pushed": listed.standing.pushed,
        "unpushed_commits": listed.standing.unpushed,
        "size_bytes": listed.size.map(|(bytes, _)| bytes),
        "size_complete": listed.size.map(|(_, is_all)| is_all),
        "stays": listed.stays.iter().map(reason_json).collect::<Vec<_>>(),
    })
}

fn merged_json(standing: &Standing) -> Value {
    standing.merged.as_ref().map_or(Value::Null, |(rule, into)| json!({ "rule": rule, "into": into }))
}

fn reason_json(reason: &Reason) -> Value {
    json!({ "code": reason.code, "message": reason.message, "remedy": reason.remedy })
}

fn removed_json(removed: &Removed) -> Value {
    json!({
        "name": removed.name.as_str(),
        "path": removed.dir.display().to_string(),
        "branch": removed.branch.as_ref().map(|(_, tip)| tip.to_string()),
        "merged": merged_json(&removed.standing),
        "pushed": removed.standing.pushed,
        "kept": removed.kept.as_ref().map(kept_json),
        "changed": removed.changed,
        "dropped": removed.dropped,
    })
}

fn gc(ui: &mut Ui, collected: &Collected, dry_run: bool) -> Result<(), CliError> {
    if ui.json {
        let stayed = collected.stayed.iter().map(|it| {
            json!({
                "name": it.name.as_ref().map(ToString::to_string),
                "path": it.worktree.dir.display().to_string(),
                "stays": it.stays.iter().map(reason_json).collect::<Vec<_>>(),
            })
        });
        return ui.json(&json!({
            "schema": "git-godzilla/worktrees-gc@1",
            "dry_run": dry_run,
            "removed": collected.removed.iter().map(removed_json).collect::<Vec<_>>(),
            "stayed": stayed.collect::<Vec<_>>(),
            "expired": collected.n_expired,
        }));
    }
    for removed in &collected.removed {
        ui.line(removed_line(removed, dry_run))?;
        if !removed.dropped.is_empty() {
            ui.line(format!("  ignored, and not kept: {}", told(&removed.dropped)))?;
        }
    }
    for listed in &collected.stayed {
        let name = listed.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let why: Vec<&str> = listed.stays.iter().map(|reason| reason.message.as_str()).collect();
        ui.line(format!("{} {name} stays: {}", styled(DIM, "·"), why.join("; ")))?;
    }
    if collected.removed.is_empty() && collected.stayed.is_empty() {
        ui.line("no protocol has a worktree of its own")?;
    }
    if collected.n_expired > 0 {
        let go = if dry_run { "would go" } else { "went" };
        let n_kept = counted(collected.n_expired, "kept worktree");
        ui.line(format!("{n_kept} {go}, being older than 30 days"))?;
    }
    if !collected.removed.is_empty() && !dry_run {
        ui.line("  to have one again: git godzilla restore --list")?;
    }
    Ok(())
}

fn removed_line(removed: &Removed, dry_run: bool) -> String {
    let (glyph, verb) = if dry_run { ("→", "would remove") } else { ("✓", "removed") };
    let branch = match &removed.branch {
        Some((branch, tip)) => format!(" and the branch {branch} (was {})", tip.short()),
        None => String::new(),
    };
    let why = match (&removed.standing.merged, &removed.standing.pushed) {
        (Some((rule, into)), _) => {
            format!(", merged into {} ({rule})", crate::domain::sentence::short_ref(into))
        }
        (None, Some(remote)) => format!(", all of it at {remote}"),
        (None, None) => String::new(),
    };
    format!("{} {verb} {}{branch}{why}", styled(GREEN, glyph), removed.dir.display())
}

fn remove(ui: &mut Ui, removed: &Removed, dry_run: bool) -> Result<(), CliError> {
    if ui.json {
        let mut document = removed_json(removed);
        document["schema"] = json!("git-godzilla/worktrees-remove@1");
        document["dry_run"] = json!(dry_run);
        return ui.json(&document);
    }
    ui.line(removed_line(removed, dry_run))?;
    for (paths, what) in
        [(&removed.changed, "not committed, and kept"), (&removed.dropped, "ignored, and not kept")]
    {
        if !paths.is_empty() {
            ui.line(format!("  {what}: {}", told(paths)))?;
        }
    }
    if let Some(kept) = &removed.kept {
        ui.line(format!("  to have it again: git godzilla restore {}", kept.id))?;
        ui.line(format!("  kept until {}", moment(kept.until_ms())))?;
    }
    Ok(())
}

/// Returns paths in one line, as many as a person reads.
pub(super) fn told(paths: &[String]) -> String {
    let some: Vec<String> = paths.iter().take(MAX_TOLD).map(|path| text::one_line(path)).collect();
    let more = paths.len().saturating_sub(MAX_TOLD);
    some.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_four_digits() {
        for (bytes, shown) in [(0, "0 B"), (9_999, "9999 B"), (10_000, "10 kB"), (12_345_678, "12 MB")] {
            assert_eq!(size(bytes, true), shown);
        }
        assert_eq!(size(1, false), "1 B+");
        assert_eq!(size(u64::MAX, true), "18446744 TB");
    }

    #[test]
    fn a_line_of_paths_is_counted_from_the_eleventh_on() {
        let paths: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(told(&paths[..2]), "0, 1");
        assert!(told(&paths).ends_with("9 and 2 more"));
    }
}
