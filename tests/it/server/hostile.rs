//! What a server does not let in.

use super::{ARCHIVE, NAME, STREAM, archive_of, commit, commit_of, push, served, stranger, tip};
use crate::support::World;

const FORMAT: (&str, &str) = ("format", r#"{"format":1,"min_read":1,"min_write":1}"#);

fn note(id: &str, protocol: &str, text: &str) -> String {
    format!(
        r#"{{"actor":{{"kind":"human","name":"M"}},"at":1,"body":{{"text":"{text}"}},"clock":900,"id":"01K000000000000000000000{id}","protocol":"{protocol}","type":"note.added","v":1}}"#
    ) + "\n"
}

#[test]
fn d5_what_harms_the_state_is_not_let_in() {
    let world = World::new();
    let (a, srv) = served(&world);
    a.godzilla_ok(&["comment", "more", "-p", "1"]);
    a.godzilla_ok(&["sync"]);
    let stranger = stranger(&world);
    let events = stranger.lines_of(STREAM);
    let spec = stranger.git(&["ls-tree", "--name-only", &format!("{STREAM}:specs")]);
    let spec_path = format!("specs/{}", spec.trim());
    let spec_text = stranger.git(&["show", &format!("{STREAM}:{spec_path}")]);
    let spec_file = (spec_path.as_str(), spec_text.as_str());
    let on_top = |files: &[(&str, &str)]| {
        let with_ours = |extra: &str| format!("{events}{extra}");
        let files: Vec<(&str, String)> = files
            .iter()
            .map(|(path, text)| {
                (*path, if *path == "events/000000" { with_ours(text) } else { (*text).to_owned() })
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        commit_of(&stranger, &files, Some(STREAM))
    };
    let long = note("01", NAME, &"x".repeat(10_000_000));
    let few = commit_of(
        &stranger,
        &[FORMAT, ("events/000000", events.lines().next().unwrap()), spec_file],
        Some(STREAM),
    );
    let foreign = stranger.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let blob = stranger.git(&["rev-parse", &format!("{STREAM}:format")]).trim().to_owned();
    let wrong_spec = format!("specs/{}", "0".repeat(64));
    let archived = commit(&stranger, &archive_of(&stranger, "07"), None);
    let cases = [
        ("an older state", format!("{STREAM}^:{STREAM}"), "would not move forward"),
        ("another history", format!("{foreign}:{STREAM}"), "would not move forward"),
        ("fewer events", format!("{few}:{STREAM}"), "would lose events"),
        (
            "a new stream of source code",
            format!("{foreign}:refs/godzilla/protocols/0009-x"),
            "no tree of events",
        ),
        ("no commit", format!("{blob}:refs/godzilla/protocols/0009-x"), "names no commit"),
        (
            "a line of 10 MB",
            format!("{}:{STREAM}", on_top(&[FORMAT, ("events/000000", &long), spec_file])),
            "a line of events is none",
        ),
        (
            "no JSON",
            format!("{}:{STREAM}", on_top(&[FORMAT, ("events/000000", "no json\n"), spec_file])),
            "a line of events is none",
        ),
        (
            "events of another protocol",
            format!(
                "{}:{STREAM}",
                on_top(&[FORMAT, ("events/000000", &note("02", "0002-other", "x")), spec_file])
            ),
            "is of another protocol",
        ),
        (
            "a plan under a wrong name",
            format!("{}:{STREAM}", on_top(&[FORMAT, ("events/000000", ""), spec_file, (&wrong_spec, "{}")])),
            "is not what its name says",
        ),
        (
            "a format that is none",
            format!("{}:{STREAM}", on_top(&[("format", "7"), ("events/000000", ""), spec_file])),
            "the format of a stream cannot be read",
        ),
        ("a wrong name", format!("{STREAM}:refs/godzilla/protocols/1-x"), "no such ref"),
        ("a name in another folder", format!("{STREAM}:refs/godzilla/else/0001-x"), "no such ref"),
        (
            "a copy under another name",
            format!("{STREAM}:refs/godzilla/protocols/0002-other"),
            "is of another protocol",
        ),
        ("what is private", format!("{STREAM}:refs/godzilla-local/keep/x"), "must stay in the clone"),
        (
            "copies of a remote",
            format!("{STREAM}:refs/godzilla-remote/origin/protocols/0001-x"),
            "must stay in the clone",
        ),
        ("an archive of the wrong shape", format!("{archived}:{ARCHIVE}"), "no entry of an archive"),
        ("a stream deleted", format!(":{STREAM}"), "once the archive holds"),
        ("the project deleted", ":refs/godzilla/project".to_owned(), "never deleted"),
    ];
    let before = srv.git(&["for-each-ref"]);
    for (what, refspec, why) in cases {
        let refused = push(&stranger, &refspec).expect_err(what);
        assert!(refused.contains(why), "{what}: {refused}");
        assert_eq!(srv.git(&["for-each-ref"]), before, "{what}");
    }
    // What is well formed goes, from whatever tool.
    let good = on_top(&[FORMAT, ("events/000000", &note("03", NAME, "well said")), spec_file]);
    push(&stranger, &format!("{good}:{STREAM}")).unwrap();
    a.godzilla_ok(&["sync"]);
    assert!(a.godzilla_ok(&["log", "1", "--all", "--json"]).contains("well said"));
}

/// As the unknown files of a stream, so those of the archive.
#[test]
fn g5_what_a_newer_version_keeps_in_the_archive_is_not_taken_away() {
    let world = World::new();
    served(&world);
    let stranger = stranger(&world);
    let newer = commit_of(&stranger, &[("later/file", "x")], None);
    push(&stranger, &format!("{newer}:{ARCHIVE}")).unwrap();
    let without = commit_of(&stranger, &[("other", "x")], Some(&newer));
    let refused = push(&stranger, &format!("{without}:{ARCHIVE}")).unwrap_err();
    assert!(refused.contains("what a newer version keeps beside the entries would be lost"), "{refused}");
    let more = commit_of(&stranger, &[("later/file", "y"), ("other", "x")], Some(&newer));
    push(&stranger, &format!("{more}:{ARCHIVE}")).unwrap();
}

#[test]
fn a_tree_that_unfolds_without_end_is_not_unfolded() {
    let world = World::new();
    let (_, srv) = served(&world);
    let stranger = stranger(&world);
    // Each folder holds the one below it ten times: 10^12 files.
    stranger.write("draft", "x");
    let blob = stranger.git(&["hash-object", "-w", "draft"]);
    let ten = |entry: &str| (0..10).map(|n| [entry, "\t", &n.to_string(), "\n"].concat()).collect::<String>();
    let mut lines = ten(&format!("100644 blob {}", blob.trim()));
    let mut tree = String::new();
    let mktree = |lines: &str| {
        stranger.write("lines", lines);
        crate::support::run(stranger.command("sh").args(["-c", "git mktree <lines"])).stdout.trim().to_owned()
    };
    for _ in 0..12 {
        tree = mktree(&lines);
        lines = ten(&format!("040000 tree {tree}"));
    }
    let tree = mktree(&format!("040000 tree {tree}\tevents\n040000 tree {tree}\tmore\n"));
    let bomb = commit(&stranger, &tree, None);
    let refused = push(&stranger, &format!("{bomb}:refs/godzilla/protocols/0009-x")).unwrap_err();
    assert!(refused.contains("too many files"), "{refused}");
    assert_eq!(tip(&srv, "refs/godzilla/protocols/0009-x"), "");
}

#[test]
fn a_push_of_branches_alone_is_nobodys_business() {
    let world = World::new();
    let (a, srv) = served(&world);
    // Not even when the folder for drafts is not to be had.
    let shown = crate::support::run(
        a.command("git")
            .args(["push", "--quiet", "--no-verify", "origin", "HEAD:refs/heads/x"])
            .env("TMPDIR", "/nowhere"),
    );
    assert_eq!(shown.code, Some(0), "{shown}");
    assert!(!srv.path.join("godzilla").exists() || srv.git(&["fsck"]).is_empty());
}
