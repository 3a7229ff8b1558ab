//! Everything as JSON lines, and back: what is exported is imported with equal trees.

use serde_json::Value;

use crate::schemas::assert_valid;
use crate::support::{Place, Shown, World};

const NAME: &str = "0001-add-a-login";

/// A clone with two protocols, one of which was worked on, and a file of everything.
fn exported(world: &World) -> Place<'_> {
    let a = world.clone("a");
    let work = a.plan("Add a login", &["The form", "The API"]);
    work.commit("form.html", "feat: form");
    work.godzilla_ok(&["done"]);
    a.plan("Fix \u{202e}the\u{9b}2J till", &["One"]);
    a.godzilla_ok(&["comment", "line one\nline two \u{1b}[31m", "-p", "1"]);
    a.godzilla_ok(&["export", "../all.jsonl"]);
    a
}

/// A repository with the same branches and nothing of ours.
fn target<'w>(a: &Place<'w>, name: &str) -> Place<'w> {
    let world = a.world;
    world.place("").git(&["clone", "--quiet", "a", name]);
    let b = world.place(name);
    for branch in ["0001-add-a-login", "0002-fix-the-till"] {
        b.git(&["branch", "--quiet", branch, &format!("origin/{branch}")]);
    }
    b.git(&["remote", "remove", "origin"]);
    b.godzilla_ok(&["init", "--yes"]);
    b
}

fn trees(place: &Place<'_>) -> String {
    place.git(&["for-each-ref", "--format=%(refname) %(tree)", "refs/godzilla/protocols"])
}

fn import(place: &Place<'_>, text: &str) -> Shown {
    place.write("../broken.jsonl", text);
    place.godzilla(&["import", "jsonl", "../broken.jsonl", "--json"])
}

#[test]
fn what_is_exported_is_imported_with_equal_trees() {
    let world = World::new();
    let a = exported(&world);
    let b = target(&a, "b");
    let taken = b.json(&["import", "jsonl", "../all.jsonl"]);
    assert_valid("import.v1", &taken);
    assert_eq!(taken["streams"][0]["name"], NAME);
    assert_eq!(trees(&a), trees(&b));
    for name in ["1", "2"] {
        let (mut theirs, mut ours) = (a.json(&["show", name]), b.json(&["show", name]));
        for shown in [&mut theirs, &mut ours] {
            shown["worktree"] = Value::Null;
            shown["unshared_events"] = Value::Null;
        }
        assert_eq!(theirs, ours);
    }
    // The same knowledge has the same bytes, but for the project's record of either clone.
    b.godzilla_ok(&["export", "../back.jsonl"]);
    a.godzilla_ok(&["import", "jsonl", "../back.jsonl"]);
    a.godzilla_ok(&["export", "../again.jsonl"]);
    b.godzilla_ok(&["import", "jsonl", "../again.jsonl"]);
    b.godzilla_ok(&["export", "../last.jsonl"]);
    assert_eq!(a.read("../again.jsonl"), a.read("../last.jsonl"));
    assert_eq!(a.godzilla_ok(&["export"]), a.read("../again.jsonl"), "standard output is the same");
}

#[test]
fn every_line_stands_for_itself_and_steers_no_terminal() {
    let world = World::new();
    let a = exported(&world);
    let text = a.read("../all.jsonl");
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/export-file.v1.schema.json"));
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema.unwrap()).unwrap()).unwrap();
    for line in text.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&document), "{line}");
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line}");
    }
    // Written by another tool in its own way, it is the same.
    let again =
        |line: &str| serde_json::to_string(&serde_json::from_str::<Value>(line).unwrap()).unwrap() + "\n";
    let b = target(&a, "b");
    let shown = import(&b, &text.lines().map(again).collect::<String>());
    assert_eq!(shown.code, Some(0), "{shown}");
    assert_eq!(trees(&a), trees(&b));
}

#[test]
fn an_import_is_a_union() {
    let world = World::new();
    let a = exported(&world);
    let b = target(&a, "b");
    b.godzilla_ok(&["import", "jsonl", "../all.jsonl"]);
    let refs = b.git(&["for-each-ref"]);
    let again = b.json(&["import", "jsonl", "../all.jsonl"]);
    assert_eq!(again["new_events"], 0);
    assert_eq!(b.git(&["for-each-ref"]), refs, "what is known moves nothing");
    // Both go on, and neither loses anything by what the other has.
    b.godzilla_ok(&["comment", "by b", "-p", "1"]);
    a.godzilla_ok(&["comment", "by a", "-p", "1"]);
    b.godzilla_ok(&["export", "../of-b.jsonl"]);
    assert!(a.json(&["import", "jsonl", "../of-b.jsonl"])["new_events"].as_u64().unwrap() >= 1);
    let log = a.godzilla_ok(&["log", "1"]);
    assert!(log.contains("by a") && log.contains("by b"), "{log}");
    assert_eq!(a.git(&["fsck", "--no-dangling", "--no-progress"]), "");
}

#[test]
fn archived_protocols_and_unknown_files_are_in_it() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["cancel", "1"]);
    // A newer version keeps a file of its own in the stream.
    let stream = format!("refs/godzilla/protocols/{NAME}");
    a.write("../blob", "of tomorrow\0");
    let blob = a.git(&["hash-object", "-w", "../blob"]);
    let tree = a.git(&["ls-tree", &stream]) + &format!("100644 blob {}\tnew-file\n", blob.trim());
    a.write("../tree", &tree);
    let input = std::fs::File::open(a.path.join("../tree")).unwrap();
    let tree = crate::support::run(a.command("git").arg("mktree").stdin(input)).stdout;
    let commit = a.git(&["commit-tree", tree.trim(), "-p", &stream, "-m", "x"]);
    a.git(&["update-ref", &stream, commit.trim()]);
    a.godzilla_ok(&["sync"]);
    let before = trees(&a);
    crate::sharing::reading::archive(&world.place("srv.git"), NAME);
    let c = world.clone("c");
    let done = c.json(&["export", "../archived.jsonl"]);
    assert_valid("export.v1", &done);
    assert!(done["events"].as_u64().unwrap() > 4 && done["left_out"] == serde_json::json!([]), "{done}");
    let b = target_without_branches(&world);
    b.godzilla_ok(&["import", "jsonl", "../archived.jsonl"]);
    assert_eq!(trees(&b), before);
    assert_eq!(b.git(&["cat-file", "blob", &format!("{stream}:new-file")]), "of tomorrow\0");
}

fn target_without_branches(world: &World) -> Place<'_> {
    let b = world.bare_clone_of("b");
    b.git(&["remote", "remove", "origin"]);
    b.godzilla_ok(&["init", "--yes"]);
    b
}

#[test]
fn a_file_with_a_mistake_imports_nothing_and_names_its_lines() {
    let world = World::new();
    let a = exported(&world);
    let b = target_without_branches(&world);
    let text = a.read("../all.jsonl");
    let refs = b.git(&["for-each-ref"]);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len();
    let at = |n: usize, line: &str| {
        let mut lines = lines.clone();
        lines[n - 1] = line;
        lines.join("\n") + "\n"
    };
    let header = "{\"schema\":\"git-godzilla/export-file@9\",\"object_format\":\"sha1\"}";
    let newer = "{\"stream\":\"0001-add-a-login\",\"format\":{\"format\":9,\"min_read\":9,\"min_write\":9}}";
    for (broken, says) in [
        (at(4, "no json"), ":4: this is no JSON"),
        (at(4, "{\"event\":{\"v\":1}}"), ":4: the event cannot be read"),
        (at(4, &format!("{{\"event\":\"{}\"}}", "x".repeat(70_000))), ":4: the event cannot be read"),
        (at(4, "{\"file\":{\"path\":\"../x\",\"mode\":33188,\"hex\":\"00\"}}"), ":4: `../x` is no path"),
        (at(2, newer), ":2: the stream was written by a newer version"),
        (at(1, header), ":1: this is in the form `git-godzilla/export-file@9`"),
        (
            at(1, "{\"schema\":\"git-godzilla/export-file@1\",\"object_format\":\"sha256\"}"),
            ":1: it is of a repository with sha256",
        ),
        (lines[1..].join("\n"), ":1: no header"),
        (lines[..last - 1].join("\n"), "the file ends before its end"),
        (at(last, "{\"end\":{\"streams\":1,\"events\":1}}"), "should have 1 and 1"),
        (format!("{text}{}\n", lines[1]), "this follows the end"),
        (at(2, lines[last - 2]), ":2: this is of no stream"),
        (String::new(), "the file ends before its end"),
    ] {
        let shown = import(&b, &broken);
        let error: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(
            (shown.code, error["code"].as_str()),
            (Some(2), Some("import.invalid")),
            "{says}\n{shown}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says) && message.ends_with("nothing was imported"), "{says} in {message}");
        assert_eq!(b.git(&["for-each-ref"]), refs, "{says}");
    }
    // All mistakes are told, each with its line.
    let mut two = lines.clone();
    (two[3], two[5]) = ("x", "y");
    let shown = import(&b, &two.join("\n"));
    assert!(shown.stderr.contains(".jsonl:4: ") && shown.stderr.contains(".jsonl:6: "), "{shown}");
    // A line without an end is not held in memory for ever.
    let long = format!("{}\n{}", lines[0], "x".repeat((32 << 20) + 10));
    assert!(import(&b, &long).stderr.contains(":2: this is no JSON: the line has more than 32 MiB"));
    assert_eq!(b.godzilla(&["import", "jsonl", "missing"]).code, Some(3));
    assert_eq!(b.godzilla(&["import", "jsonl", "."]).code, Some(2));
    assert_eq!(b.git(&["for-each-ref"]), refs);
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let world = World::new();
    let a = exported(&world);
    assert_eq!(a.json(&["export", "../all.jsonl"])["written"], false, "the very same is there");
    a.godzilla_ok(&["comment", "more", "-p", "1"]);
    let before = a.read("../all.jsonl");
    let refused = a.godzilla(&["export", "../all.jsonl"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_eq!(a.read("../all.jsonl"), before);
    // What cannot be read is named, and the rest goes on.
    a.git(&["update-ref", "refs/godzilla/protocols/0002-fix-the-till", "HEAD"]);
    a.write("../damage", "x");
    let damaged = a.godzilla(&["export", "../rest.jsonl", "--json"]);
    assert_eq!(damaged.code, Some(0), "a commit that holds no events is no damage: {damaged}");
}
