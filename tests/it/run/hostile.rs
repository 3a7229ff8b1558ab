//! Engines that do what they must not.

use std::fs;

use serde_json::Value;

use super::{engine, json};
use crate::support::World;

fn findings(ran: &Value) -> String {
    ran["notices"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn hooks_configuration_and_consent_are_put_back() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
rm -rf "$common/hooks"
git config core.fsmonitor 'touch /tmp/owned'
echo '{"v":1,"gates":[],"terms":[]}' >"$common/godzilla/trust.json"
echo form >form.html
echo "$DONE""#,
    );
    let hooks = || {
        let mut names: Vec<_> =
            fs::read_dir(a.path.join(".git/hooks")).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (before, config) = (hooks(), a.read(".git/config"));
    let ran = work.godzilla(&["run", "--json"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    let ran = json(&ran);
    assert_eq!((&ran["result"], &ran["commit"]), (&"denied".into(), &Value::Null), "{ran}");
    assert!(findings(&ran).contains("hooks/") && findings(&ran).contains("put back"), "{ran}");
    assert_eq!(hooks(), before);
    assert_eq!(a.read(".git/config"), config);
    assert!(!a.path.join(".git/godzilla/trust.json").exists());
    // What it did lies there, for a person to look at.
    assert_eq!(work.read("form.html"), "form\n");
    assert_eq!(work.json(&["show"])["steps"][1]["status"], "failed");
}

#[test]
fn commits_that_it_takes_the_branch_away_from_are_not_lost() {
    let world = World::new();
    let (_, work) = engine(&world, r#"git reset --quiet --hard HEAD~1; echo form >form.html; echo "$DONE""#);
    work.commit("mine", "feat: mine");
    let before = work.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!((&ran["result"], &ran["commit"]), (&"denied".into(), &Value::Null), "{ran}");
    let remedy = format!("reset --hard {before}");
    assert!(findings(&ran).contains(&remedy), "{ran}");
    work.git(&["reset", "--quiet", "--hard", &before]);
    assert_eq!(work.read("mine"), "feat: mine\n");
}

#[test]
fn what_it_writes_elsewhere_is_told() {
    let world = World::new();
    let (a, work) =
        engine(&world, r#"echo x >../../elsewhere.txt; git branch sly; echo form >form.html; echo "$DONE""#);
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert!(findings(&ran).contains("elsewhere.txt"), "{ran}");
    assert!(findings(&ran).contains("git update-ref -d refs/heads/sly"), "{ran}");
    assert!(a.path.join("elsewhere.txt").exists(), "it is told and not touched: it may be a person's");
}

#[test]
fn keys_are_stored_nowhere() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"echo "the key is $SECRET_API_KEY"; echo form >form.html
echo "{\"v\":1,\"status\":\"succeeded\",\"message\":\"used $SECRET_API_KEY\"}""#,
    );
    a.git(&["config", "godzilla.engines.sh.keyEnv", "SECRET_API_KEY"]);
    let key = ["kq7", "Zz81mR", "xwP0", "tY"].concat();
    let ran = crate::support::run(
        work.command(crate::support::BIN).args(["run", "--json"]).env("SECRET_API_KEY", &key),
    );
    assert_eq!(ran.code, Some(0), "{ran}");
    let log = work.godzilla_ok(&["logs"]);
    assert!(log.contains("the key is [redacted"), "{log}");
    let events = work.godzilla_ok(&["log", "--all", "--json"]);
    assert!(events.contains("run.finished") && !events.contains(&key), "{events}");
    let found = crate::support::run(a.command("grep").args(["-rl", &key, ".git"]));
    assert_eq!(found.stdout, "", "{found}");
}

#[test]
fn a_daemon_ends_with_the_run() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"setsid sh -c 'echo $$ >"$1"; while :; do sleep 1000; done' daemon "$0.pid" >/dev/null 2>&1 &
while test ! -s "$0.pid"; do :; done
echo form >form.html
echo "$DONE""#,
    );
    let ran = work.godzilla(&["run"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let pid = a.read("../sh-engine.pid");
    let alive = crate::support::run(a.command("kill").args(["-0", pid.trim()]));
    assert_ne!(alive.code, Some(0), "the daemon goes on");
}

#[test]
fn saying_done_proves_nothing() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\ntest -f form.html\n");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    super::set(&a, "sh", r#"echo x >other.txt; echo "$DONE""#);
    let ran = json(&work.godzilla(&["run", "--engine", "sh", "--qa", "--json"]));
    assert_eq!((&ran["result"], &ran["verdict"]), (&"succeeded".into(), &"fail".into()), "{ran}");
    assert_eq!(ran["status"], "failed");
}

#[test]
fn what_it_says_in_any_form_ends_somehow() {
    for (script, result, status) in [
        (r"echo x >x; exit 3", "crashed", "failed"),
        (r#"echo "no answer at all""#, "crashed", "failed"),
        (r#"echo '{"v":1,"status":"magnificent"}'"#, "crashed", "failed"),
        (r#"echo '{"v":1,"status":"refused","message":"no"}'"#, "refused", "failed"),
        (r#"echo '{"v":1,"status":"context-too-long"}'"#, "context-too-long", "failed"),
        (r#"echo '{"v":1,"status":"auth","message":"log in"}'"#, "auth", "running"),
        (r#"head -c 3000000 /dev/zero | tr '\0' a; echo; echo x >x; echo "$DONE""#, "succeeded", "completed"),
        ("printf '\\377\\376\\n'; echo x >x; echo \"$DONE\"", "succeeded", "completed"),
    ] {
        let world = World::new();
        let (_, work) = engine(&world, script);
        let ran = json(&work.godzilla(&["run", "--json"]));
        assert_eq!((&ran["result"], &ran["status"]), (&result.into(), &status.into()), "{script}: {ran}");
    }
}

#[test]
fn it_decides_nothing_in_a_persons_name() {
    let world = World::new();
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\nexit 1\n");
    let work = a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    let script = format!(
        r#"export GIT_CONFIG_GLOBAL="$HOME/gitconfig"
{bin} done 1 --no-commit; {bin} approve 1; echo "said $?"
rm -f "$(git rev-parse --path-format=absolute --git-common-dir)"/godzilla/locks/run-*
env -u GODZILLA_RUN {bin} done 1 --no-commit; env -u GODZILLA_RUN {bin} approve 1 --reason sure
echo x >other.txt; echo "$DONE""#,
        bin = crate::support::BIN
    );
    super::set(&a, "sh", &script);
    let ran = json(&work.godzilla(&["run", "--engine", "sh", "--json"]));
    assert!(work.godzilla_ok(&["logs"]).contains("said 5"), "it is refused where it says who asks: {ran}");
    assert!(findings(&ran).contains("taken back"), "{ran}");
    assert_eq!(ran["status"], "needs_qa", "{ran}");
    assert_eq!(work.godzilla(&["qa"]).code, Some(1));
}

#[test]
fn hooks_of_any_size_and_refs_of_ours_are_put_back() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"common=$(git rev-parse --path-format=absolute --git-common-dir)
{ echo '#!/bin/sh'; head -c 5000000 /dev/zero | tr '\0' '#'; } >"$common/hooks/pre-rebase"
chmod +x "$common/hooks/pre-rebase"
mkfifo "$common/info/pipe"
git update-ref -d refs/godzilla/protocols/0001-add-a-login
git for-each-ref --format='delete %(refname)' refs/godzilla-local | git update-ref --stdin
echo form >form.html
echo "$DONE""#,
    );
    work.write("mine.txt", "mine\n");
    let ran = json(&work.godzilla(&["run", "--include-dirty", "--json"]));
    assert_eq!(ran["result"], "denied", "{ran}");
    assert!(
        !a.path.join(".git/hooks/pre-rebase").exists() && !a.path.join(".git/info/pipe").exists(),
        "{ran}"
    );
    let snapshot = ran["snapshot"].as_str().unwrap();
    assert_eq!(a.git(&["cat-file", "blob", &format!("{snapshot}:mine.txt")]), "mine\n");
    assert_eq!(work.json(&["runs"])["runs"][0]["status"], "denied");
}

#[test]
fn a_repository_within_it_is_not_committed_as_nothing() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        r#"git init -q inner; (cd inner; echo s >s; git add s; git -c user.name=e -c user.email=e@e.e commit -qm s); echo "$DONE""#,
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!((&ran["result"], &ran["commit"]), (&"denied".into(), &Value::Null), "{ran}");
    assert!(findings(&ran).contains("inner"), "{ran}");
}

#[test]
fn a_commit_of_an_engine_ends_no_step() {
    let world = World::new();
    let (a, work) = engine(
        &world,
        r#"for step in 01-the-form 02-the-api; do
git -c user.name=e -c user.email=e@e.e commit -q --allow-empty -m "feat: a

Godzilla-Step: 0001-add-a-login/$step
Godzilla-Status: done"
done
echo '{"v":1,"status":"refused","message":"no"}'"#,
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "refused", "{ran}");
    let statuses = a.statuses(super::NAME);
    assert!(!statuses[1..].contains(&"completed".to_owned()), "{statuses:?}");
}

#[test]
fn flags_of_the_index_and_pipes_hold_nothing_up() {
    let world = World::new();
    let (a, work) =
        engine(&world, r#"git update-index --skip-worktree tracked; echo evil >>tracked; echo "$DONE""#);
    work.commit("tracked", "feat: a file");
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    assert!(work.git(&["show", "HEAD:tracked"]).contains("evil"));
    crate::support::run(a.command("mkfifo").arg(work.path.join("godzilla.toml")));
    let shown = work.godzilla(&["status"]);
    assert_eq!(shown.code, Some(0), "{shown}");
}

#[test]
fn nothing_is_decided_while_it_works() {
    let world = World::new();
    let (_, work) = engine(
        &world,
        &format!(
            r#"export GIT_CONFIG_GLOBAL="$HOME/gitconfig"
env -u GODZILLA_RUN {bin} skip 2 --reason z; echo "skip $?"
env -u GODZILLA_RUN {bin} cancel; echo "cancel $?"
env -u GODZILLA_RUN {bin} plan --amend; echo "amend $?"
echo x >x; echo "$DONE""#,
            bin = crate::support::BIN
        ),
    );
    let ran = json(&work.godzilla(&["run", "--json"]));
    assert_eq!(ran["result"], "succeeded", "{ran}");
    let log = work.godzilla_ok(&["logs"]);
    for said in ["skip 4", "cancel 4", "amend 4"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
