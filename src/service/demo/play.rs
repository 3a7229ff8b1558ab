//! The play, in chapters.

use serde_json::Value;

use super::Error;
use super::stage::{Person, Stage, counted};

pub(super) const PROTOCOL: &str = "0001-add-a-login-page";

const FORM: &str = ".protocols/0001-add-a-login-page/01-the-form.md";

/// Plays all chapters and returns the two people whose clones must agree.
pub(super) fn play(stage: &mut Stage<'_>) -> Result<(Person, Person), Error> {
    let mut ada = stage.enter("ada", Some("ada@example.com"))?;
    let mut bob = stage.enter("bob", Some("bob@example.com"))?;
    let mut ci = stage.enter("ci", None)?;
    set_up(stage, &mut ada)?;
    plan(stage, &mut ada)?;
    work(stage, &mut ada)?;
    share(stage, &mut ada, &mut bob)?;
    ci_says(stage, &mut ada, &mut ci)?;
    offline_together(stage, &mut ada, &mut bob)?;
    merge(stage, &mut bob)?;
    everywhere_the_same(stage, &mut ada)?;
    Ok((ada, bob))
}

fn set_up(stage: &mut Stage<'_>, ada: &mut Person) -> Result<(), Error> {
    stage.chapter("Set up", "a bare repository as the server, and one clone");
    let mut server = stage.enter("server", None)?;
    stage.run(&mut server, &[&["git", "init", "--bare", "server.git"]])?;
    stage.run(ada, &[&["git", "clone", "server.git", "ada"], &["cd", "ada"]])?;
    ada.write("README.md", "# A shop\n")?;
    stage.run(ada, &[&["git", "add", "--all"], &["git", "commit", "-m", "docs: begin"], &["git", "push"]])?;
    stage.run(ada, &[&["git", "godzilla", "init"]])?;
    let status: Value =
        serde_json::from_str(&stage.ask(ada, &["hooks", "status", "--json"])?).unwrap_or_default();
    let hooks = status["hooks"].as_array().into_iter().flatten();
    let n_hooks = hooks.filter(|hook| hook["called"] == true).count();
    stage.news(format!("{n_hooks} hooks installed; git push and git pull carry the state from now on"));
    Ok(())
}

fn plan(stage: &mut Stage<'_>, ada: &mut Person) -> Result<(), Error> {
    stage.chapter("Plan", "a task becomes a protocol: a number, a branch, a worktree, steps");
    let (form, api) = ("The form", "The API");
    let plan = ["git", "godzilla", "plan", "Add a login page", "--step", form, "--step", api];
    stage.run(ada, &[&plan])?;
    stage.look(ada)?;
    stage.run(ada, &[&["cd", "worktrees/0001-add-a-login-page"]])?;
    Ok(())
}

fn work(stage: &mut Stage<'_>, ada: &mut Person) -> Result<(), Error> {
    stage.chapter("Work", "plain commits move the steps; the hooks see them");
    stage.aside("ada writes form.html");
    ada.write("form.html", "<form><input name=user><input name=password></form>\n")?;
    stage.run(ada, &[&["git", "add", "--all"], &["git", "commit", "-m", "feat(login): the form"]])?;
    stage.look(ada)?;
    let message = stage.run(ada, &[&["git", "log", "-1", "--format=%B"]])?;
    stage.output(&message);
    stage.aside("ada adds a button, and ticks the last box of 01-the-form.md");
    ada.write("form.html", "<form><input name=user><input name=password><button></form>\n")?;
    ada.tick(FORM)?;
    stage.run(ada, &[&["git", "commit", "--all", "-m", "feat(login): a button"]])?;
    stage.look(ada)
}

fn share(stage: &mut Stage<'_>, ada: &mut Person, bob: &mut Person) -> Result<(), Error> {
    stage.chapter("Share", "git push takes the state along; another clone has it after init");
    push(stage, ada, &["git", "push", "--set-upstream", "origin", "HEAD"])?;
    stage.run(bob, &[&["git", "clone", "server.git", "bob"], &["cd", "bob"]])?;
    stage.run(bob, &[&["git", "godzilla", "init"]])?;
    stage.look_at_news(bob)
}

fn ci_says(stage: &mut Stage<'_>, ada: &mut Person, ci: &mut Person) -> Result<(), Error> {
    stage.chapter("CI says", "a checkout of depth 1, without history, identity or setup, reports");
    ada.write("api.rs", "fn login() -> bool {\n    false\n}\n")?;
    stage.run(ada, &[&["git", "add", "--all"], &["git", "commit", "-m", "feat(login): the API"]])?;
    stage.look(ada)?;
    push(stage, ada, &["git", "push"])?;

    let remote = ["git", "remote", "add", "origin", "../server.git"];
    stage.run(ci, &[&["git", "init", "ci"], &["cd", "ci"], &remote])?;
    let fetch = ["git", "fetch", "--depth", "1", "origin", PROTOCOL];
    let checkout = ["git", "checkout", "--detach", "FETCH_HEAD"];
    stage.run(ci, &[&fetch, &checkout])?;
    stage.run(ci, &[&["git", "godzilla", "ci-report", "failure", "--job", "test"]])?;
    stage.run(ada, &[&["git", "fetch"]])?;
    stage.look(ada)?;

    stage.aside("ada fixes it");
    ada.write("api.rs", "fn login() -> bool {\n    true\n}\n")?;
    stage.run(ada, &[&["git", "commit", "--all", "-m", "fix(login): let people in"], &["git", "push"]])?;
    stage.look(ada)?;
    stage.run(ci, &[&fetch, &checkout])?;
    stage.run(ci, &[&["git", "godzilla", "ci-report", "success", "--job", "test"]])?;
    stage.run(ada, &[&["git", "fetch"]])?;
    stage.look(ada)
}

fn offline_together(stage: &mut Stage<'_>, ada: &mut Person, bob: &mut Person) -> Result<(), Error> {
    stage.chapter("Offline together", "both act at once, and neither knows of the other");
    stage.run(bob, &[&["git", "pull"], &["git", "switch", PROTOCOL]])?;
    stage.look_at_news(bob)?;
    stage.aside("from here on nobody has a network");
    stage.run(ada, &[&["git", "godzilla", "done"]])?;
    stage.look(ada)?;
    bob.write("api_test.rs", "#[test]\nfn people_get_in() {}\n")?;
    stage.run(bob, &[&["git", "add", "--all"], &["git", "commit", "-m", "test(login): people get in"]])?;
    let comment = ["git", "godzilla", "comment", "the API answers in 3 ms", "2"];
    stage.run(bob, &[&comment, &["git", "godzilla", "done"]])?;
    stage.look(bob)?;
    stage.aside("the network is back");
    push(stage, bob, &["git", "push"])?;
    stage.run(ada, &[&["git", "pull"]])?;
    stage.look_at_news(ada)?;
    push(stage, ada, &["git", "push"])?;
    stage.run(bob, &[&["git", "pull"]])?;
    stage.look_at_news(bob)?;
    stage.aside("one of the two counts, the same one everywhere; nobody is asked to resolve anything");
    Ok(())
}

fn merge(stage: &mut Stage<'_>, bob: &mut Person) -> Result<(), Error> {
    stage.chapter("Merge", "a merge into the base completes the protocol, whoever does it");
    stage.run(bob, &[&["git", "switch", "main"], &["git", "merge", "--no-ff", "--no-edit", PROTOCOL]])?;
    stage.run(bob, &[&["git", "push"]])?;
    stage.look(bob)?;
    push(stage, bob, &["git", "godzilla", "sync"])
}

fn everywhere_the_same(stage: &mut Stage<'_>, ada: &mut Person) -> Result<(), Error> {
    stage.chapter("Everywhere the same", "no server kept any of this: it is all in the repository");
    stage.run(ada, &[&["cd", "../.."], &["git", "pull"]])?;
    stage.look(ada)
}

/// Pushes, and tells how many events went along.
fn push(stage: &mut Stage<'_>, person: &mut Person, words: &[&str]) -> Result<(), Error> {
    let before = unshared(stage, person)?;
    stage.run(person, &[words])?;
    let sent = before.saturating_sub(unshared(stage, person)?);
    stage.news(format!("{} went along", counted(sent, "event")));
    Ok(())
}

fn unshared(stage: &Stage<'_>, person: &Person) -> Result<usize, Error> {
    let shown = stage.ask(person, &["show", PROTOCOL, "--json"])?;
    let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
    Ok(shown["unshared_events"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or(0))
}
