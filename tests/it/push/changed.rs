//! Of many streams those that changed are pushed, by name and with what was last seen of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use super::{BRANCH, STREAM, assert_quiet, begin, push, ref_at, server_hook};
use crate::support::{BIN, Place, World, run};

/// Makes refs at once.
fn make_refs(place: &Place<'_>, refs: &str) {
    let mut git = place.command("git");
    let mut child = git.args(["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(refs.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A server that knows as many streams as a clone of it, all unchanged, and where both write down what
/// is pushed. But for two they hold the events of the second one.
struct Many<'w> {
    a: Place<'w>,
    work: Place<'w>,
    trace: PathBuf,
    record: PathBuf,
}

impl<'w> Many<'w> {
    fn new(world: &'w World, n_streams: usize) -> Self {
        let (a, work) = begin(world);
        assert_quiet(&push(&work));
        a.plan("More", &["One"]);
        a.godzilla_ok(&["sync"]);
        let server = world.place("srv.git");
        let tip = ref_at(&server, "refs/godzilla/protocols/0002-more").unwrap();
        let refs_at = |root: &str| {
            (3..=n_streams).fold(String::new(), |mut text, number| {
                writeln!(text, "create {root}{number:04}-more {tip}").unwrap();
                text
            })
        };
        make_refs(&server, &refs_at("refs/godzilla/protocols/"));
        make_refs(&a, &refs_at("refs/godzilla/protocols/"));
        make_refs(&a, &refs_at("refs/godzilla-remote/origin/protocols/"));
        let record = world.path().join("received");
        server_hook(world, "post-receive", &format!("cat >>'{}'", record.display()));
        Self { a, work, trace: world.path().join("trace"), record }
    }

    fn env(&self) -> [(&str, &str); 1] {
        [("GIT_TRACE", self.trace.to_str().unwrap())]
    }

    /// The command lines of pushes of state since the last time, and what the server received.
    fn sent(&self) -> (Vec<String>, String) {
        let take = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            std::fs::remove_file(path).ok();
            text
        };
        let is_ours =
            |line: &&str| line.contains("built-in: git push") && line.contains("--force-with-lease=");
        let lines = take(&self.trace).lines().filter(is_ours).map(str::to_owned).collect();
        (lines, take(&self.record))
    }
}

#[test]
fn of_a_thousand_streams_one_is_pushed() {
    let world = World::new();
    let many = Many::new(&world, 1000);
    let server = world.place("srv.git");
    let before = ref_at(&server, STREAM).unwrap();
    many.work.commit("two.txt", "feat: more");
    assert_quiet(&super::push_with(&many.work, &many.env()));
    let after = ref_at(&server, STREAM).unwrap();
    let (nested, received) = many.sent();
    let [line] = &nested[..] else { panic!("{nested:?}") };
    assert!(line.contains(&format!("--force-with-lease={STREAM}:{before} ")), "{line}");
    assert!(line.ends_with(&format!(" {after}:{STREAM}")), "nothing else is named: {line}");
    assert!(!line.contains('*') && !line.contains("more"), "{line}");
    let lines: Vec<&str> = received.lines().collect();
    let [state, branch] = lines[..] else { panic!("{received}") };
    assert_eq!(state, format!("{before} {after} {STREAM}"));
    assert!(branch.ends_with(BRANCH), "{branch}");
}

#[test]
fn the_command_pushes_what_changed_as_well() {
    let world = World::new();
    let many = Many::new(&world, 30);
    // It records what no hook saw, as this does.
    many.a.godzilla_ok(&["sync"]);
    many.sent();
    let before = ref_at(&world.place("srv.git"), STREAM).unwrap();
    many.work.commit("two.txt", "feat: more");
    let shown = run(many.work.command(BIN).args(["push", "origin", "HEAD"]).envs(many.env()));
    assert_eq!(shown.code, Some(0), "{shown}");
    let (pushed, received) = many.sent();
    let [line] = &pushed[..] else { panic!("{pushed:?}") };
    assert!(line.contains(&format!("--atomic --force-with-lease={STREAM}:{before} ")), "{line}");
    assert!(!line.contains('*') && !line.contains("more"), "{line}");
    assert_eq!(received.lines().count(), 2, "{received}");
}
