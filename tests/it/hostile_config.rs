//! A repository whose configuration names programs: our own git runs none of them, and what the user
//! configured goes on working.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use crate::support::{BIN, Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";

/// Where a payload leaves its mark, and where a program of the user does.
const PAYLOAD: &str = "pwned";
const USERS: &str = "used";

/// A clone with a protocol, attributes that name drivers for every file, events that the remote lacks,
/// and a file that both sides of a squashed branch have changed.
fn prepared(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    a.write("shared.txt", "one\n");
    a.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    a.git(&["add", "."]);
    a.git(&["commit", "--quiet", "-m", "attributes"]);
    a.git(&["push", "--quiet", "origin", "HEAD:main"]);
    a.plan("Add a login", &["The form", "The API"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.write("shared.txt", "two\n");
    work.git(&["commit", "--quiet", "--all", "-m", "feat: the form"]);
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    a.git(&["merge", "--quiet", "--squash", NAME]);
    a.write("shared.txt", "three\n");
    a.git(&["commit", "--quiet", "--all", "-m", "all of it"]);
    a.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    work.godzilla_ok(&["comment", "not shared yet"]);
    (a, work)
}

/// A command that leaves a mark and fails.
fn mark(world: &World, mark: &str, what: &str) -> String {
    format!("touch '{}'; false", world.path().join(format!("{mark}-{what}")).display())
}

/// Returns which marks are there, and takes them away.
fn marks(world: &World, mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(mark) {
            std::fs::remove_file(path).unwrap();
            found.push(name);
        }
    }
    found
}

#[track_caller]
fn assert_nothing_ran(world: &World, by: &str) {
    let ran = marks(world, PAYLOAD);
    assert!(ran.is_empty(), "{by} ran {ran:?}");
}

/// Every key of git that names a program, with a payload of its own.
fn payloads(world: &World) -> Vec<(String, String)> {
    let keys = [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.askPass",
        "core.editor",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "pager.log",
        "pager.list",
        "pager.merge-tree",
        "sequence.editor",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "merge.evil.driver",
        "merge.tool",
        "mergetool.evil.cmd",
        "credential.helper",
        "credential.https://example.com.helper",
        "gpg.program",
        "gpg.ssh.program",
        "gpg.ssh.defaultKeyCommand",
        "remote.origin.uploadpack",
        "remote.origin.receivepack",
        "uploadpack.packObjectsHook",
        "trailer.evil.command",
        "trailer.evil.cmd",
        "interactive.diffFilter",
        "sendemail.sendmailCmd",
        "browser.evil.cmd",
        "man.evil.cmd",
        "submodule.evil.update",
    ];
    let mut all: Vec<(String, String)> = keys
        .iter()
        .map(|key| {
            let bang = matches!(*key, "credential.helper" | "submodule.evil.update");
            let command = mark(world, PAYLOAD, &key.replace(['/', ':'], "_"));
            ((*key).to_owned(), format!("{}{command}", if bang { "!" } else { "" }))
        })
        .collect();
    for name in ["list", "godzilla", "merge-tree", "rev-parse", "worktree", "remote-foo", "credential-evil"] {
        let command = mark(world, PAYLOAD, &format!("alias.{name}"));
        all.push((format!("alias.{name}"), format!("!{command}")));
    }
    for (key, value) in [
        ("merge.renormalize", "true"),
        ("filter.evil.required", "true"),
        ("commit.gpgSign", "true"),
        ("tag.gpgSign", "true"),
        ("push.gpgSign", "true"),
        ("protocol.allow", "always"),
        ("protocol.ext.allow", "always"),
        ("gc.auto", "1"),
        ("maintenance.auto", "true"),
        ("fetch.recurseSubmodules", "true"),
    ] {
        all.push((key.to_owned(), value.to_owned()));
    }
    all
}

fn set(place: &Place<'_>, file: &str, settings: &[(String, String)]) {
    for (key, value) in settings {
        place.git(&["config", "--file", file, "--replace-all", key, value]);
    }
}

/// Puts a program that leaves a mark into a folder, and returns its path.
fn script(world: &World, mark_by: &str, folder: &str, name: &str) -> String {
    let dir = world.path().join(folder);
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    let text = format!("#!/bin/sh\n{}\n", mark(world, mark_by, name));
    // A file that a child has written is not open here when it is run.
    let write = format!("cat >'{0}' && chmod +x '{0}'", path.display());
    let mut child = world.command("sh").arg("-c").arg(write).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    path.to_str().unwrap().to_owned()
}

/// Puts a hook for every event into a folder.
fn hooks(world: &World) -> String {
    for event in ["reference-transaction", "post-checkout", "pre-push", "post-index-change", "pre-auto-gc"] {
        script(world, PAYLOAD, "evil-hooks", event);
    }
    world.path().join("evil-hooks").to_str().unwrap().to_owned()
}

const READING: &[&[&str]] = &[
    &["list"],
    &["status"],
    &["status", "--all"],
    &["show", "1"],
    &["log", "1", "--all"],
    &["ready"],
    &["explain", "1"],
    &["spec", "show", "1"],
    &["spec", "validate", "1"],
    &["spec", "audit"],
    &["overlaps"],
    &["config", "show"],
    &["hooks", "status"],
    &["notes", "rebuild"],
    &["plan", "Another one", "--dry-run"],
    &["init", "--dry-run"],
    &["ci-report", "success", "--job", "j", "--output", "reports"],
    &["comment", "text", "-p", "1"],
    &["doctor"],
    &["doctor", "--fix"],
    &["worktrees", "list", "--size"],
    &["worktrees", "gc", "--dry-run"],
    &["worktrees", "remove", "1", "--force", "--dry-run"],
    &["restore", "--list"],
    &["undo", "--dry-run"],
];

/// Settings of the repository, of its worktree, of a file that it includes, and spelled in the old way.
#[test]
fn what_only_reads_runs_nothing_that_a_repository_names() {
    let world = World::new();
    let (a, work) = prepared(&world);
    let config = a.path.join(".git/config");
    let clean = std::fs::read_to_string(&config).unwrap();
    let (base, tip) = (a.git(&["rev-parse", "HEAD"]), work.git(&["rev-parse", "HEAD"]));
    let with_filters = [true, true, true, false];
    for (from, with_filters) in
        ["config", "config.worktree", "included", "config"].into_iter().zip(with_filters)
    {
        std::fs::write(&config, &clean).unwrap();
        if from == "included" {
            a.git(&["config", "include.path", "included"]);
        }
        a.git(&["config", "extensions.worktreeConfig", "true"]);
        let file = format!("{}/.git/{from}", a.path.display());
        let mut evil = payloads(&world);
        evil.retain(|(key, _)| with_filters || !key.starts_with("filter."));
        evil.push(("core.hooksPath".to_owned(), hooks(&world)));
        set(&a, &file, &evil);
        marks(&world, PAYLOAD);
        a.try_git(&["merge-tree", "--write-tree", base.trim(), tip.trim()]);
        a.try_git(&["status"]);
        let ran = marks(&world, PAYLOAD);
        let live = if with_filters { "pwned-filter.evil.process" } else { "pwned-merge.evil.driver" };
        assert!(ran.iter().any(|mark| mark == live), "the payloads must be live: {ran:?}");
        for place in [&a, &work] {
            for args in READING {
                std::fs::remove_file(a.path.join(".git/godzilla/cache/list")).ok();
                place.godzilla(args);
                assert_nothing_ran(&world, &format!("{args:?} with {from}"));
            }
        }
        std::fs::remove_file(file).ok();
    }
}

/// A removal looks at every file, twice, and moves and removes them.
#[test]
fn what_removes_a_worktree_runs_nothing_that_a_repository_names() {
    let world = World::new();
    let (a, work) = prepared(&world);
    let other = a.plan("Something else", &["One"]);
    work.write("shared.txt", "changed\n");
    work.write("new.txt", "new\n");
    set(&a, &format!("{}/.git/config", a.path.display()), &payloads(&world));
    a.git(&["config", "core.hooksPath", &hooks(&world)]);
    marks(&world, PAYLOAD);
    let shown = a.godzilla(&["worktrees", "remove", "1", "--force"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    assert_nothing_ran(&world, "worktrees remove");
    assert!(!work.path.exists());
    let shown = a.godzilla(&["restore", "1"]);
    assert!(shown.code == Some(0) && shown.stderr.contains("unfiltered"), "{shown}");
    assert_nothing_ran(&world, "restore into a new worktree");
    assert_eq!((work.read("shared.txt"), work.read("new.txt")), ("changed\n".into(), "new\n".into()));
    for args in [["undo"], ["redo"]] {
        a.godzilla_ok(&args);
        assert_nothing_ran(&world, args[0]);
        assert_eq!(other.path.join("shared.txt").exists(), args == ["redo"]);
    }
    // A worktree is there: nothing is left for a program to do.
    work.write("new.txt", "other\n");
    set(&a, &format!("{}/.git/config", a.path.display()), &payloads(&world));
    marks(&world, PAYLOAD);
    a.godzilla_ok(&["restore", "1"]);
    assert_nothing_ran(&world, "restore");
}

/// Git fetches what is missing of a partial clone on the way of any command.
#[test]
fn a_missing_object_is_no_way_in() {
    let world = World::new();
    let (a, _work) = prepared(&world);
    let evil = mark(&world, PAYLOAD, "lazy");
    for (key, value) in [
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialCloneFilter", "blob:none"),
        ("remote.origin.uploadpack", &evil),
    ] {
        a.git(&["config", key, value]);
    }
    let (base, tip) = (a.git(&["rev-parse", "main"]), a.git(&["rev-parse", NAME]));
    let missing = a.git(&["rev-parse", &format!("{NAME}:shared.txt")]);
    let (folder, file) = missing.trim().split_at(2);
    std::fs::remove_file(a.path.join(".git/objects").join(folder).join(file)).unwrap();
    a.try_git(&["merge-tree", "--write-tree", base.trim(), tip.trim()]);
    assert_eq!(marks(&world, PAYLOAD).len(), 1, "the payload must be live");
    std::fs::remove_file(a.path.join(".git/godzilla/cache/list")).ok();
    a.godzilla(&["list"]);
    assert_nothing_ran(&world, "a missing object");
}

/// A note of an interrupted plan is a file of the repository too.
#[test]
fn an_interrupted_plan_runs_no_filter_and_no_hook() {
    let world = World::new();
    let (a, work) = prepared(&world);
    let path = work.path.to_str().unwrap();
    let commit = work.git(&["log", "--format=%H", "--grep=add plan for"]);
    let note = serde_json::json!({
        "v": 1, "name": NAME, "commit": commit.trim(), "worktree": path, "title": "Add a login",
    });
    a.git(&["worktree", "remove", "--force", path]);
    a.write(&format!(".git/godzilla/intents/plan-{NAME}.json"), &note.to_string());
    set(&a, &format!("{}/.git/config", a.path.display()), &payloads(&world));
    a.git(&["config", "core.hooksPath", &hooks(&world)]);
    marks(&world, PAYLOAD);
    assert!(a.godzilla(&["list"]).stderr.contains("git worktree add"));
    assert_nothing_ran(&world, "list");
    a.try_git(&["worktree", "add", "--quiet", path, NAME]);
    assert!(!marks(&world, PAYLOAD).is_empty(), "the payloads must be live");
}

/// One way to have a program run by a fetch or a push.
struct Way {
    name: &'static str,
    url: String,
    settings: Vec<(String, String)>,
}

fn ways(world: &World, server: &str) -> Vec<Way> {
    let own = world.path().join("srv.git").display().to_string();
    let evil = |what: &str| mark(world, PAYLOAD, what);
    let ext = format!("ext::touch {}", world.path().join("pwned-ext").display());
    let way = |name, url: &str, settings: &[(&str, String)]| Way {
        name,
        url: url.to_owned(),
        settings: settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
    };
    let always = || "always".to_owned();
    vec![
        way("uploadpack", &own, &[("remote.origin.uploadpack", evil("uploadpack"))]),
        way("receivepack", &own, &[("remote.origin.receivepack", evil("receivepack"))]),
        way("old spelling", &own, &[("remote.ORIGIN.uploadpack", evil("old"))]),
        way("ssh", "ssh://example.invalid/x", &[("core.sshCommand", evil("ssh"))]),
        way(
            "proxy",
            "git://example.invalid/x",
            &[("core.gitProxy", script(world, PAYLOAD, "evil", "proxy"))],
        ),
        way("helper", server, &[("credential.helper", format!("!{}", evil("helper")))]),
        way(
            "helper of a URL",
            server,
            &[(&format!("credential.{server}.helper"), format!("!{}", evil("url")))],
        ),
        way("askpass", server, &[("core.askPass", script(world, PAYLOAD, "evil", "askpass"))]),
        way("ext", &ext, &[("protocol.ext.allow", always())]),
        way("ext for all", &ext, &[("protocol.allow", always())]),
        way(
            "rewritten",
            "here",
            &[("protocol.ext.allow", always()), (&format!("url.{ext}.insteadOf"), "here".to_owned())],
        ),
        way(
            "vcs",
            &ext["ext::".len()..],
            &[("protocol.ext.allow", always()), ("remote.origin.vcs", "ext".to_owned())],
        ),
        way("alias", "foo::x", &[("alias.remote-foo", format!("!{}", evil("alias")))]),
        way("hooks", &own, &[("core.hooksPath", hooks(world))]),
        way("alternates", &own, &[("core.alternateRefsCommand", evil("alternates"))]),
    ]
}

/// A server that wants to know who everybody is. It ends with the test.
fn asking_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.git", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut bytes = [0; 4096];
            drop(stream.read(&mut bytes));
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    url
}

/// Runs our pre-push as git does when the user pushes.
fn pre_push(place: &Place<'_>, url: &str) -> Shown {
    let head = place.git(&["rev-parse", "HEAD"]);
    let line = format!("refs/heads/x {0} refs/heads/x {0}", head.trim());
    let script = format!("echo '{line}' | '{BIN}' hook pre-push origin '{url}'");
    run(place.command("sh").arg("-c").arg(script))
}

#[test]
fn what_talks_to_a_remote_runs_nothing_that_a_repository_names() {
    let world = World::new();
    let (a, _work) = prepared(&world);
    world.place("").git(&["clone", "--quiet", "--bare", "a", "other.git"]);
    a.write(".git/objects/info/alternates", &format!("{}/other.git/objects\n", world.path().display()));
    let config = a.path.join(".git/config");
    let clean = std::fs::read_to_string(&config).unwrap();
    let server = asking_server();
    let mut live = Vec::new();
    for way in ways(&world, &server) {
        std::fs::write(&config, &clean).unwrap();
        a.git(&["config", "remote.origin.url", &way.url]);
        set(&a, config.to_str().unwrap(), &way.settings);
        if way.name == "old spelling" {
            let text = std::fs::read_to_string(&config).unwrap();
            std::fs::write(&config, text.replace("[remote \"ORIGIN\"]", "[remote.ORIGIN]")).unwrap();
        }
        a.godzilla(&["sync"]);
        assert_nothing_ran(&world, &format!("sync by {}", way.name));
        pre_push(&a, &way.url);
        assert_nothing_ran(&world, &format!("pre-push by {}", way.name));
        // Hooks are run as `git push` runs them; nothing else is.
        a.godzilla(&["push", "--no-verify", "origin", "HEAD:refs/heads/z"]);
        if way.name == "hooks" {
            marks(&world, PAYLOAD);
        }
        assert_nothing_ran(&world, &format!("push by {}", way.name));
        // The user's own commands are the user's business, and show that the payload is live.
        run(a.command("git").args(["fetch", "origin"]).env("GIT_TERMINAL_PROMPT", "0"));
        run(a.command("git").args(["push", "origin", "HEAD:refs/heads/y"]).env("GODZILLA", "0"));
        if marks(&world, PAYLOAD).is_empty() {
            live.push(way.name);
        }
    }
    assert_eq!(live, [""; 0], "these payloads do nothing at all");
}

#[test]
fn what_the_user_configured_is_used() {
    let world = World::new();
    let (a, _work) = prepared(&world);
    let config = a.path.join(".git/config");
    let clean = std::fs::read_to_string(&config).unwrap();
    let global = world.path().join("home/gitconfig");
    let plain = std::fs::read_to_string(&global).unwrap();
    let server = asking_server();
    for (url, key, command) in [
        ("ssh://example.invalid/x", "core.sshCommand", mark(&world, USERS, "ssh")),
        (server.as_str(), "credential.helper", format!("!{}", mark(&world, USERS, "helper"))),
        (server.as_str(), "core.askPass", script(&world, USERS, "mine", "askpass")),
        ("git://example.invalid/x", "core.gitProxy", script(&world, USERS, "mine", "proxy")),
    ] {
        script(&world, PAYLOAD, "evil", "askpass");
        script(&world, PAYLOAD, "evil", "proxy");
        let evil = command.replace(USERS, PAYLOAD).replace("/mine/", "/evil/");
        // Of the user alone, said by both, and against what the repository says.
        for own in [None, Some(&command), Some(&evil)] {
            std::fs::write(&config, &clean).unwrap();
            std::fs::write(&global, &plain).unwrap();
            a.git(&["config", "remote.origin.url", url]);
            a.git(&["config", "--global", key, &command]);
            if let Some(own) = own {
                a.git(&["config", key, own]);
            }
            let shown = a.godzilla(&["sync"]);
            assert_nothing_ran(&world, key);
            assert_eq!(marks(&world, USERS).len(), 1, "{key} {own:?}\n{shown}");
            if key != "core.askPass" {
                pre_push(&a, url);
                assert_nothing_ran(&world, key);
                assert_eq!(marks(&world, USERS).len(), 1, "{key} {own:?}");
            }
        }
    }
    std::fs::write(&global, &plain).unwrap();
    std::fs::write(&config, &clean).unwrap();
    a.git(&["config", "remote.origin.url", "ssh://example.invalid/x"]);
    a.git(&["config", "core.sshCommand", &mark(&world, PAYLOAD, "ssh")]);
    run(a.command(BIN).arg("sync").env("GIT_SSH_COMMAND", mark(&world, USERS, "ssh")));
    assert_nothing_ran(&world, "GIT_SSH_COMMAND");
    assert_eq!(marks(&world, USERS).len(), 1);
}

/// A protocol that runs programs is spoken if the user says so.
#[test]
fn the_user_may_allow_what_is_forbidden() {
    let world = World::new();
    let (a, _work) = prepared(&world);
    let url = format!("ext::%S {}", world.path().join("srv.git").display());
    a.git(&["config", "remote.origin.url", &url]);
    a.git(&["config", "protocol.ext.allow", "always"]);
    assert_eq!(a.godzilla(&["sync"]).code, Some(7));
    a.git(&["config", "--global", "protocol.ext.allow", "always"]);
    a.godzilla_ok(&["sync"]);
    a.git(&["config", "--global", "--unset", "protocol.ext.allow"]);
    assert_eq!(run(a.command(BIN).arg("sync").env("GIT_ALLOW_PROTOCOL", "ext")).code, Some(0));
}
