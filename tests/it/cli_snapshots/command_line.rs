//! Settings, mistakes and help.

use insta::assert_snapshot;

use super::masked;
use crate::support::World;

#[test]
fn config_with_origins() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    a.write(
        "godzilla.toml",
        "[commit]\nstrict = true\n[qa]\npolci = \"full\"\n[ci]\nrequired = [\"test\"]\n",
    );
    a.git(&["config", "godzilla.sync.pushTimeoutSeconds", "2"]);
    let told = a.godzilla_ok(&["config", "show"]);
    let line = |key: &str| told.lines().find(|line| line.starts_with(key)).map(str::trim_end);
    assert!(line("archive.after_days").unwrap().ends_with("30          (default)"), "{told}");
    assert!(line("ci.required").unwrap().ends_with("test"), "{told}");
    assert_snapshot!(a.godzilla(&["config", "show", "--origin"]), @r"
    archive.after_days             30          default
    budget.mode                    strict      default
    budget.project_cents           (not set)   default
    budget.project_cents_per_day   (not set)   default
    budget.project_tokens          (not set)   default
    budget.project_tokens_per_day  (not set)   default
    budget.protocol_cents          (not set)   default
    budget.protocol_tokens         (not set)   default
    budget.step_cents              (not set)   default
    budget.step_tokens             (not set)   default
    ci.required                    test        godzilla.toml
    commit.strict                  true        godzilla.toml
    commit.tag                     subject     default
    loops.max_depth                3           default
    loops.max_iterations           20          default
    loops.max_minutes              240         default
    loops.max_same_failure         3           default
    loops.max_tokens               (not set)   default
    phases.decompose               (not set)   default
    phases.discovery               (not set)   default
    phases.exec                    (not set)   default
    phases.planning                (not set)   default
    phases.qa                      (not set)   default
    policy.pack                    (not set)   default
    policy.version                 (not set)   default
    project.base_branch            (not set)   default
    qa.auto_fix_attempts           2           default
    qa.extra_gates                 (none)      default
    qa.gates                       scripts/ci  default
    qa.output_cap_bytes            1048576     default
    qa.policy                      (not set)   default
    qa.timeout_seconds             600         default
    qa.when                        manual      default
    queue.autostart                false       default
    queue.max_attempts             3           default
    server.allow_purge             (not set)   default
    sync.auto                      true        default
    sync.push_timeout_seconds      2           git config (local)
    sync.runs                      false       default
    sync.timeout_seconds           30          default
    worktree.mode                  protocol    default
    worktree.root                  worktrees   default
    --- stderr ---
    warning: `qa.polci` in godzilla.toml is no setting; did you mean `qa.policy`?
    ");
}

#[test]
fn mistakes_on_the_command_line() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["lsit"]), @r"
    --- stderr ---
    error: unrecognized subcommand 'lsit'

      tip: a similar subcommand exists: 'list'

    Usage: git godzilla [OPTIONS] <COMMAND>

    For more information, try '-h'.
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["plan", "x", "--qa", "much"]), @r"
    --- stderr ---
    error: invalid value 'much' for '--qa <POLICY>'
      [possible values: skip, light, full]

    For more information, try '-h'.
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["show", "7", "--json"]), @r#"
    {"schema":"git-godzilla/error@1","code":"protocol.unknown","message":"there is no protocol `7`","hint":"git godzilla list","exit":3}
    --- stderr ---
    error: there is no protocol `7`
    hint: git godzilla list
    [exit code: 3]
    "#);
}

#[test]
fn help_of_all_and_of_one() {
    let world = World::new();
    let home = world.place("home");
    assert_snapshot!(home.godzilla(&["-h"]), @r"
    Ship work in parallel streams with strict, explicit protocols, inside Git

    Usage: git godzilla [OPTIONS] <COMMAND>

    Commands:
      init         Set this clone up: refspecs, hooks, and what the remote already knows
      plan         Turn a description into a protocol: a branch with a plan, and a worktree
      prompt       The prompts that engines are given, and the project's own in place of some of them
      list         List all protocols
      status       Show the protocol of the current branch, or what is going on in all of them
      show         Show one protocol: its steps, commits, CI and what to do next
      log          Show the events of one protocol, in the order in which they count
      ready        List the steps that can be started now
      explain      Say why a protocol stands where it does, and what to do about it
      budget       Show what engines used, and what they may use
      spec         The plans of protocols, as programs read them
      overlaps     Show open protocols that are about the same files, or conflict
      start        Begin a step
      done         End the work on a step: it needs QA next, or is completed if its plan asks for none
      next         Begin the next step whose turn it is, and run it if an engine does it
      block        Say that a step cannot go on
      unblock      Let a blocked step go on where it was
      skip         Give a step up; the next one's turn comes
      approve      Complete a step that needs QA, on your word
      retry        Begin a failed or blocked step once more, and run it if an engine does it
      pause        Hold a protocol; commits are still recorded, but move nothing
      resume       Let a paused protocol go on, and a run that was cut off
      cancel       Give a protocol up, with its open steps; its branch and worktree stay
      complete     Complete a protocol that will never be merged (a merge completes it by itself)
      comment      Add a note for people
      archive      Put protocols that are over into the archive, out of the list
      unarchive    Take a protocol out of the archive: it is listed again, and stays
      redact       Take a text out of events and plans of the state, as when a secret got into it
      renumber     Give a protocol another number, because another one has the same
      undo         Take back what the last command of this clone decided; once more, the one before
      redo         Bring back what the last undo of this clone took back
      run          Let an engine do a step: run it in the protocol's worktree, and commit what it did
      runs         List the runs of engines: who did what, how it ended, and what it used
      logs         Show what an engine said while it ran
      artifacts    List the files that runs have left behind
      qa           Judge a step by its gates and a review, and record the verdict
      verify       Check the signatures of approvals and of whatever else is signed
      trust        Agree to what the repository brings, exactly as it is now: gates, engines, prompts
      ci-report    Report how a CI job ended, from within the job
      sync         Share state with a remote: fetch, take over, push
      push         Push branches as `git push` does, with the state in the same connection
      worktrees    List and remove the worktrees of protocols; nothing that they hold is lost
      restore      Bring back a worktree that was removed, or what lay in one before it was changed
      hooks        Install, remove or inspect the hooks that advance steps on commit and push
      notes        Notes on the commits of protocols, for `git log --notes=godzilla`
      export       Write everything that is known of all protocols as JSON lines
      import       Take in what another tool or another clone has written
      engines      Show who can plan, do and check steps
      config       Show the settings that are in effect
      doctor       Find what is wrong in this clone, and mend what is safe to mend
      uninstall    Take git-godzilla out of this clone: hooks, settings, refs and files
      demo         Play the whole life of a protocol in a scratch area
      completions  Complete commands, options and names in your shell, as `git godzilla <TAB>`
      man          Show the manual, or put it where `git godzilla --help` finds it

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Options of every command:
          --json            Print JSON with a versioned schema on stdout
      -C <PATH>             Run as if started in this folder
          --git-dir <PATH>  The repository's git folder
          --color <WHEN>    When to use colours; `NO_COLOR` and `CLICOLOR_FORCE` are honoured [default:
                            auto] [possible values: auto, always, never]
          --no-pager        Show long text as it is, without a pager
    ");
    assert_snapshot!(home.godzilla(&["start", "-h"]), @r"
    Begin a step

    Usage: git godzilla start [OPTIONS] [STEP]

    Arguments:
      [STEP]  The step's id or number; the current one if left out

    Options:
      -p, --protocol <NAME>  The protocol's name or number; that of the current branch if left out
      -h, --help             Print help

    Options of every command:
          --json            Print JSON with a versioned schema on stdout
      -C <PATH>             Run as if started in this folder
          --git-dir <PATH>  The repository's git folder
          --color <WHEN>    When to use colours; `NO_COLOR` and `CLICOLOR_FORCE` are honoured [default:
                            auto] [possible values: auto, always, never]
          --no-pager        Show long text as it is, without a pager
    ");
}
