//! What every command answers in every place, as the surface promises it.

use self::Ends::{Answers as A, Fails as E};
use super::places::At;

/// A command.
pub(super) struct Row {
    /// As it is typed, as in `hooks install`.
    pub(super) command: &'static str,
    pub(super) says: Says,
    /// Whether it may change what a later run sees.
    pub(super) writes: bool,
    pub(super) runs: &'static [Run],
}

/// What stdout holds under `--json`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    /// One document, of one of these schemas.
    Document(&'static [&'static str]),
    /// A document a line.
    Lines(&'static [&'static str]),
    /// Nothing: git is who calls it, and takes no answer.
    Nothing,
    /// What the scripts of shells understand, with `--json` as well.
    Words,
}

/// Arguments, and how the command ends with them in each of [`At::ALL`].
pub(super) struct Run {
    pub(super) args: &'static [&'static str],
    pub(super) ends: [Ends; 4],
}

/// An exit code, and what kind of document comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// With the command's own answer.
    Answers(i32),
    /// With an error.
    Fails(i32),
}

impl Run {
    pub(super) fn ends_at(&self, at: At) -> Ends {
        self.ends[At::ALL.iter().position(|known| *known == at).unwrap()]
    }
}

impl Ends {
    pub(super) fn code(self) -> i32 {
        let (A(code) | E(code)) = self;
        code
    }
}

const fn run(args: &'static [&'static str], ends: [Ends; 4]) -> Run {
    Run { args, ends }
}

const fn reads(command: &'static str, schema: &'static [&'static str], runs: &'static [Run]) -> Row {
    Row { command, says: Says::Document(schema), writes: false, runs }
}

const fn writes(command: &'static str, schema: &'static [&'static str], runs: &'static [Run]) -> Row {
    Row { command, says: Says::Document(schema), writes: true, runs }
}

/// For what asks nothing of the repository.
const ANYWHERE: [Ends; 4] = [A(0); 4];
const MISTYPED: [Ends; 4] = [E(2); 4];
/// For what is to be had of any repository.
const OF_ANY: [Ends; 4] = [A(0), A(0), A(0), E(4)];
/// For what can be read: about the protocol of the current branch, about one that the used clone has,
/// about one that nobody has.
const CURRENT: [Ends; 4] = [A(0), E(2), E(2), E(4)];
const NAMED: [Ends; 4] = [A(0), E(3), E(3), E(4)];
const UNKNOWN: [Ends; 4] = [E(3), E(3), E(3), E(4)];
/// The same for what is done, which takes an `init`.
const DO_CURRENT: [Ends; 4] = [A(0), E(2), E(4), E(4)];
const DO_NAMED: [Ends; 4] = [A(0), E(3), E(4), E(4)];
const DO_UNKNOWN: [Ends; 4] = [E(3), E(3), E(4), E(4)];
/// For what the step that is worked on does not stand for.
const UNFIT: [Ends; 4] = [E(4), E(2), E(4), E(4)];
const NO_STEP: [Ends; 4] = [E(3), E(2), E(4), E(4)];
const REFUSED: [Ends; 4] = [E(4); 4];
/// For what only the used clone has.
const THERE: [Ends; 4] = [A(0), E(4), E(4), E(4)];

const TRANSITION: &[&str] = &["transition.v1"];
const HOOKS: &[&str] = &["hooks.v1"];
const UNDO: &[&str] = &["undo.v1"];

pub(super) static ROWS: &[Row] = &[
    writes(
        "init",
        &["init.v1"],
        &[
            run(&[], OF_ANY),
            run(&["--dry-run"], OF_ANY),
            run(&["--init-if-needed"], ANYWHERE),
            run(&["--remote", "elsewhere"], UNKNOWN),
        ],
    ),
    writes(
        "plan",
        &["plan.v1"],
        &[
            run(&["Another one", "--step", "One"], [A(0), A(0), E(4), E(4)]),
            run(&["Another one", "--dry-run"], OF_ANY),
            run(&["Another one", "--engine", "codex", "--dry-run"], OF_ANY),
            run(&["Another one", "--engine", "no-such-engine"], [E(3), E(3), E(4), E(4)]),
            run(&["Another one", "--model", "m"], [E(2), E(2), E(4), E(4)]),
            run(&["--issue", "12"], REFUSED),
            run(&["Another one", "--from", "missing.md"], [E(3); 4]),
            run(&["Another one", "--qa", "much"], MISTYPED),
            run(&["Another one", "--base", "no-such-branch"], REFUSED),
            run(&["--amend"], UNFIT),
            run(&["--amend", "-p", "77"], DO_UNKNOWN),
            run(&[], MISTYPED),
        ],
    ),
    reads("prompt list", &["prompts.v1"], &[run(&[], OF_ANY), run(&["more"], MISTYPED)]),
    reads(
        "prompt show",
        &["prompt.v1"],
        &[run(&["decompose"], OF_ANY), run(&["no-such-prompt"], UNKNOWN), run(&[], MISTYPED)],
    ),
    reads(
        "prompt render",
        &["prompt.v1"],
        &[
            run(&["protocol-pipeline", "--set", "description=Add login"], OF_ANY),
            run(&["fix"], REFUSED),
            run(&["fix", "--set", "nothing"], [E(2), E(2), E(2), E(4)]),
        ],
    ),
    reads(
        "list",
        &["list.v1"],
        &[
            run(&[], OF_ANY),
            run(&["--open"], OF_ANY),
            run(&["--at", "yesterday"], OF_ANY),
            run(&["--at", "no-such-time"], [E(2), E(2), E(2), E(4)]),
            run(&["more"], MISTYPED),
        ],
    ),
    reads(
        "status",
        &["protocol.v1", "status.v1"],
        &[
            run(&[], OF_ANY),
            run(&["--all"], OF_ANY),
            run(&["-p", "3"], NAMED),
            run(&["--all", "--at", "now"], OF_ANY),
            run(&["--at", "2001-01-01"], [E(4), A(0), A(0), E(4)]),
        ],
    ),
    reads("budget", &["budget.v1"], &[run(&[], OF_ANY), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    reads("show", &["protocol.v1"], &[run(&[], CURRENT), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    Row {
        command: "log",
        says: Says::Lines(&["event.v1", "op.v1"]),
        writes: false,
        runs: &[
            run(&[], CURRENT),
            run(&["3", "--all"], NAMED),
            run(&["--op"], OF_ANY),
            run(&["77"], UNKNOWN),
            run(&["--op", "--all"], MISTYPED),
        ],
    },
    reads("ready", &["ready.v1"], &[run(&[], OF_ANY), run(&["-p", "1"], NAMED), run(&["-p", "77"], UNKNOWN)]),
    reads(
        "explain",
        &["explain.v1"],
        &[run(&[], CURRENT), run(&["3"], NAMED), run(&["--step", "9"], [E(3), E(2), E(2), E(4)])],
    ),
    reads("spec show", &["spec.v1"], &[run(&[], CURRENT), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    reads(
        "spec validate",
        &["spec-validate.v1"],
        &[
            run(&[], CURRENT),
            run(&["3"], NAMED),
            run(&["3", "--commit", "no-such-one"], [E(2), E(3), E(3), E(4)]),
        ],
    ),
    reads("spec audit", &["spec-audit.v1"], &[run(&[], OF_ANY), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    writes(
        "spec backfill",
        &["spec-backfill.v1"],
        &[run(&[], [A(0), A(0), E(4), E(4)]), run(&["--dry-run", "3"], DO_NAMED), run(&["77"], DO_UNKNOWN)],
    ),
    reads("overlaps", &["overlaps.v1"], &[run(&[], OF_ANY), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    writes(
        "start",
        TRANSITION,
        &[run(&[], DO_CURRENT), run(&["2"], UNFIT), run(&["9"], NO_STEP), run(&["-p", "77"], DO_UNKNOWN)],
    ),
    writes("done", TRANSITION, &[run(&[], DO_CURRENT), run(&["9"], NO_STEP)]),
    writes("next", TRANSITION, &[run(&["-p", "6"], DO_NAMED), run(&[], UNFIT)]),
    writes("block", TRANSITION, &[run(&["--reason", "no key"], DO_CURRENT), run(&["9"], NO_STEP)]),
    writes("unblock", TRANSITION, &[run(&["-p", "3"], DO_NAMED), run(&[], UNFIT)]),
    writes("skip", TRANSITION, &[run(&["--reason", "not needed"], DO_CURRENT), run(&[], MISTYPED)]),
    writes("approve", TRANSITION, &[run(&["-p", "5"], DO_NAMED), run(&[], UNFIT)]),
    writes("retry", TRANSITION, &[run(&["-p", "3"], DO_NAMED), run(&[], UNFIT)]),
    writes("pause", TRANSITION, &[run(&[], DO_CURRENT), run(&["77"], DO_UNKNOWN)]),
    writes("resume", TRANSITION, &[run(&["4"], DO_NAMED), run(&["77"], DO_UNKNOWN)]),
    writes("cancel", TRANSITION, &[run(&[], DO_CURRENT), run(&["77"], DO_UNKNOWN)]),
    writes(
        "complete",
        TRANSITION,
        &[
            run(&["--unmerged", "--reason", "an experiment"], DO_CURRENT),
            run(&["--unmerged"], MISTYPED),
            run(&[], REFUSED),
        ],
    ),
    writes(
        "comment",
        TRANSITION,
        &[run(&["a note"], DO_CURRENT), run(&["a note", "9"], NO_STEP), run(&[], MISTYPED)],
    ),
    writes(
        "redact",
        &["redact.v1"],
        &[
            run(&["no such text", "--yes"], DO_UNKNOWN),
            run(&["--purge", "--yes"], [A(0), A(0), E(4), E(4)]),
            run(&["no such text", "--purge", "--dry-run"], [A(0), A(0), E(4), E(4)]),
            run(&["--purge"], [E(4); 4]),
            run(&["short", "--yes"], [E(2), E(2), E(2), E(4)]),
            run(&[], MISTYPED),
        ],
    ),
    writes(
        "renumber",
        &["renumber.v1"],
        &[
            run(&["3", "33"], DO_NAMED),
            run(&["77", "78"], DO_UNKNOWN),
            run(&["3", "1"], [E(4), E(3), E(4), E(4)]),
            run(&["3"], MISTYPED),
        ],
    ),
    writes(
        "archive",
        &["archive.v1"],
        &[
            run(&["--all"], [A(0), A(0), E(4), E(4)]),
            run(&["--older-than", "30", "--dry-run"], [A(0), A(0), E(4), E(4)]),
            run(&[], UNFIT),
            run(&["77"], DO_UNKNOWN),
            run(&["--all", "77"], MISTYPED),
        ],
    ),
    writes(
        "unarchive",
        TRANSITION,
        &[
            run(&[], DO_CURRENT),
            run(&["3", "--reopen"], DO_NAMED),
            run(&["77"], DO_UNKNOWN),
            run(&["--reason", "more"], MISTYPED),
        ],
    ),
    writes("undo", UNDO, &[run(&[], THERE), run(&["--dry-run"], THERE), run(&["no-such-one"], DO_UNKNOWN)]),
    writes("redo", UNDO, &[run(&[], THERE), run(&["--dry-run"], THERE), run(&["no-such-one"], DO_UNKNOWN)]),
    writes(
        "run",
        &["run.v1", "run-preview.v1"],
        &[
            run(&["--engine", "helper"], DO_CURRENT),
            run(&["--engine", "helper", "--dry-run"], DO_CURRENT),
            run(&["--engine", "no-such-one"], NO_STEP),
            run(&[], UNFIT),
        ],
    ),
    reads(
        "runs",
        &["runs.v1"],
        &[run(&[], CURRENT), run(&["--all"], OF_ANY), run(&["7"], NAMED), run(&["77"], UNKNOWN)],
    ),
    reads(
        "logs",
        &["logs.v1"],
        &[
            run(&["-p", "7"], NAMED),
            run(&[], [E(4), E(2), E(2), E(4)]),
            run(&["no-such-one", "-p", "7"], UNKNOWN),
        ],
    ),
    reads(
        "artifacts",
        &["artifacts.v1"],
        &[run(&[], CURRENT), run(&["-p", "7"], NAMED), run(&["no-such-one", "-p", "7"], UNKNOWN)],
    ),
    writes(
        "qa",
        &["qa.v1"],
        &[run(&[], DO_CURRENT), run(&["-p", "2"], [A(1), E(3), E(4), E(4)]), run(&["9"], NO_STEP)],
    ),
    reads("verify", &["verify.v1"], &[run(&[], CURRENT), run(&["3"], NAMED), run(&["77"], UNKNOWN)]),
    writes(
        "trust",
        &["trust.v1"],
        &[
            run(&["--yes", "-p", "2"], DO_NAMED),
            run(&["--yes"], THERE),
            run(&["--show"], THERE),
            run(&["--gates", "-p", "2"], [E(5), E(3), E(4), E(4)]),
            run(&["--revoke"], OF_ANY),
        ],
    ),
    writes(
        "ci-report",
        &["ci-report.v1"],
        &[
            run(&["success", "--job", "test"], OF_ANY),
            run(&["--job", "test", "--", "sh", "-c", "exit 3"], [A(3), A(3), A(3), E(4)]),
            run(&["--job", "test"], [E(2), E(2), E(2), E(4)]),
            run(&["marvellous", "--job", "test"], [E(2), E(2), E(2), E(4)]),
        ],
    ),
    writes("sync", &["sync.v1"], &[run(&[], [A(0), A(0), E(4), E(4)]), run(&["elsewhere"], DO_UNKNOWN)]),
    writes(
        "push",
        &["push.v1"],
        &[
            run(&["origin", "HEAD"], [A(0), A(0), E(4), E(4)]),
            run(&["--dry-run", "origin", "HEAD:refs/heads/other"], [A(0), A(0), E(4), E(4)]),
            run(&["nowhere", "HEAD"], [E(7), E(7), E(4), E(4)]),
            run(&["origin", "no-such-branch"], [E(7), E(7), E(4), E(4)]),
            run(&["--delete"], MISTYPED),
        ],
    ),
    reads(
        "worktrees list",
        &["worktrees.v1"],
        &[run(&[], OF_ANY), run(&["--size"], OF_ANY), run(&["more"], MISTYPED)],
    ),
    writes(
        "worktrees gc",
        &["worktrees-gc.v1"],
        &[run(&["--dry-run"], [A(0), A(0), E(4), E(4)]), run(&[], [A(0), A(0), E(4), E(4)])],
    ),
    writes(
        "worktrees remove",
        &["worktrees-remove.v1"],
        &[
            run(&["3", "--force"], DO_NAMED),
            run(&["3", "--force", "--dry-run"], DO_NAMED),
            run(&[], UNFIT),
            run(&["77"], DO_UNKNOWN),
        ],
    ),
    writes(
        "restore",
        &["restore.v1"],
        &[
            run(&["--list"], OF_ANY),
            run(&[], [E(4), E(4), E(4), E(4)]),
            run(&["77"], DO_UNKNOWN),
            run(&["77", "--list"], MISTYPED),
        ],
    ),
    writes(
        "export",
        &["export.v1"],
        &[
            run(&["../kept.jsonl"], OF_ANY),
            run(&["no-such-folder/kept.jsonl"], REFUSED),
            run(&["a", "b"], MISTYPED),
        ],
    ),
    writes(
        "import jsonl",
        &["import.v1"],
        &[
            run(&["../../../all.jsonl"], [A(0), E(3), E(4), E(4)]),
            run(&["README"], [E(2), E(2), E(4), E(4)]),
            run(&["no-such-file"], DO_UNKNOWN),
            run(&[], MISTYPED),
        ],
    ),
    writes(
        "uninstall",
        &["uninstall.v1"],
        &[
            run(&[], [E(4), A(0), A(0), E(4)]),
            run(&["--yes", "--discard"], OF_ANY),
            run(&["--export", "../kept.jsonl"], OF_ANY),
            run(&["--discard", "--export", "x"], MISTYPED),
        ],
    ),
    writes(
        "hooks install",
        HOOKS,
        &[run(&[], OF_ANY), run(&["--server"], [E(4); 4]), run(&["more"], MISTYPED)],
    ),
    writes("hooks uninstall", HOOKS, &[run(&[], OF_ANY), run(&["more"], MISTYPED)]),
    reads("hooks status", HOOKS, &[run(&[], OF_ANY), run(&["more"], MISTYPED)]),
    // Those that read their standard input would wait for git to end it.
    Row {
        command: "hook",
        says: Says::Nothing,
        writes: true,
        runs: &[run(&["post-commit"], ANYWHERE), run(&["no-such-hook"], ANYWHERE)],
    },
    writes("notes rebuild", &["notes.v1"], &[run(&[], OF_ANY), run(&["more"], MISTYPED)]),
    reads("engines list", &["engines.v1"], &[run(&[], OF_ANY), run(&["more"], MISTYPED)]),
    reads(
        "engines check",
        &["engines.v1"],
        &[
            run(&[], OF_ANY),
            run(&["human"], OF_ANY),
            run(&["command"], [A(1), A(1), A(1), E(4)]),
            run(&["nobody"], UNKNOWN),
        ],
    ),
    reads(
        "config show",
        &["config.v1"],
        &[run(&[], OF_ANY), run(&["--origin"], OF_ANY), run(&["more"], MISTYPED)],
    ),
    writes("doctor", &["doctor.v1"], &[run(&[], OF_ANY), run(&["--fix"], OF_ANY), run(&["more"], MISTYPED)]),
    writes("demo", &["demo.v1"], &[run(&["--keep", ".."], REFUSED), run(&["more"], MISTYPED)]),
    writes(
        "completions",
        &["completions.v1"],
        &[
            run(&["bash"], ANYWHERE),
            run(&["zsh", "--install"], ANYWHERE),
            run(&["fish", "--uninstall"], ANYWHERE),
            run(&[], MISTYPED),
            run(&["tcsh"], MISTYPED),
        ],
    ),
    writes(
        "man",
        &["man.v1"],
        &[
            run(&[], ANYWHERE),
            run(&["hooks", "install", "--print"], ANYWHERE),
            run(&["--install"], ANYWHERE),
            run(&["--uninstall"], ANYWHERE),
            run(&["no-such-command"], [E(3); 4]),
        ],
    ),
    Row {
        command: "__complete",
        says: Says::Words,
        writes: false,
        runs: &[run(&["--", "sh"], ANYWHERE), run(&["--", "show", ""], ANYWHERE)],
    },
];

/// The whole play takes seconds, so it is not played everywhere.
pub(super) static DEMO: Row = writes("demo", &["demo.v1"], &[run(&[], ANYWHERE)]);
