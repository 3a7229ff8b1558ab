//! Drop boxes: reports of writers without state, as every reader takes them.

use super::{
    FORMAT, NAME, Report, assert_agree, box_name, ids, lines_at, push_box, ref_at, refs, stream, sync, tip,
    two_clones,
};
use crate::support::{Place, World, run};

/// A clone as a CI job has it: one commit, detached, no `init`.
fn runner<'w>(world: &'w World, name: &str) -> Place<'w> {
    let url = format!("file://{}", world.place("srv.git").path.display());
    world.place("").git(&["clone", "--quiet", "--depth", "1", "--branch", NAME, &url, name]);
    let runner = world.place(name);
    runner.git(&["checkout", "--quiet", "--detach"]);
    runner
}

fn report<'a>(commit: &'a str, job: &'a str, result: &'a str, run: u64) -> Report<'a> {
    Report { protocol: NAME, commit, job, result, run, at_ms: 1_700_000_000_000 }
}

fn boxes_at(server: &Place<'_>) -> Vec<String> {
    let all = server.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla/inbox/"]);
    all.lines().map(str::to_owned).collect()
}

/// Job and result of the first step, sorted.
fn jobs(place: &Place<'_>) -> Vec<(String, String)> {
    let shown = place.json(&["show", NAME]);
    let jobs = shown["steps"][1]["ci"]["jobs"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut jobs: Vec<_> = jobs.iter().map(|job| (text(&job["name"]), text(&job["result"]))).collect();
    jobs.sort();
    jobs
}

fn unmatched(place: &Place<'_>) -> u64 {
    place.json(&["status", "--all"])["unmatched_ci_reports"].as_u64().unwrap()
}

/// Fetches with plain git in all clones, and shares until nothing is left to do.
fn settle(places: &[&Place<'_>]) {
    for place in places {
        place.git(&["fetch", "--quiet"]);
    }
    for _ in 0..2 {
        for place in places {
            sync(place);
        }
    }
}

#[test]
fn truth_8_thirty_reports_at_once() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let commit = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let names: Vec<String> = (0..30).map(|idx| format!("job-{idx:02}")).collect();
    let runners = [runner(&world, "ci-1"), runner(&world, "ci-2")];
    let boxes: Vec<(usize, String, String)> = names
        .iter()
        .enumerate()
        .map(|(idx, job)| {
            let result = if idx == 7 { "failure" } else { "success" };
            let at = idx % runners.len();
            (at, tip(&runners[at], FORMAT, &report(&commit, job, result, 1).line(), None), box_name())
        })
        .collect();
    std::thread::scope(|scope| {
        for (at, commit, name) in &boxes {
            let mut push = runners[*at].command("git");
            push.args(["push", "--quiet", "origin", &format!("{commit}:{name}")]);
            scope.spawn(move || {
                let shown = run(&mut push);
                assert_eq!(shown.code, Some(0), "{shown}");
            });
        }
    });

    // Plain git brings them, and reading shows them all.
    for place in [&a, &b] {
        place.git(&["fetch", "--quiet"]);
        assert_eq!(jobs(place).len(), 30);
        assert_eq!(place.statuses(NAME)[1], "failed", "one of them is red");
    }
    assert_agree(&[&a, &b]);
    assert_eq!(unmatched(&a), 0);
    // A later green run heals it. Absorbed by two clones, each report is there once.
    push_box(&runners[0], &report(&commit, "job-07", "success", 2).line());
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    assert_eq!(a.statuses(NAME)[1], "running");
    let server = world.place("srv.git");
    let reports = lines_at(&server, &stream(NAME)).iter().filter(|line| line.contains("ci.reported")).count();
    assert_eq!((reports, boxes_at(&server).len()), (31, 0), "all are in the stream, and no box is left");
}

#[test]
fn truth_8_out_of_order_twice_late_and_with_wrong_clocks() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let commit = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let ci = runner(&world, "ci");
    // The end before the beginning, the second run before the first, dated long ago and far ahead.
    let green = Report { at_ms: 1, ..report(&commit, "build", "success", 2) }.line();
    push_box(&ci, &green);
    push_box(&ci, &report(&commit, "build", "running", 2).line());
    push_box(&ci, &Report { at_ms: 99_999_999_999_999, ..report(&commit, "build", "failure", 1) }.line());
    // The same line again, in a box of its own and next to another.
    push_box(&ci, &green);
    push_box(&ci, &format!("{green}{}", report(&commit, "lint", "success", 1).line()));
    let expected = [("build".to_owned(), "success".to_owned()), ("lint".to_owned(), "success".to_owned())];
    for place in [&a, &b] {
        place.git(&["fetch", "--quiet"]);
        assert_eq!(jobs(place), expected);
    }
    assert_agree(&[&a, &b]);
    let n_events = ids(&a, NAME).len();
    settle(&[&a, &b]);
    // Late, after everything was absorbed and the boxes are gone.
    assert_eq!(boxes_at(&world.place("srv.git")).len(), 0);
    push_box(&ci, &green);
    push_box(&ci, &report(&commit, "build", "failure", 1).line());
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    assert_eq!(jobs(&b), expected);
    assert_eq!(ids(&a, NAME).len(), n_events + 1);
}

#[test]
fn truth_8_before_their_commit_is_known() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    // The commit is made without hooks and not pushed before its report is.
    work.write("one.txt", "x");
    work.git(&["add", "."]);
    work.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "feat: a part"]);
    let commit = work.git(&["rev-parse", "HEAD"]);
    push_box(&b, &report(commit.trim(), "build", "success", 1).line());
    settle(&[&b]);
    assert_eq!((unmatched(&b), jobs(&b).len()), (1, 0), "it waits, and is told");
    settle(&[&a]);
    work.git(&["push", "--quiet"]);
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
    assert_eq!((unmatched(&b), jobs(&b).len()), (0, 1));
}

#[test]
fn i2_reports_of_unknown_protocols_wait_in_the_projects_stream() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let c = world.clone("c");
    // `a` plans and does not share; the report of its commit comes first.
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    let work = world.place("a/worktrees/0002-y");
    let commit = work.commit("y.txt", "feat: all of y");
    let of = |protocol| Report { protocol, ..report(&commit, "build", "success", 1) };
    push_box(&b, &of("0002-y").line());
    push_box(&b, &of("no-protocol").line());
    push_box(&b, &of("0099-never").line());
    settle(&[&b, &c]);
    let server = world.place("srv.git");
    assert_eq!(boxes_at(&server).len(), 0, "the project's stream has them");
    assert_eq!(lines_at(&server, "refs/godzilla/project").len(), 4);
    assert_eq!((unmatched(&b), unmatched(&c)), (3, 3));
    assert_eq!(b.json(&["list"])["protocols"].as_array().unwrap().len(), 1);

    // Once the protocol is known, its report is copied to it.
    work.git(&["push", "--quiet", "origin", "HEAD"]);
    settle(&[&a, &b, &c]);
    assert_agree(&[&a, &b, &c]);
    assert_eq!((unmatched(&a), unmatched(&b), unmatched(&c)), (2, 2, 2));
    assert_eq!(c.json(&["show", "0002-y"])["steps"][1]["ci"]["result"], "success");
    let copied = lines_at(&server, &stream("0002-y"));
    assert_eq!(copied.iter().filter(|line| line.contains("ci.reported")).count(), 1);
}

#[test]
fn i3_boxes_absorbed_by_two_clones_count_once_and_stay_quiet() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let commit = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let line = report(&commit, "build", "success", 1).line();
    push_box(&a, &line);
    // Both take it over before either shares.
    for place in [&a, &b] {
        place.git(&["fetch", "--quiet"]);
        place.godzilla_ok(&["list"]);
        assert!(lines_at(place, &stream(NAME)).contains(&line.trim_end().to_owned()), "byte for byte");
    }
    settle(&[&a, &b]);
    let server = world.place("srv.git");
    assert_eq!(lines_at(&server, &stream(NAME)).iter().filter(|held| **held == line.trim_end()).count(), 1);
    // A box whose events everybody has comes back, and nothing is written but its removal.
    let tip = ref_at(&server, &stream(NAME));
    push_box(&b, &line);
    settle(&[&a, &b]);
    assert_eq!((ref_at(&server, &stream(NAME)), boxes_at(&server).len()), (tip, 0));
    assert_agree(&[&a, &b]);
    let before = (refs(&a), refs(&b));
    settle(&[&a, &b]);
    assert_eq!(before, (refs(&a), refs(&b)));
}

#[test]
fn d1_a_box_goes_only_once_the_servers_stream_has_its_events() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let commit = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let server = world.place("srv.git");
    // The server takes no stream for now.
    let hook = server.path.join("hooks/update");
    let refuse = "#!/bin/sh\ncase $1 in refs/godzilla/protocols/*) exit 1;; esac\n";
    write_hook(&hook, refuse);
    let name = push_box(&b, &report(&commit, "build", "success", 1).line());
    sync(&a);
    assert!(lines_at(&a, &stream(NAME)).iter().any(|line| line.contains("ci.reported")), "it is here");
    assert!(boxes_at(&server).contains(&name), "and stays there");
    std::fs::remove_file(&hook).unwrap();
    sync(&a);
    assert!(boxes_at(&server).contains(&name), "what was fetched did not hold it yet");
    sync(&a);
    assert!(!boxes_at(&server).contains(&name));
    settle(&[&a, &b]);
    assert_agree(&[&a, &b]);
}

#[test]
fn d2_a_box_is_deleted_with_its_exact_value() {
    let world = World::new();
    let (a, work, b) = two_clones(&world);
    let commit = work.commit("one.txt", "feat: a part");
    work.git(&["push", "--quiet"]);
    let first = report(&commit, "build", "success", 1).line();
    let name = push_box(&b, &first);
    sync(&a);
    // Between the fetch and the push of the next sync somebody puts more into the box.
    let server = world.place("srv.git");
    let both = format!("{first}{}", report(&commit, "lint", "success", 1).line());
    let more = tip(&server, FORMAT, &both, ref_at(&server, &name).as_deref());
    let wrapper = world.path().join("upload");
    let text = format!(
        "#!/bin/sh\ngit-upload-pack \"$@\"\nexec git --git-dir \"$1\" update-ref {name} {more} >&2\n"
    );
    write_hook(&wrapper, &text);
    a.user_config("remote.origin.uploadpack", wrapper.to_str());
    sync(&a);
    assert_eq!(ref_at(&server, &name), Some(more), "the deletion was refused");
    a.user_config("remote.origin.uploadpack", None);
    settle(&[&a, &b]);
    assert_eq!((jobs(&b).len(), boxes_at(&server).len()), (2, 0));
}

/// Writes an executable script.
pub(super) fn write_hook(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn s6_a_box_carries_a_protocol_that_nobody_knew() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let server = world.place("srv.git");
    write_hook(
        &server.path.join("hooks/update"),
        "#!/bin/sh\ncase $1 in refs/godzilla/protocols/*) exit 1;; esac\n",
    );
    a.godzilla_ok(&["plan", "y", "--step", "Only"]);
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    assert_agree(&[&a, &b]);
    assert_eq!(b.statuses("0002-y"), ["completed", "pending"], "with its plan");
}
