//! What engines leave where nobody looks.

use super::{NAME, engine, json};
use crate::support::{Nobody, World, run};

fn notices(ran: &serde_json::Value) -> String {
    ran["notices"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn files_that_it_hides_by_rules_of_its_own_are_told() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"echo x >built.o; echo x >secret.txt; mkdir sly sly/deep; echo x >sly/deep/file; echo '*' >sly/.gitignore
printf 'secret.txt\n' >>.gitignore; git add -f secret.txt; echo form >form.html; echo "$DONE""#,
    );
    work.write(".gitignore", "*.o\n*.old\n");
    work.git(&["add", "."]);
    work.git(&["commit", "--quiet", "-m", "chore: rules"]);
    work.write("mine.old", "mine\n");
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    let said = notices(&ran);
    assert!(
        said.contains("hidden from git") && said.contains("secret.txt") && said.contains("sly/"),
        "{said}"
    );
    assert!(
        !said.contains("built.o") && !said.contains("mine.old"),
        "rules that were there are no news: {said}"
    );
}

#[test]
fn rules_beside_the_worktree_hide_nothing() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"echo 'sly*' >>"$(git rev-parse --path-format=absolute --git-common-dir)/info/exclude"; echo x >sly.txt; echo "$DONE""#,
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "denied", "{ran}");
    assert!(ran["changed"].as_array().unwrap().contains(&"sly.txt".into()), "{ran}");
}

#[test]
fn pipes_that_git_would_read_are_refused_before_it_is_asked() {
    for name in [".gitignore", "a/b/.gitattributes", ".gitmodules", ".mailmap"] {
        let world = World::new();
        let (_, work) =
            engine(&world, &format!(r#"mkdir -p a/b; mkfifo {name}; echo form >form.html; echo "$DONE""#));
        let ran = json(&work.godzilla(&["run", "--json"]));
        assert_eq!(ran["result"], "denied", "{name}: {ran}");
        assert!(notices(&ran).contains(&format!("{name}`, which is no file")), "{name}: {ran}");
        for command in ["run", "qa"] {
            let refused = work.godzilla(&[command, "--json"]);
            assert_eq!(refused.code, Some(4), "{refused}");
            let error = json(&refused);
            assert_eq!(error["code"], "worktree.pipe", "{error}");
            assert!(error["hint"].as_str().unwrap().starts_with("rm '"), "{error}");
        }
        std::fs::remove_file(work.path.join(name)).unwrap();
        let again = work.godzilla(&["run", "--json"]);
        assert_eq!(json(&again)["result"], "denied", "it makes it again: {again}");
    }
}

#[test]
fn a_pipe_in_another_worktree_holds_nothing_up() {
    let world = World::new();
    let (_, work) = engine(&world, r#"mkfifo ../../.gitignore; echo form >form.html; echo "$DONE""#);
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    assert!(notices(&ran).contains("a/.gitignore"), "{ran}");
}

#[test]
fn what_is_made_outside_of_a_sparse_checkout_is_committed() {
    let world = World::new();
    let (_, work) =
        engine(&world, r#"mkdir -p other; echo new >other/new.txt; echo form >form.html; echo "$DONE""#);
    work.commit("other/old.txt", "feat: other");
    work.git(&["sparse-checkout", "set", ".protocols"]);
    assert!(!work.path.join("other").exists());
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    assert_eq!(work.git(&["show", "HEAD:other/new.txt"]), "new\n");
    assert_eq!(work.git(&["show", "HEAD:other/old.txt"]), "feat: other\n", "what is left out is not gone");
}

#[test]
fn branches_of_remotes_and_the_stash_are_told() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"git push --quiet origin HEAD:refs/heads/sly; git stash drop --quiet; echo form >form.html; echo "$DONE""#,
    );
    work.write("README", "changed\n");
    work.git(&["stash"]);
    let stashed = work.git(&["rev-parse", "refs/stash"]).trim().to_owned();
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    let said = notices(&ran);
    assert!(
        said.contains("somebody pushed or fetched") && said.contains("refs/remotes/origin/sly"),
        "{said}"
    );
    let back = format!("git stash store {stashed}");
    assert!(said.contains(&back), "{said}");
    work.git(&back.split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!(work.git(&["stash", "show", "-p"]).matches("changed").count(), 1);
}

#[test]
fn the_folders_of_runs_are_made_again() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"echo thinking; if test "$GODZILLA_STEP" != 01-the-form; then rm -rf "$(git rev-parse --git-common-dir)/godzilla/runs"; fi
echo "$GODZILLA_STEP" >>steps; echo "$DONE""#,
    );
    work.godzilla_ok(&["run"]);
    let ran = work.godzilla(&["run", "--json"]);
    assert_eq!(json(&ran)["result"], "denied", "{ran}");
    let said = json(&ran)["message"].as_str().unwrap().to_owned();
    assert!(said.contains("removed its own prompt and log"), "{said}");
    assert!(said.contains("of 1 other runs, which are lost"), "{said}");
    assert!(work.godzilla_ok(&["logs"]).contains("thinking"));
    let found = run(a.command("find").args([".git/godzilla/runs", "-name", "prompt.md"]));
    assert_eq!(found.stdout.lines().count(), 1, "{found}");
    assert_eq!(work.json(&["runs"])["runs"][1]["status"], "denied");
    assert_eq!(a.statuses(NAME)[1], "completed");
}

/// Git passes over a folder that it cannot read, and so it is not kept before a run.
#[test]
fn what_nobody_could_keep_before_it_is_told() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let (_, work) = engine(&world, r#"echo form >form.html; echo "$DONE""#);
    let ignored = "node_modules/";
    std::fs::write(world.path().join("a/.git/info/exclude"), format!("/worktrees/\n{ignored}\n")).unwrap();
    work.write("closed/inner", "mine\n");
    work.write(&format!("{ignored}closed/inner"), "anybody's\n");
    let nobody = Nobody::of(&world);
    let close = |mode| {
        for path in ["closed", "node_modules/closed"] {
            std::fs::set_permissions(work.path.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    close(0o000);
    let ran = nobody.json(&work, &["run"]);
    close(0o755);
    assert_eq!(ran["result"], "succeeded", "{ran}");
    let told = "not kept before the run, since it cannot be read: closed/";
    assert!(notices(&ran).lines().any(|line| line == told), "{ran}");
    assert_eq!(work.read("closed/inner"), "mine\n");
}
