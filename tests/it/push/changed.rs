//! Of many streams those that changed are pushed, by name and with what was last seen of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use super::{BRANCH, STREAM, assert_quiet, begin, push, ref_at, server_hook};
use crate::support::{BIN, Place, World, run};

const N_STREAMS: usize = 1000;

/// Makes refs at once.
fn make_refs(place: &Place<'_>, refs: &str) {
    let mut git = place.command("git");
    let mut child = git.args(["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(refs.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn of_a_thousand_streams_one_is_pushed() {
    let world = World::new();
    let (a, work) = begin(&world);
    assert_quiet(&push(&work));
    let server = world.place("srv.git");
    let tip = ref_at(&server, STREAM).unwrap();
    let names: Vec<String> = (2..=N_STREAMS).map(|number| format!("{number:04}-more")).collect();
    let refs_at = |root: &str| {
        names.iter().fold(String::new(), |mut text, name| {
            writeln!(text, "create {root}{name} {tip}").unwrap();
            text
        })
    };
    make_refs(&server, &refs_at("refs/godzilla/protocols/"));
    make_refs(&a, &refs_at("refs/godzilla/protocols/"));
    make_refs(&a, &refs_at("refs/godzilla-remote/origin/protocols/"));

    let record = world.path().join("received");
    server_hook(&world, "post-receive", &format!("cat >>'{}'", record.display()));
    let trace = world.path().join("trace");
    std::fs::write(&trace, "").unwrap();
    let sent = || {
        let nested: Vec<String> = std::fs::read_to_string(&trace)
            .unwrap()
            .lines()
            .filter(|line| line.contains("built-in: git push") && line.contains("--force-with-lease="))
            .map(str::to_owned)
            .collect();
        let received = std::fs::read_to_string(&record).unwrap();
        std::fs::write(&trace, "").unwrap();
        std::fs::remove_file(&record).unwrap();
        (nested, received)
    };
    let before = ref_at(&server, STREAM).unwrap();
    work.commit("two.txt", "feat: more");
    let env = [("GIT_TRACE", trace.to_str().unwrap())];
    assert_quiet(&super::push_with(&work, &env));
    let after = ref_at(&server, STREAM).unwrap();
    let (nested, received) = sent();
    let [line] = &nested[..] else { panic!("{nested:?}") };
    assert!(line.contains(&format!("--force-with-lease={STREAM}:{before} ")), "{line}");
    assert!(line.ends_with(&format!(" {after}:{STREAM}")), "nothing else is named: {line}");
    assert!(!line.contains('*') && !line.contains("more"), "{line}");
    let lines: Vec<&str> = received.lines().collect();
    let [state, branch] = lines[..] else { panic!("{received}") };
    assert_eq!(state, format!("{before} {after} {STREAM}"));
    assert!(branch.ends_with(BRANCH), "{branch}");

    // The same by the command, in one connection. It records what no hook saw, as `sync` does.
    a.godzilla_ok(&["sync"]);
    sent();
    let after = ref_at(&server, STREAM).unwrap();
    work.commit("two.txt", "feat: still more");
    let shown = run(work.command(BIN).args(["push", "origin", "HEAD"]).envs(env));
    assert_eq!(shown.code, Some(0), "{shown}");
    let (nested, received) = sent();
    let [line] = &nested[..] else { panic!("{nested:?}") };
    assert!(
        line.contains("--atomic") && line.contains(&format!("--force-with-lease={STREAM}:{after} ")),
        "{line}"
    );
    assert!(!line.contains('*') && !line.contains("more"), "{line}");
    assert_eq!(received.lines().count(), 2, "{received}");
}
