//! Arguments into a command. Only the command that is named is set up, which spares most of the
//! time that clap takes; whatever is no plain call of a command is left to all of them.

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::{Args as _, Command as Definition, CommandFactory as _, FromArgMatches as _};

use super::commands::{
    act, archive, budget, ci_report, completions, config, demo, doctor, engines, explain, export, hooks,
    import, init, list, log, man, notes, overlaps, plan, prompt, push, qa, ready, redact, renumber, restore,
    run, runs, show, spec, status, sync, trust, undo, uninstall, verify, worktrees,
};
use super::{Cli, Global};

type SetUp = fn(Definition) -> Definition;

/// Parses the arguments of the process, the program's name first.
///
/// # Errors
///
/// [`clap::Error`], also where help or the version is asked for.
pub(super) fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    if let Some(cli) = only_named(args) {
        return Ok(cli);
    }
    let matches = ManuallyDrop::new(Cli::command()).try_get_matches_from_mut(args);
    Cli::from_arg_matches_mut(&mut matches?)
}

/// Parses by the command that comes first; `None` if that does not do.
fn only_named(args: &[OsString]) -> Option<Cli> {
    let (name, set_up) = args.get(1).and_then(|name| set_up(name.to_str()?))?;
    let command = set_up(Definition::new(name));
    // It is not worth the time to take it down again.
    let mut only =
        ManuallyDrop::new(Global::augment_args(Definition::new("git-godzilla")).subcommand(command));
    Cli::from_arg_matches_mut(&mut only.try_get_matches_from_mut(args).ok()?).ok()
}

fn set_up(name: &str) -> Option<(&'static str, SetUp)> {
    let all: &[(&'static str, SetUp)] = &[
        ("init", init::Args::augment_args),
        ("plan", plan::Args::augment_args),
        ("prompt", prompt::Args::augment_args),
        ("list", list::Args::augment_args),
        ("status", status::Args::augment_args),
        ("show", show::Args::augment_args),
        ("log", log::Args::augment_args),
        ("ready", ready::Args::augment_args),
        ("explain", explain::Args::augment_args),
        ("budget", budget::Args::augment_args),
        ("spec", spec::Args::augment_args),
        ("overlaps", overlaps::Args::augment_args),
        ("start", act::StartArgs::augment_args),
        ("done", act::DoneArgs::augment_args),
        ("next", act::NextArgs::augment_args),
        ("block", act::BlockArgs::augment_args),
        ("unblock", act::UnblockArgs::augment_args),
        ("skip", act::SkipArgs::augment_args),
        ("approve", act::ApproveArgs::augment_args),
        ("retry", act::RetryArgs::augment_args),
        ("pause", act::PauseArgs::augment_args),
        ("resume", act::ResumeArgs::augment_args),
        ("cancel", act::CancelArgs::augment_args),
        ("complete", act::CompleteArgs::augment_args),
        ("comment", act::CommentArgs::augment_args),
        ("archive", archive::Args::augment_args),
        ("unarchive", act::UnarchiveArgs::augment_args),
        ("redact", redact::Args::augment_args),
        ("renumber", renumber::Args::augment_args),
        ("undo", undo::UndoArgs::augment_args),
        ("redo", undo::RedoArgs::augment_args),
        ("run", run::Args::augment_args),
        ("runs", runs::Args::augment_args),
        ("logs", runs::LogsArgs::augment_args),
        ("artifacts", runs::ArtifactsArgs::augment_args),
        ("qa", qa::Args::augment_args),
        ("verify", verify::Args::augment_args),
        ("trust", trust::Args::augment_args),
        ("ci-report", ci_report::Args::augment_args),
        ("sync", sync::Args::augment_args),
        ("push", push::Args::augment_args),
        ("worktrees", worktrees::Args::augment_args),
        ("restore", restore::Args::augment_args),
        ("hooks", hooks::Args::augment_args),
        ("hook", hooks::HookArgs::augment_args),
        ("notes", notes::Args::augment_args),
        ("export", export::Args::augment_args),
        ("import", import::Args::augment_args),
        ("engines", engines::Args::augment_args),
        ("config", config::Args::augment_args),
        ("doctor", doctor::Args::augment_args),
        ("uninstall", uninstall::Args::augment_args),
        ("demo", demo::Args::augment_args),
        ("completions", completions::Args::augment_args),
        ("man", man::Args::augment_args),
        ("__complete", completions::CompleteArgs::augment_args),
    ];
    all.iter().find(|(known, _)| *known == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn every_command_is_known_by_its_name() {
        for command in Cli::command().get_subcommands() {
            assert!(set_up(command.get_name()).is_some(), "{}", command.get_name());
        }
    }

    /// What one command alone understands is what all of them understand.
    #[test]
    fn one_command_understands_what_all_do() {
        for line in [
            "g list --json",
            "g list -C /tmp --color never",
            "g comment -p 7 --step a text",
            "g plan title --step a --step b --qa full --dry-run",
            "g ci-report success --job j -- true",
            "g ci-report -- make -k check",
            "g hooks install --json",
            "g spec validate 7 --commit HEAD",
            "g plan --amend -p 7",
            "g config show --origin",
            "g notes rebuild",
            "g worktrees remove 7 --force",
            "g restore --list",
            "g hook commit-msg .git/COMMIT_EDITMSG",
            "g __complete -- show x",
        ] {
            let all = Cli::command()
                .try_get_matches_from(args(line))
                .and_then(|mut found| Cli::from_arg_matches_mut(&mut found));
            let all = all.map(|cli| format!("{cli:?}")).map_err(|err| err.to_string());
            let one = only_named(&args(line)).map(|cli| format!("{cli:?}"));
            assert_eq!(one, all.ok(), "{line}");
        }
    }

    #[test]
    fn mistakes_and_help_are_for_all_of_them() {
        for line in [
            "g",
            "g -h",
            "g list -h",
            "g list --version",
            "g lst",
            "g list --nothing",
            "g -C . list",
            "g hooks",
        ] {
            assert!(only_named(&args(line)).is_none(), "{line}");
        }
        assert!(parse(&args("g -C . list")).is_ok());
    }
}
