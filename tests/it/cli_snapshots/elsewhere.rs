//! Commands that work beside protocols: reports of CI, completions, the manual.

use insta::assert_snapshot;

use super::masked;
use crate::support::World;

#[test]
fn ci_reports() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    a.plan("Add a login page", &["The form"]).commit("form", "feat: the form");
    a.godzilla_ok(&["sync"]);
    let report = |args: &[&str]| a.godzilla(&[&["ci-report"], args].concat());
    assert_snapshot!(report(&["success", "--job", "test", "--branch", "0001-add-a-login-page"]), @r"
    ✓ reported to origin: test success on [HASH]
    ");
    assert_snapshot!(report(&["failure", "--job", "lint", "--protocol", "1"]), @r"
    ✓ reported to origin: lint failure on [HASH]
    ");
    assert_snapshot!(report(&["--", "false"]), @r"
    ✓ reported to origin: ci failure on [HASH]
    --- stderr ---
    no protocol was found for it; readers will match it by its commit, or say `--protocol NAME`
    [exit code: 1]
    ");
    assert_snapshot!(report(&[]), @r"
    --- stderr ---
    error: how did the job end? no status was given
    hint: say success, failure, running or cancelled, or run the job with `-- COMMAND`
    [exit code: 2]
    ");
    assert_snapshot!(report(&["perhaps"]), @r"
    --- stderr ---
    error: `perhaps` is not how a job ends
    hint: say success, failure, running or cancelled
    [exit code: 2]
    ");
    assert_snapshot!(report(&["success", "--remote", "nowhere", "--strict"]), @r"
    ! not reported: ci success on [HASH]
    --- stderr ---
    `nowhere` cannot be reached: Could not read from remote repository.
    the job needs to push refs: on GitHub give it `permissions: contents: write`, on GitLab a token
    or keep the report as an artifact with `--output FILE`
    no protocol was found for it; readers will match it by its commit, or say `--protocol NAME`
    [exit code: 7]
    ");
}

#[test]
fn completions_and_manual() {
    let world = World::new();
    let _mask = masked(&world);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\[WORLD\]/home\b", "[HOME]");
    let _home = settings.bind_to_scope();
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["completions", "--install", "bash"]), @r"
    [HOME]/.local/share/bash-completion/completions/git-godzilla is written
    next: open a new shell; the package bash-completion must be there, as most systems have it
    ");
    assert_snapshot!(a.godzilla(&["completions", "--install", "bash"]), @r"
    [HOME]/.local/share/bash-completion/completions/git-godzilla is as it should be
    next: open a new shell; the package bash-completion must be there, as most systems have it
    ");
    assert_snapshot!(a.godzilla(&["completions", "tcsh"]), @r"
    --- stderr ---
    error: invalid value 'tcsh' for '[SHELL]'
      [possible values: bash, zsh, fish]

      tip: a similar value exists: 'zsh'

    For more information, try '-h'.
    [exit code: 2]
    ");
    // What follows depends on the `man` of the machine.
    let installed = a.godzilla_ok(&["man", "--install"]);
    assert_snapshot!(installed.lines().next().unwrap(), @"69 pages written to [HOME]/.local/share/man/man1");
    assert_snapshot!(a.godzilla(&["man", "nothing"]), @r"
    --- stderr ---
    error: there is no command `nothing`
    hint: git godzilla -h
    [exit code: 3]
    ");
    a.write("full", "of something\n");
    assert_snapshot!(a.godzilla(&["demo", "--keep", "."]), @r"
    --- stderr ---
    error: `.` is not empty
    hint: name a folder that is empty or absent
    [exit code: 4]
    ");
}
