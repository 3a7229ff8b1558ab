//! What a person sees: each command once or twice, as one text of stdout, stderr and exit code.

mod command_line;
mod elsewhere;
mod judged;
mod remotes;
mod verbs;
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
