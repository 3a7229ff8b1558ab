//! Sharing by plain git: two clones agree, whatever is pushed and pulled in whatever order, and
//! nothing that is shared is ever lost.

mod agree;
mod archive;
mod archive_bad;
mod archive_clones;
mod archive_hands;
mod archive_histories;
mod archive_kinds;
mod boxes;
mod boxes_bad;
mod failing;
mod merges;
mod merges_not;
mod newer;
mod offline;
mod pushing;
pub(crate) mod reading;
mod remotes;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::event::{Actor, ActorKind, Body, CiReport, Draft};
use git_godzilla::domain::id::Ulid;
use git_godzilla::domain::ledger::Author;
use git_godzilla::store::wire;
use serde_json::Value;

use crate::support::{Place, World};

const LOCAL_FIELDS: [&str; 4] = ["worktree", "unshared_events", "archived", "remotes"];

/// Takes out the fields that may differ between clones that agree.
fn without_local(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !LOCAL_FIELDS.contains(&key.as_str()));
            fields.values_mut().for_each(without_local);
        }
        Value::Array(items) => items.iter_mut().for_each(without_local),
        _ => (),
    }
}

/// What a clone shows of its protocols, without the local fields.
#[track_caller]
fn shown(place: &Place<'_>) -> String {
    let mut list = place.json(&["list", "--all"]);
    without_local(&mut list);
    let mut all = format!("{list}\n");
    for row in list["protocols"].as_array().unwrap() {
        let mut one = place.json(&["show", row["name"].as_str().unwrap()]);
        without_local(&mut one);
        writeln!(all, "{one}").unwrap();
    }
    all
}

/// Checks that clones show the same, byte for byte.
#[track_caller]
fn assert_agree(places: &[&Place<'_>]) {
    let first = shown(places[0]);
    for place in &places[1..] {
        assert_eq!(first, shown(place), "{} and {}", places[0].path.display(), place.path.display());
    }
}

fn ids(place: &Place<'_>, name: &str) -> BTreeSet<String> {
    place.event_ids(name).into_iter().collect()
}

/// All refs of a repository, without the branches that remote `HEAD`s stand for.
fn refs(place: &Place<'_>) -> String {
    place.git(&["for-each-ref", "--format=%(refname) %(objectname)"])
}

fn ref_at(place: &Place<'_>, name: &str) -> Option<String> {
    let out = place.try_git(&["rev-parse", "--verify", "--quiet", name]);
    (out.code == Some(0)).then(|| out.stdout.trim().to_owned())
}

/// Every object of a repository.
fn objects(place: &Place<'_>) -> String {
    let all = place.git(&[
        "cat-file",
        "--batch-all-objects",
        "--unordered",
        "--batch-check=%(objectname) %(objecttype)",
    ]);
    let mut lines: Vec<&str> = all.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn stream(name: &str) -> String {
    format!("refs/godzilla/protocols/{name}")
}

fn tracking(remote: &str, name: &str) -> String {
    format!("refs/godzilla-remote/{remote}/protocols/{name}")
}

/// The lines of all events at a ref.
fn lines_at(place: &Place<'_>, name: &str) -> Vec<String> {
    let segments = place.try_git(&["ls-tree", "--name-only", &format!("{name}:events")]);
    let segments: Vec<&str> = segments.stdout.lines().collect();
    let read = |segment: &&str| place.git(&["cat-file", "blob", &format!("{name}:events/{segment}")]);
    segments.iter().map(read).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Makes a remote write down every move of its refs.
fn keep_reflogs(server: &Place<'_>) {
    server.git(&["config", "core.logAllRefUpdates", "always"]);
}

/// Checks that each ref of ours is one chain, and that every push was a fast-forward.
#[track_caller]
fn assert_linear(server: &Place<'_>) {
    let all = server.git(&["for-each-ref", "--format=%(refname)", "refs/godzilla/"]);
    for name in all.lines() {
        for commit in server.git(&["rev-list", "--parents", name]).lines() {
            assert!(commit.split(' ').count() <= 2, "{name} has a merge: {commit}");
        }
        let log = std::fs::read_to_string(server.path.join("logs").join(name)).unwrap();
        for line in log.lines() {
            let (old, new) = (&line[..40], &line[41..81]);
            if !old.bytes().all(|byte| byte == b'0') {
                server.git(&["merge-base", "--is-ancestor", old, new]);
            }
        }
    }
}

/// Runs git with something on its input.
fn git_in(place: &Place<'_>, args: &[&str], input: &[u8]) -> String {
    let mut child =
        place.command("git").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a tree from `(path of one level, content)`; a folder is given by the id of its tree.
fn tree(place: &Place<'_>, entries: &[(&str, Entry<'_>)]) -> String {
    let mut listing = String::new();
    for (name, entry) in entries {
        let (mode, kind, id) = match entry {
            Entry::Blob(bytes) => ("100644", "blob", git_in(place, &["hash-object", "-w", "--stdin"], bytes)),
            Entry::Tree(id) => ("040000", "tree", (*id).to_owned()),
        };
        writeln!(listing, "{mode} {kind} {id}\t{name}").unwrap();
    }
    git_in(place, &["mktree"], listing.as_bytes())
}

enum Entry<'a> {
    Blob(&'a [u8]),
    Tree(&'a str),
}

const FORMAT: &str = "{\"format\":1,\"min_read\":1,\"min_write\":1}\n";

/// Writes a commit whose tree holds `lines`, as a stream's or a drop box's tip does.
fn tip(place: &Place<'_>, format: &str, lines: &str, parent: Option<&str>) -> String {
    let events = tree(place, &[("000000", Entry::Blob(lines.as_bytes()))]);
    let root = tree(place, &[("events", Entry::Tree(&events)), ("format", Entry::Blob(format.as_bytes()))]);
    commit(place, &root, parent)
}

fn commit(place: &Place<'_>, tree: &str, parent: Option<&str>) -> String {
    let mut args = vec!["commit-tree", tree, "-m", "made by hand"];
    args.extend(parent.iter().flat_map(|parent| ["-p", parent]));
    place.git(&args).trim().to_owned()
}

/// A name for a drop box.
fn box_name() -> String {
    format!("refs/godzilla/inbox/{}", new_id().to_string().to_lowercase())
}

fn new_id() -> Ulid {
    git_godzilla::platform::clock::new_id()
}

/// Pushes a drop box with `lines` from `place`, as a CI job does; returns the ref.
fn push_box(place: &Place<'_>, lines: &str) -> String {
    let name = box_name();
    let commit = tip(place, FORMAT, lines, None);
    place.git(&["push", "--quiet", "--no-verify", "origin", &format!("{commit}:{name}")]);
    name
}

/// A report of a CI job, as a writer without state makes it.
#[derive(Clone)]
struct Report<'a> {
    protocol: &'a str,
    commit: &'a str,
    job: &'a str,
    result: &'a str,
    run: u64,
    at_ms: u64,
}

impl Report<'_> {
    /// Returns its line, with a new id.
    fn line(&self) -> String {
        let actor = Actor { kind: ActorKind::Ci, name: "ci".to_owned(), host: None };
        let author = Author { actor: actor.into(), op: new_id(), now_ms: self.at_ms, next_id: &new_id };
        let body = Body::CiReported(CiReport {
            provider: "generic".into(),
            workflow: "".into(),
            job: self.job.into(),
            run: self.run,
            attempt: 1,
            result: JobResult::from_word(self.result).unwrap(),
            commit: self.commit.parse().unwrap(),
            tree: None,
            branch: Some(self.protocol.into()),
            url: None,
        });
        let mut event = author.event(Draft::new(body), 0);
        event.protocol = self.protocol.parse().ok();
        event.op = None;
        format!("{}\n", wire::encode(&event))
    }
}

/// Two clones that know the protocol `0001-x` with the steps One and Two, and its worktree in `a`.
fn two_clones(world: &World) -> (Place<'_>, Place<'_>, Place<'_>) {
    keep_reflogs(&world.place("srv.git"));
    let a = world.clone("a");
    a.plan("x", &["One", "Two"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let b = world.clone("b");
    (a, work, b)
}

const NAME: &str = "0001-x";

fn sync(place: &Place<'_>) {
    place.godzilla_ok(&["sync"]);
}
