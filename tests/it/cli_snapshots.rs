//! What a person sees: each command once or twice, as one text of stdout, stderr and exit code.

mod elsewhere;
mod worktrees;

use insta::assert_snapshot;

use crate::support::{Place, World};

const NAME: &str = "0001-add-a-login-page";

/// Replaces what differs from run to run while it lives.
pub(crate) fn masked(world: &World) -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for path in [world.path().to_owned(), world.path().canonicalize().unwrap()] {
        settings.add_filter(&path.display().to_string(), "[WORLD]");
    }
    settings.add_filter(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b", "[TIME]");
    settings.add_filter(r"\b[0-9a-f]{40}\b", "[COMMIT]");
    settings.add_filter(r"\b[0-9a-f]{10}\b", "[HASH]");
    settings.add_filter(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "[ID]");
    settings.add_filter(r"\b[0-9A-HJKMNP-TV-Z]{13}\b", "[OP]");
    settings.add_filter(r"\bclone-[0-9a-z]{6}\b", "[LABEL]");
    settings.bind_to_scope()
}

fn login_page<'a>(a: &'a Place<'_>) -> Place<'a> {
    a.plan("Add a login page", &["The form", "The API"])
}

#[test]
fn init_once_and_again() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let mut settings = insta::Settings::clone_current();
    // The width of a column depends on where the world lies.
    settings.add_filter(r"  +", "  ");
    let _columns = settings.bind_to_scope();
    let _mask = masked(&world);
    assert_snapshot!(place.godzilla(&["init", "--dry-run"]), @r"
    → label  [LABEL]  this clone's name in events
    = base  main  the branch that protocols begin at and are merged into
    → exclude  /worktrees/  not shown by git status (info/exclude)
    → exclude  /.protocols/.queue/  not shown by git status (info/exclude)
    → refspec  origin  git fetch and git pull bring state from it
    → hooks  [WORLD]/a/.git/hooks  steps advance on commit and push
    → adopt  origin  take over the state that it holds
    → project  record the project
    ");
    assert_snapshot!(place.godzilla(&["init"]), @r#"
    ✓ label  [LABEL]  this clone's name in events
    = base  main  the branch that protocols begin at and are merged into
    ✓ exclude  /worktrees/  not shown by git status (info/exclude)
    ✓ exclude  /.protocols/.queue/  not shown by git status (info/exclude)
    ✓ refspec  origin  git fetch and git pull bring state from it
    ✓ hooks  [WORLD]/a/.git/hooks  steps advance on commit and push
    = adopt  origin  0 protocols are known
    ✓ project  recorded
    [WORLD]/a is set up
    next: git godzilla plan "what is to be done"
    "#);
    assert_snapshot!(place.godzilla(&["init"]), @r#"
    = label  [LABEL]  this clone's name in events
    = base  main  the branch that protocols begin at and are merged into
    = exclude  /worktrees/  not shown by git status (info/exclude)
    = exclude  /.protocols/.queue/  not shown by git status (info/exclude)
    = refspec  origin  git fetch and git pull bring state from it
    = hooks  [WORLD]/a/.git/hooks  steps advance on commit and push
    = adopt  origin  0 protocols are known
    = project  recorded
    [WORLD]/a is set up already
    next: git godzilla plan "what is to be done"
    "#);
}

#[test]
fn without_a_repository_or_init() {
    let world = World::new();
    let _mask = masked(&world);
    assert_snapshot!(world.place("home").godzilla(&["list"]), @r"
    --- stderr ---
    error: not a git repository (or any of the parent directories): `.`
    hint: git godzilla init --init-if-needed
    [exit code: 4]
    ");
    let place = world.bare_clone_of("a");
    assert_snapshot!(place.godzilla(&["plan", "Add a login page"]), @r"
    --- stderr ---
    error: this clone is not set up for protocols
    hint: git godzilla init
    [exit code: 4]
    ");
}

#[test]
fn plan_dry_and_for_real() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let args = ["plan", "Add a login page", "--step", "The form", "--step", "The API"];
    assert_snapshot!(a.godzilla(&[&args[..], &["--dry-run"]].concat()), @r"
    would plan 0001-add-a-login-page  Add a login page
      00-setup     Set up
      01-the-form  The form
      02-the-api   The API
      branch 0001-add-a-login-page from main at [HASH]
      the base has no gates, so a step that is done is completed (QA skip)
    ");
    assert_snapshot!(a.godzilla(&args), @r"
    planned 0001-add-a-login-page  Add a login page
      00-setup     Set up
      01-the-form  The form
      02-the-api   The API
      branch 0001-add-a-login-page from main at [HASH]
      the base has no gates, so a step that is done is completed (QA skip)
      the plan is committed; your own commit hooks did not run for it
    next: cd [WORLD]/a/worktrees/0001-add-a-login-page
    ");
    assert_snapshot!(a.godzilla(&["plan"]), @r#"
    --- stderr ---
    error: say what is to be done
    hint: git godzilla plan "Add a login page" --step "The form" --step "The API"
    [exit code: 2]
    "#);
}

#[test]
fn plan_from_markdown() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    a.write(
        "plan.md",
        "# Add search\n\nPeople look for things.\n\n- [ ] An index\n  - [ ] of titles\n- [ ] A box\n",
    );
    assert_snapshot!(a.godzilla(&["plan", "--from", "plan.md", "--qa", "full"]), @r"
    planned 0001-add-search  Add search
      00-setup     Set up
      01-an-index  An index
      02-a-box     A box
      branch 0001-add-search from main at [HASH]
      the plan is committed; your own commit hooks did not run for it
    next: cd [WORLD]/a/worktrees/0001-add-search
    ");
    assert_snapshot!(world.place("a/worktrees/0001-add-search").read(".protocols/0001-add-search/01-an-index.md"), @r"
    ---
    id: 01-an-index
    title: An index
    type: work
    qa: full
    depends_on: [00-setup]
    paths: []
    ---

    # An index

    ## Briefing

    People look for things.

    ## Sub-tasks

    - [ ] of titles

    ## Verification
    ");
    assert_snapshot!(a.godzilla(&["plan", "--from", "absent.md"]), @r"
    --- stderr ---
    error: cannot read `absent.md`: No such file or directory (os error 2)
    [exit code: 3]
    ");
}

#[test]
fn list_and_status() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["list"]), @r#"
    no protocols yet
    --- stderr ---
    plan one with `git godzilla plan "what is to be done"`
    "#);
    assert_snapshot!(a.godzilla(&["status"]), @"nothing is going on");
    let work = login_page(&a);
    a.plan("Fix the till", &[]);
    work.commit("form.html", "feat(login): the form");
    assert_snapshot!(a.godzilla(&["list"]), @r"
    ● 0001-add-a-login-page  running  1/3  01-the-form (running)  Add a login page
    ○ 0002-fix-the-till      planned  1/2  01-fix-the-till        Fix the till
    ");
    assert_snapshot!(a.godzilla(&["status"]), @r"
    ● 0001-add-a-login-page  running  1/3  01-the-form (running)  Add a login page
    ○ 0002-fix-the-till      planned  1/2  01-fix-the-till        Fix the till
    11 events not on origin: git godzilla sync
    ");
    assert_snapshot!(work.godzilla(&["status"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    updated   [TIME]
    unshared  7 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
    → ● 01-the-form  running    The form  1 commit
      ○ 02-the-api   pending    The API

    step 01-the-form is being worked on; tick its last box, or say that it is done
    next: git godzilla done 01-the-form -p 0001-add-a-login-page
    ");
    a.godzilla_ok(&["cancel", "2"]);
    assert_snapshot!(a.godzilla(&["list", "--open"]), @"● 0001-add-a-login-page  running  1/3  01-the-form (running)  Add a login page");
    assert_snapshot!(a.godzilla(&["status"]), @r"
    ● 0001-add-a-login-page  running  1/3  01-the-form (running)  Add a login page
    and 1 that is over (git godzilla list)
    12 events not on origin: git godzilla sync
    ");
}

#[test]
fn show_and_log() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["show"]), @r#"
    --- stderr ---
    error: this is not the branch of a protocol, so say which one
    hint: plan one with `git godzilla plan "…"`
    [exit code: 2]
    "#);
    let work = login_page(&a);
    work.tick(NAME, "01-the-form");
    work.commit("form.html", "feat(login): the form");
    work.godzilla_ok(&["comment", "looks good", "1"]);
    assert_snapshot!(work.godzilla(&["show"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    updated   [TIME]
    unshared  9 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
      ✓ 01-the-form  completed  The form  1 commit
    → ○ 02-the-api   pending    The API

    step 02-the-api can start: commit on branch 0001-add-a-login-page, or start it
    next: git godzilla start 02-the-api -p 0001-add-a-login-page
    ");
    assert_snapshot!(a.godzilla(&["log", "1"]), @r"
    [TIME]  plan 0001-add-a-login-page: Add a login page  Ada (human)
    [TIME]  protocol: pending -> planned  Ada (human)
    [TIME]  commit [HASH]: feat(protocol): add plan for 0001-add-a-login-page [protocol-0001/00]  Ada (human)
    [TIME]  step 00-setup: pending -> completed  Ada (human)
    [TIME]  commit [HASH]: feat(login): the form [protocol-0001/01]  Ada (hook)
    [TIME]  protocol: planned -> running  Ada (hook)
    [TIME]  step 01-the-form: pending -> running  Ada (hook)
    [TIME]  step 01-the-form: running -> completed  Ada (hook)
    [TIME]  note on step 01-the-form: looks good  Ada (human)
    ");
    assert_snapshot!(a.godzilla(&["show"]), @r"
    --- stderr ---
    error: this is not the branch of a protocol, so say which one
    hint: git godzilla show 0001-add-a-login-page
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["show", "0001-add-a-login-pag"]), @r"
    --- stderr ---
    error: there is no protocol `0001-add-a-login-pag`
    hint: did you mean `0001-add-a-login-page`?
    [exit code: 3]
    ");
}

#[test]
fn ready_and_explain() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["ready"]), @"no step can start now");
    let work = login_page(&a);
    a.plan("Fix the till", &[]);
    assert_snapshot!(a.godzilla(&["ready"]), @r"
    0001-add-a-login-page/01-the-form  The form
    0002-fix-the-till/01-fix-the-till  Fix the till
    ");
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form can start: commit on branch 0001-add-a-login-page, or start it
    next: git godzilla start 01-the-form -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["explain", "--step", "2"]), @r"
    step 02-the-api waits for 01-the-form (pending)
    next: git godzilla explain 0001-add-a-login-page
    ");
}

#[test]
fn start_done_next() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["start", "2"]), @r#"
    --- stderr ---
    error: step 02-the-api waits for 01-the-form (pending)
    hint: finish it, or give it up with `git godzilla skip 01-the-form -p 0001-add-a-login-page --reason "…"`
    [exit code: 4]
    "#);
    assert_snapshot!(work.godzilla(&["start"]), @"● step 0001-add-a-login-page/01-the-form is running");
    assert_snapshot!(work.godzilla(&["start"]), @"● step 0001-add-a-login-page/01-the-form is running already");
    assert_snapshot!(work.godzilla(&["done"]), @r"
    --- stderr ---
    error: step 01-the-form has no commit yet
    hint: commit on the protocol's branch, or say `--no-commit` if there is nothing to commit
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["done", "--no-commit"]), @r"
    ✓ step 0001-add-a-login-page/01-the-form is completed
      next is 02-the-api (The API)
    ");
    assert_snapshot!(work.godzilla(&["next"]), @"● step 0001-add-a-login-page/02-the-api is running");
    work.commit("api.rs", "feat(login): the API");
    assert_snapshot!(work.godzilla(&["done"]), @r"
    ✓ step 0001-add-a-login-page/02-the-api is completed
      every step is settled: merge 0001-add-a-login-page into main
    ");
    assert_snapshot!(work.godzilla(&["next"]), @r"
    --- stderr ---
    error: every step is settled
    hint: merge the branch and push
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["done", "9"]), @r"
    --- stderr ---
    error: there is no step `9`
    hint: git godzilla show
    [exit code: 3]
    ");
}

#[test]
fn block_unblock_skip() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["block", "--reason", "no design yet"]), @"✗ step 0001-add-a-login-page/01-the-form is blocked");
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is blocked: no design yet
    next: git godzilla unblock 01-the-form -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["unblock"]), @"○ step 0001-add-a-login-page/01-the-form is pending");
    assert_snapshot!(work.godzilla(&["unblock"]), @r"
    --- stderr ---
    error: cannot unblock step 01-the-form: it is pending
    hint: git godzilla start 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["skip"]), @r"
    --- stderr ---
    error: the following required arguments were not provided:
      --reason <TEXT>

    Usage: git godzilla skip --reason <TEXT> [STEP]

    For more information, try '-h'.
    [exit code: 2]
    ");
    assert_snapshot!(work.godzilla(&["skip", "--reason", "not needed"]), @r"
    – step 0001-add-a-login-page/01-the-form is cancelled
      next is 02-the-api (The API)
    ");
}

#[test]
fn approve_and_retry() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    a.godzilla_ok(&["plan", "Add a login page", "--step", "The form", "--qa", "full"]);
    let work = world.place("a/worktrees/0001-add-a-login-page");
    assert_snapshot!(work.godzilla(&["approve"]), @r"
    --- stderr ---
    error: cannot approve step 01-the-form: it is pending
    hint: git godzilla start 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    work.commit("form.html", "feat(login): the form");
    assert_snapshot!(work.godzilla(&["done"]), @"◐ step 0001-add-a-login-page/01-the-form needs QA");
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is done and waits for QA (full): nothing has judged it yet
    next: git godzilla qa 01-the-form -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["retry"]), @r"
    --- stderr ---
    error: cannot retry step 01-the-form: it is needs_qa
    hint: git godzilla approve 01-the-form -p 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(work.godzilla(&["approve", "--reason", "read it"]), @r"
    ✓ step 0001-add-a-login-page/01-the-form is completed
      every step is settled: merge 0001-add-a-login-page into main
    ");
    assert_snapshot!(work.godzilla(&["status"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    updated   [TIME]
    unshared  9 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
      ✓ 01-the-form  completed  The form  1 commit

    every step is settled: the branch is ready to be merged into main
    next: git -C [WORLD]/a merge --no-ff 0001-add-a-login-page
    ");
}

#[test]
fn pause_resume_cancel() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    let work = login_page(&a);
    assert_snapshot!(a.godzilla(&["pause"]), @r"
    --- stderr ---
    error: this is not the branch of a protocol, so say which one
    hint: git godzilla pause 0001-add-a-login-page
    [exit code: 2]
    ");
    assert_snapshot!(a.godzilla(&["pause", "1", "--reason", "holidays"]), @"‖ protocol 0001-add-a-login-page is paused");
    assert_snapshot!(work.godzilla(&["start"]), @r"
    --- stderr ---
    error: 0001-add-a-login-page was paused by Ada: holidays
    hint: git godzilla resume 0001-add-a-login-page
    [exit code: 4]
    ");
    assert_snapshot!(a.godzilla(&["resume", "1"]), @"● protocol 0001-add-a-login-page is running");
    assert_snapshot!(a.godzilla(&["cancel", "1", "--reason", "no longer wanted"]), @"– protocol 0001-add-a-login-page is cancelled");
    assert_snapshot!(a.godzilla(&["cancel", "1"]), @"– protocol 0001-add-a-login-page is cancelled already");
    assert_snapshot!(a.godzilla(&["resume", "1"]), @r"
    --- stderr ---
    error: protocol 0001-add-a-login-page is cancelled
    hint: git godzilla log 0001-add-a-login-page
    [exit code: 4]
    ");
}

#[test]
fn complete_and_comment() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["comment", "ask Bob", "-p", "1"]), @"○ noted on protocol 0001-add-a-login-page");
    assert_snapshot!(a.godzilla(&["complete", "1"]), @r#"
    --- stderr ---
    error: a protocol is completed by merging its branch into its base
    hint: if it will never be merged: git godzilla complete NAME --unmerged --reason "…"
    [exit code: 4]
    "#);
    assert_snapshot!(a.godzilla(&["complete", "1", "--unmerged"]), @r#"
    --- stderr ---
    error: completing without a merge needs a reason
    hint: add `--reason "…"`
    [exit code: 2]
    "#);
    assert_snapshot!(a.godzilla(&["complete", "1", "--unmerged", "--reason", "an experiment"]), @"✓ protocol 0001-add-a-login-page is completed");
    assert_snapshot!(a.godzilla(&["list"]), @"✓ 0001-add-a-login-page  completed  1/3  not merged  Add a login page");
}

#[test]
fn sync_with_and_without_news() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["sync"]), @"✓ origin: 5 events pushed");
    assert_snapshot!(a.godzilla(&["sync"]), @"✓ origin is up to date");
    assert_snapshot!(a.godzilla(&["sync", "elsewhere"]), @r"
    --- stderr ---
    error: there is no remote `elsewhere`
    hint: did you mean `origin`?
    [exit code: 3]
    ");
}

#[test]
fn push_what_is_taken_and_what_is_not() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["push", "--dry-run", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [new branch]
    ✓ origin: 5 events would be pushed
    ");
    assert_snapshot!(a.godzilla(&["push", "-u", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [new branch]
    ✓ origin: 5 events pushed
    --- stderr ---
    branch '0001-add-a-login-page' set up to track 'origin/0001-add-a-login-page'.
    ");
    assert_snapshot!(a.godzilla(&["push", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [up to date]
    ✓ origin has the state
    ");
    a.git(&["push", "--quiet", "--no-verify", "origin", "0001-add-a-login-page:main"]);
    a.commit("README", "another first");
    assert_snapshot!(a.godzilla(&["push", "origin", "main"]), @r"
    ✗ main: [rejected] (non-fast-forward)
    ✓ origin has the state
    --- stderr ---
    error: failed to push some refs to '[WORLD]/srv.git'
    hint: Updates were rejected because the tip of your current branch is behind
    hint: its remote counterpart. If you want to integrate the remote changes,
    hint: use 'git pull' before pushing again.
    hint: See the 'Note about fast-forwards' in 'git push --help' for details.
    [exit code: 1]
    ");
    let hook = world.path().join("srv.git/hooks/update");
    world
        .place("srv.git")
        .write_executable("hooks/update", "#!/bin/sh\ncase $1 in refs/godzilla/*) exit 1;; esac\n");
    a.godzilla_ok(&["comment", "a word", "-p", "1"]);
    assert_snapshot!(a.godzilla(&["push", "origin", "0001-add-a-login-page"]), @r"
    ✓ 0001-add-a-login-page: [up to date]
    --- stderr ---
    remote: error: hook declined to update refs/godzilla/protocols/0001-add-a-login-page
    error: failed to push some refs to '[WORLD]/srv.git'
    warning: 1 event not on origin ([remote rejected] (hook declined))
    share them with `git godzilla sync`
    ");
    std::fs::remove_file(hook).unwrap();
    assert_snapshot!(a.godzilla(&["push", "elsewhere", "main"]), @r"
    --- stderr ---
    fatal: 'elsewhere' does not appear to be a git repository
    fatal: Could not read from remote repository.
    Please make sure you have the correct access rights
    and the repository exists.
    error: `elsewhere` cannot be reached: Could not read from remote repository.
    hint: nothing was pushed; try again when git's complaint above is seen to
    [exit code: 7]
    ");
}

#[test]
fn hooks_and_notes() {
    let world = World::new();
    let _mask = masked(&world);
    let a = world.clone("a");
    login_page(&a);
    assert_snapshot!(a.godzilla(&["hooks", "status"]), @r"
    prepare-commit-msg  called by git directly  git-godzilla
    commit-msg          called by git directly  git-godzilla
    post-commit         called by git directly  git-godzilla
    post-rewrite        called by git directly  git-godzilla
    pre-push            called by git directly  git-godzilla
    post-merge          called by git directly  git-godzilla
    post-checkout       called by git directly  git-godzilla
    ");
    assert_snapshot!(a.godzilla(&["hooks", "install"]), @"nothing to change");
    assert_snapshot!(a.godzilla(&["notes", "rebuild"]), @"1 note written; see `git log --notes=godzilla`");
}

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

/// Replaces how long gates took.
fn without_times() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\b\d+\.\d s\b", "[TOOK]");
    settings.bind_to_scope()
}

fn add_gate(a: &Place<'_>) {
    a.write("scripts/ci/lib.sh", "judge() { test ! -e broken; }\n");
    a.commit_gate("test.sh", "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\necho judging\njudge\n");
}

#[test]
fn trust_and_qa() {
    let world = World::new();
    let _took = without_times();
    let _mask = masked(&world);
    let a = world.clone("a");
    assert_snapshot!(a.godzilla(&["trust"]), @r"
    --- stderr ---
    error: there are no gates in scripts/ci of main
    hint: commit an executable such as scripts/ci/test.sh to the base
    [exit code: 4]
    ");
    add_gate(&a);
    let work = login_page(&a);
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    --- stderr ---
    error: nobody has agreed here to run the gates in scripts/ci
    hint: git godzilla trust -p 0001-add-a-login-page
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust"]), @r"
    0001-add-a-login-page is judged by 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: c0b263f26538a2544f1d1bc15b0c3a4361d53434ab1904b6983b002a4275f48c
    --- stderr ---
    error: nothing was agreed to: the gates in scripts/ci do not run
    hint: read them with `git godzilla trust --show`, then `git godzilla trust --yes`
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust", "--yes"]), @r"
    0001-add-a-login-page is judged by 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: c0b263f26538a2544f1d1bc15b0c3a4361d53434ab1904b6983b002a4275f48c
    ✓ agreed: the gates in scripts/ci may run in this clone
    ");
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    assert_snapshot!(work.godzilla(&["explain"]), @r"
    step 01-the-form is done and waits for QA (full): nothing has judged it yet
    next: git godzilla qa 01-the-form -p 0001-add-a-login-page
    ");
    work.write("broken", "");
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✗ FAIL: 0001-add-a-login-page/01-the-form, with what is not committed
    ◐ step 0001-add-a-login-page/01-the-form needs QA
    --- stderr ---
    ▶ test
    judging
    ✗ test failed with exit code 1 [TOOK]
    [exit code: 1]
    ");
    std::fs::remove_file(work.path.join("broken")).unwrap();
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✓ PASS: 1 gate of 0001-add-a-login-page/01-the-form
    ✓ step 0001-add-a-login-page/01-the-form is completed
    --- stderr ---
    ▶ test
    judging
    ✓ test passed [TOOK]
    ");
}

#[test]
fn gates_of_a_branch() {
    let world = World::new();
    let _took = without_times();
    let _mask = masked(&world);
    let a = world.clone("a");
    add_gate(&a);
    let work = login_page(&a);
    work.godzilla_ok(&["trust", "--yes"]);
    work.commit("form", "feat: the form");
    work.write("scripts/ci/lib.sh", "judge() { true; }\n");
    work.git(&["commit", "--quiet", "-am", "ci: kinder"]);
    assert_snapshot!(work.godzilla(&["qa"]), @r"
    ✓ PASS: 1 gate of 0001-add-a-login-page/01-the-form
    ● step 0001-add-a-login-page/01-the-form is running
      the work on it has not ended: git godzilla done 01-the-form -p 0001-add-a-login-page
    --- stderr ---
    ▶ test
    judging
    ✓ test passed [TOOK]
    warning: the gates of the branch are others (lib.sh); the base's have judged it. To accept the branch's: git godzilla trust --gates -p 0001-add-a-login-page
    ");
    assert_snapshot!(work.godzilla(&["trust", "--gates"]), @r"
    the branch of 0001-add-a-login-page has 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: 46fde866ef939892102d6c0e3429d2409d1c5987193e83408057d6558bf43004

    what changed since you agreed last:
    diff --git a/lib.sh b/lib.sh
    index b7c32a8..42ef208 100644
    --- a/lib.sh
    +++ b/lib.sh
    @@ -1 +1 @@
    -judge() { test ! -e broken; }
    +judge() { true; }
    --- stderr ---
    error: nothing was agreed to: the gates in scripts/ci do not run
    hint: read them with `git godzilla trust --show`, then `git godzilla trust --yes`
    [exit code: 5]
    ");
    assert_snapshot!(work.godzilla(&["trust", "--gates", "--yes"]), @r"
    the branch of 0001-add-a-login-page has 1 gate in scripts/ci:
      100644  lib.sh  may be used by a gate
      100755  test.sh  runs as test
    sha256 of all of it: 46fde866ef939892102d6c0e3429d2409d1c5987193e83408057d6558bf43004

    what changed since you agreed last:
    diff --git a/lib.sh b/lib.sh
    index b7c32a8..42ef208 100644
    --- a/lib.sh
    +++ b/lib.sh
    @@ -1 +1 @@
    -judge() { test ! -e broken; }
    +judge() { true; }
    ✓ agreed: the gates in scripts/ci may run in this clone
      they judge 0001-add-a-login-page from now on, in every clone that has agreed to run them
    ");
    assert_snapshot!(work.godzilla(&["trust", "--revoke"]), @"took back 2 agreements; nothing of it runs here any more");
    assert_snapshot!(work.godzilla(&["show"]), @r"
    0001-add-a-login-page  Add a login page
    status    ● running
    branch    0001-add-a-login-page from main at [HASH]
    worktree  [WORLD]/a/worktrees/0001-add-a-login-page
    gates     [HASH] were accepted in place of the base's
    updated   [TIME]
    unshared  10 events; `git push` or `git godzilla sync` shares what is new

      ✓ 00-setup     completed  Set up    1 commit
    → ● 01-the-form  running    The form  2 commits, QA pass
      ○ 02-the-api   pending    The API

    step 01-the-form is being worked on; tick its last box, or say that it is done
    next: git godzilla done 01-the-form -p 0001-add-a-login-page
    ");
}
