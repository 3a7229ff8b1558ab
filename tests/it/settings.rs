//! Settings as a real git and a real environment give them.

use git_godzilla::platform::git::Repo;
use git_godzilla::service::settings::{Origin, Settings};
use serde_json::Value;

use crate::support::{BIN, Place, World, run};

/// `value (origin)` of a key.
fn shown(place: &Place<'_>, vars: &[(&str, &str)], key: &str) -> String {
    let mut command = place.command(BIN);
    let shown = run(command.args(["config", "show", "--json"]).envs(vars.iter().copied()));
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"));
    let entry = document["entries"].as_array().unwrap().iter().find(|entry| entry["key"] == key).unwrap();
    format!("{} ({})", entry["value"], entry["origin"].as_str().unwrap())
}

#[test]
fn each_scope_of_git_config_is_told_apart() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let when = |vars: &[(&str, &str)]| shown(&a, vars, "qa.when");
    assert_eq!(when(&[]), r#""manual" (default)"#);
    a.write("godzilla.toml", "[qa]\nwhen = 'push'\n");
    assert_eq!(when(&[]), r#""push" (godzilla.toml)"#);
    a.git(&["config", "--global", "godzilla.qa.when", "done"]);
    assert_eq!(when(&[]), r#""done" (git config (global))"#);
    a.git(&["config", "godzilla.qa.WHEN", "push"]);
    assert_eq!(when(&[]), r#""push" (git config (local))"#);
    a.git(&["config", "extensions.worktreeConfig", "true"]);
    a.git(&["config", "--worktree", "godzilla.qa.when", "done"]);
    assert_eq!(when(&[]), r#""done" (git config (worktree))"#);
    let inherited = ("GIT_CONFIG_PARAMETERS", "'godzilla.qa.when'='push'");
    assert_eq!(when(&[inherited]), r#""push" (git config (command))"#);
    assert_eq!(when(&[inherited, ("GODZILLA_QA_WHEN", "done")]), r#""done" (environment GODZILLA_QA_WHEN)"#);
    // A mistake in an upper layer uncovers the one below it.
    assert_eq!(when(&[("GODZILLA_QA_WHEN", "never")]), r#""done" (git config (worktree))"#);

    a.git(&["config", "--add", "godzilla.ci.required", "lint, fast"]);
    a.git(&["config", "--add", "godzilla.ci.required", "test"]);
    assert_eq!(shown(&a, &[], "ci.required"), r#"["lint, fast","test"] (git config (local))"#);
}

#[test]
fn a_branch_is_judged_by_the_file_of_a_commit() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    let empty = a.git(&["rev-parse", "HEAD"]);
    a.write("godzilla.toml", "[worktree]\nroot = 'wt'\n");
    a.git(&["add", "."]);
    a.git(&["commit", "--quiet", "-m", "settings"]);
    let commit = a.git(&["rev-parse", "HEAD"]);
    a.write("godzilla.toml", "[worktree]\nroot = 'mine'\n");
    a.git(&["config", "godzilla.sync.auto", "false"]);

    let repo = Repo::discover(&a.path).unwrap();
    assert_eq!(Settings::load(&repo).worktree_root, "mine");
    let judged = Settings::load_at(&repo, commit.trim().parse().unwrap());
    assert_eq!((judged.worktree_root.as_str(), judged.sync_auto), ("wt", false));
    let entry = judged.entries.iter().find(|entry| entry.key == "worktree.root").unwrap();
    assert_eq!(entry.origin, Origin::Commit(commit.trim().parse().unwrap()));
    assert_eq!(Settings::load_at(&repo, empty.trim().parse().unwrap()).worktree_root, "worktrees");
    let missing = Settings::load_at(&repo, "ab".repeat(20).parse().unwrap());
    assert_eq!(missing.warnings.len(), 1, "{:?}", missing.warnings);
}

#[test]
fn what_is_no_file_or_too_long_is_ignored() {
    let world = World::new();
    let a = world.bare_clone_of("a");
    a.write("godzilla.toml", &format!("[qa]\nwhen = 'push'\n# {}", "x".repeat(256 * 1024)));
    let repo = Repo::discover(&a.path).unwrap();
    assert_eq!(Settings::load(&repo).warnings, ["godzilla.toml has more than 256 KiB; it is ignored"]);
    a.git(&["add", "."]);
    a.git(&["commit", "--quiet", "-m", "settings"]);
    let commit = a.git(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    let judged = Settings::load_at(&Repo::discover(&a.path).unwrap(), commit);
    assert!(judged.warnings[0].ends_with("has more than 256 KiB; it is ignored"), "{:?}", judged.warnings);
    std::fs::remove_file(a.path.join("godzilla.toml")).unwrap();
    a.write("godzilla.toml/x", "");
    assert_eq!(Settings::load(&repo).warnings, ["godzilla.toml is not a file; it is ignored"]);
}
