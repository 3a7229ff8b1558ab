//! What others may send: nothing of it is executed, nothing reaches the terminal raw, nothing of ours
//! is lost by it.

mod texts;

use std::fs;

use serde_json::Value;

use super::support::{Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";
const STREAM: &str = "refs/godzilla/protocols/0001-add-a-login";

/// Texts that no program should believe.
const TEXTS: &[&str] = &[
    "red \u{1b}[31malert\u{1b}[0m \u{1b}]0;title\u{7} \u{9b}2J",
    "two\nlines\r\nand\ttabs\u{b}\u{8}\u{7f}\u{0085}",
    "right \u{202e}ot tfel\u{202c} \u{2066}isolated\u{2069} \u{200b}hidden\u{feff}",
    "../../etc/passwd",
    "a/b\\c:d*e?f",
    "--force -rf",
    "$(touch pwned); `touch pwned` | touch pwned && touch 'pwned",
    "%s%n{0}${IFS}",
    "🦖🦖",
];

/// Asserts that what a terminal gets is plain text.
#[track_caller]
fn assert_plain(shown: &Shown) {
    for text in [&shown.stdout, &shown.stderr] {
        let is_raw = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}')
        };
        assert!(!text.contains(is_raw), "{:?}", text.chars().filter(|c| is_raw(*c)).collect::<Vec<_>>());
    }
}

/// Runs every command that only shows, as text and as JSON.
#[track_caller]
fn assert_shows(place: &Place<'_>) {
    for args in [
        &["list"][..],
        &["status", "--all"],
        &["show", "1"],
        &["log", "1", "--all"],
        &["ready"],
        &["explain", "1"],
        &["spec", "show", "1"],
        &["overlaps"],
        &["worktrees", "list"],
        &["worktrees", "gc", "--dry-run"],
        &["restore", "--list"],
        &["config", "show"],
    ] {
        // Branches that conflict are an answer, too.
        let is_shown = |code: Option<i32>| code == Some(0) || (args == ["overlaps"] && code == Some(1));
        let shown = place.godzilla(args);
        assert!(is_shown(shown.code), "{args:?} {shown}");
        assert_plain(&shown);
        let shown = place.godzilla(&[args, &["--json"]].concat());
        assert!(is_shown(shown.code), "{args:?} {shown}");
        assert_plain(&shown);
        for line in shown.stdout.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

#[track_caller]
fn assert_nothing_ran(world: &World) {
    let mut folders = vec![world.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(!name.starts_with("pwned"), "{}", path.display());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
}

/// Two clones that share one protocol.
fn shared(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.plan("Add a login", &["The form", "The API"]);
    a.godzilla_ok(&["sync"]);
    world.clone("b");
    a
}

/// Replaces or adds files of the server's stream, as anybody with git can.
fn forge(world: &World, files: &[(&str, &[u8])]) {
    let srv = world.place("srv.git");
    srv.git(&["read-tree", STREAM]);
    for (path, bytes) in files {
        fs::write(srv.path.join("draft"), bytes).unwrap();
        let blob = srv.git(&["hash-object", "-w", "draft"]);
        srv.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{path}", blob.trim())]);
    }
    let tree = srv.git(&["write-tree"]);
    point_at(world, tree.trim(), Some(STREAM));
}

/// Points the server's stream at a new commit of `tree`.
fn point_at(world: &World, tree: &str, parent: Option<&str>) {
    let srv = world.place("srv.git");
    let mut args =
        vec!["-c", "user.name=M", "-c", "user.email=m@example.com", "commit-tree", "-m", "forged", tree];
    args.extend(parent.iter().flat_map(|parent| ["-p", parent]));
    let commit = srv.git(&args);
    srv.git(&["update-ref", STREAM, commit.trim()]);
}

/// The lines of the server's stream.
fn lines(world: &World) -> String {
    world.place("srv.git").lines_of(STREAM)
}

#[test]
fn garbage_in_a_stream_is_kept_aside() {
    let world = World::new();
    let a = shared(&world);
    let good = lines(&world);
    let mut bytes = good.clone().into_bytes();
    for garbage in [
        &b"garbage\n"[..],
        b"\x00\x1b[2J\xff\xfe\n",
        b"{\"v\":1}\n",
        b"{\"v\":1,\"v\":1}\n",
        b"[[[[\n",
        b"\n\n",
    ] {
        bytes.extend_from_slice(garbage);
    }
    bytes.extend(std::iter::repeat_n(b'x', 10 * 1024 * 1024));
    bytes.push(b'\n');
    bytes.extend(std::iter::repeat_n(b'[', 100_000));
    forge(&world, &[("events/000000", &bytes)]);
    a.godzilla_ok(&["start", "1", "-p", "1"]);
    for place in [&a, &world.place("b"), &a] {
        let synced = place.godzilla(&["sync"]);
        assert_eq!(synced.code, Some(0), "{synced}");
        assert_plain(&synced);
        assert_shows(place);
    }
    assert_eq!(a.statuses("1"), ["completed", "running", "pending"]);
    assert_eq!(a.event_ids("1"), world.place("b").event_ids("1"));
    assert!(good.lines().all(|line| lines(&world).contains(line)), "ours is still there");
    let rejects = world.place("srv.git").git(&["ls-tree", "--name-only", &format!("{STREAM}:rejects")]);
    assert!(rejects.lines().count() >= 5, "{rejects}");
}

#[test]
fn a_stream_that_is_something_else_is_set_aside_alone() {
    let world = World::new();
    let a = shared(&world);
    a.plan("Another one", &[]);
    let srv = world.place("srv.git");
    let before = srv.git(&["rev-parse", STREAM]);
    let main = srv.git(&["rev-parse", "main^{tree}"]);
    let mut tree = main.trim().to_owned();
    for _ in 0..200 {
        fs::write(srv.path.join("entry"), format!("040000 tree {tree}\tevents\n")).unwrap();
        let made =
            run(srv.command("git").args(["mktree"]).stdin(fs::File::open(srv.path.join("entry")).unwrap()));
        tree = made.stdout.trim().to_owned();
    }
    fs::write(
        srv.path.join("entry"),
        format!(
            "160000 commit {}\tevents\n120000 blob {}\tformat\n",
            "1".repeat(40),
            srv.git(&["hash-object", "-w", "HEAD"]).trim()
        ),
    )
    .unwrap();
    let made =
        run(srv.command("git").args(["mktree"]).stdin(fs::File::open(srv.path.join("entry")).unwrap()));
    for forged in [main.trim(), &tree, made.stdout.trim()] {
        point_at(&world, forged, Some("main"));
        for place in [&a, &world.place("b")] {
            let synced = place.godzilla(&["sync"]);
            assert_plain(&synced);
            assert_eq!(synced.code, Some(0), "{synced}");
            assert_shows(place);
            assert_eq!(place.statuses("1"), ["completed", "pending", "pending"]);
        }
        srv.git(&["update-ref", STREAM, before.trim()]);
    }
    // Refs that are no commits.
    let blob = srv.git(&["hash-object", "-w", "HEAD"]);
    for object in [blob.trim(), main.trim()] {
        srv.git(&["update-ref", STREAM, object]);
        let synced = a.godzilla(&["sync"]);
        assert_plain(&synced);
        assert_shows(&a);
        assert_eq!(a.statuses("1"), ["completed", "pending", "pending"]);
        assert!(srv.git(&["for-each-ref"]).contains("0002-another-one"), "the others go on: {synced}");
    }
}

#[test]
fn a_forged_snapshot_is_not_believed() {
    let world = World::new();
    let a = shared(&world);
    let srv = world.place("srv.git");
    let state = srv.git(&["show", &format!("{STREAM}:state.json")]);
    forge(
        &world,
        &[("state.json", state.replace("planned", "completed").replace("pending", "completed").as_bytes())],
    );
    for place in [&a, &world.place("b")] {
        place.godzilla_ok(&["sync"]);
        assert_eq!(place.json(&["show", "1"])["status"], "planned");
        assert_eq!(place.statuses("1"), ["completed", "pending", "pending"]);
    }
}

#[test]
fn clocks_beyond_belief_stop_nobody() {
    let world = World::new();
    let a = shared(&world);
    let good = lines(&world);
    let created = good.lines().next().unwrap();
    assert!(created.contains("\"clock\":1,"));
    let mut bytes = good.clone();
    for (idx, clock) in [
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-5",
        "1e3",
    ]
    .iter()
    .enumerate()
    {
        let line = created.replace("\"clock\":1,", &format!("\"clock\":{clock},"));
        let line = line.replacen("\"id\":\"01", &format!("\"id\":\"0{idx}"), 1);
        bytes.push_str(&line.replace("Add a login", "Forged"));
        bytes.push('\n');
    }
    forge(&world, &[("events/000000", bytes.as_bytes())]);
    for place in [&a, &world.place("b")] {
        place.godzilla_ok(&["sync"]);
        assert_shows(place);
        place.godzilla_ok(&["comment", "still here", "-p", "1"]);
        place.godzilla_ok(&["sync"]);
        let log = place.godzilla_ok(&["log", "1", "--json"]);
        let last = log.lines().rfind(|line| line.contains("still here")).unwrap();
        let event: Value = serde_json::from_str(last).unwrap();
        assert!(event["clock"].as_u64().unwrap() < 100 && event["outcome"] == "accepted", "{event}");
        assert_eq!(place.json(&["show", "1"])["title"], "Add a login");
    }
}

#[test]
fn texts_of_a_forged_stream_are_shown_as_texts() {
    let world = World::new();
    let a = shared(&world);
    a.godzilla_ok(&["block", "1", "-p", "1", "--reason", "a reason"]);
    a.godzilla_ok(&["comment", "a note", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    for text in TEXTS {
        let json = serde_json::to_string(text).unwrap();
        let mut forged = lines(&world);
        for field in
            ["title", "description", "name", "host", "reason", "text", "subject", "base", "branch", "slug"]
        {
            let mut parts = forged.split(&format!("\"{field}\":\"")).map(str::to_owned).collect::<Vec<_>>();
            for part in parts.iter_mut().skip(1) {
                *part = format!("{json}{}", &part[part.find('"').unwrap() + 1..]);
            }
            forged = parts.join(&format!("\"{field}\":"));
        }
        let before = world.place("srv.git").git(&["rev-parse", STREAM]);
        forge(&world, &[("events/000000", forged.as_bytes())]);
        let c = world.clone("c");
        assert_shows(&c);
        assert!(c.godzilla_ok(&["log", NAME, "--all"]).contains("note"), "{text:?}");
        let synced = c.godzilla(&["sync"]);
        assert_eq!(synced.code, Some(0), "{synced}");
        assert_plain(&synced);
        fs::remove_dir_all(&c.path).unwrap();
        world.place("srv.git").git(&["update-ref", STREAM, before.trim()]);
    }
    assert_nothing_ran(&world);
}

#[test]
fn events_of_another_protocol_change_nothing() {
    let world = World::new();
    let a = shared(&world);
    a.plan("Another one", &["One"]);
    a.godzilla_ok(&["start", "1", "-p", "2"]);
    a.godzilla_ok(&["sync"]);
    let srv = world.place("srv.git");
    let foreign = srv.lines_of("refs/godzilla/protocols/0002-another-one");
    forge(&world, &[("events/000000", format!("{}{foreign}", lines(&world)).as_bytes())]);
    for place in [&a, &world.place("b")] {
        place.godzilla_ok(&["sync"]);
        assert_shows(place);
        assert_eq!(place.statuses(NAME), ["completed", "pending", "pending"]);
        assert_eq!(place.statuses("0002-another-one"), ["completed", "running"]);
    }
}
