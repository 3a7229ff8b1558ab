//! Everything that a release has stored is read for ever.
//!
//! `tests/data/v1/` is what the first release writes: a line of every type, a plan, the versions of
//! a tip tree, and the `state.json` that follows. Its files never change; a release that writes
//! another form adds a folder. `v2/` has a line of every type that came to mean something later.

use std::collections::BTreeSet;

use git_godzilla::domain::event::Body;
use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::Oid;
use git_godzilla::domain::status::{ProtocolMove, StepMove};
use git_godzilla::platform::git::{Repo, TreeEntry};
use git_godzilla::store::content::{Content, FORMAT};
use git_godzilla::store::{spec, tip, wire};
use serde_json::Value;

use crate::support::World;

const EVENTS: &str = include_str!("../data/v1/events.jsonl");
const SPEC: &str = include_str!("../data/v1/spec.json");
const STATE: &str = include_str!("../data/v1/state.json");
const VERSIONS: &str = include_str!("../data/v1/format");

const KNOWN: &[&str] = &[
    "project.created",
    "protocol.created",
    "spec.changed",
    "gates.accepted",
    "undo",
    "commit.seen",
    "commit.rewritten",
    "branch.tip",
    "merge.detected",
    "ci.reported",
    "verdict.recorded",
    "note.added",
];

#[track_caller]
fn assert_valid(schema: &str, instance: &str) {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let instance = serde_json::from_str(instance).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&instance).map(|err| format!("{}: {err}", err.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {instance}");
}

fn kinds(is_reserved: bool) -> BTreeSet<String> {
    EVENTS
        .lines()
        .map(|line| wire::decode(line.as_bytes()).unwrap().event.body)
        .filter(|body| matches!(body, Body::Reserved { .. }) == is_reserved)
        .map(|body| body.kind().to_owned())
        .collect()
}

#[test]
fn v1_every_type_is_there() {
    let mut known: BTreeSet<String> = KNOWN.iter().map(|kind| (*kind).to_owned()).collect();
    known.extend(ProtocolMove::ALL.iter().map(ToString::to_string));
    known.extend(StepMove::ALL.iter().map(ToString::to_string));
    assert_eq!(kinds(false), known);
    assert_eq!(kinds(true).len(), 13);
}

#[test]
fn v1_lines_decode_encode_and_validate() {
    for line in EVENTS.lines() {
        let decoded = wire::decode(line.as_bytes()).unwrap();
        assert_eq!(decoded.canonical, None, "{line}");
        match &decoded.event.body {
            Body::Unknown { .. } | Body::Malformed { .. } => panic!("{:?}: {line}", decoded.event.body),
            Body::Reserved { .. } => (),
            // Nobody has keys yet, so nobody writes one.
            _ if line.contains("\"sig\"") => (),
            // Readers clean what could steer a terminal; the stored line keeps it.
            _ if line.contains("\\t") || line.contains("\\u00") => {
                assert!(!wire::encode(&decoded.event).contains("\\u00"), "{line}");
            }
            _ => assert_eq!(wire::encode(&decoded.event), line),
        }
        assert_valid(include_str!("../../schemas/event-line.schema.json"), line);
    }
}

/// What the second release gave a meaning to.
#[test]
fn v2_lines_decode_encode_and_validate() {
    let mut kinds = BTreeSet::new();
    for line in include_str!("../data/v2/events.jsonl").lines() {
        let decoded = wire::decode(line.as_bytes()).unwrap();
        assert!(decoded.event.body.has_meaning(), "{line}");
        assert_eq!(decoded.canonical, None, "{line}");
        assert_eq!(wire::encode(&decoded.event), line);
        assert_valid(include_str!("../../schemas/event-line.schema.json"), line);
        kinds.insert(decoded.event.body.kind().to_owned());
    }
    assert_eq!(kinds.len(), 12);
}

#[test]
fn v1_a_plan_decodes_encodes_and_validates() {
    let decoded = spec::decode(SPEC.as_bytes()).unwrap();
    assert_eq!(decoded.steps.len(), 4);
    assert_eq!(spec::encode(&decoded).1, SPEC);
    assert_valid(include_str!("../../schemas/protocol-spec.schema.json"), SPEC);
}

#[test]
fn a_plan_may_say_more_about_its_planner() {
    let said = r#""planner":{"name":"outline","prompt_hash":null}"#;
    let spec = SPEC.replace(r#""planner":"outline""#, said);
    assert_valid(include_str!("../../schemas/protocol-spec.schema.json"), &spec);
    assert_eq!(spec::decode(spec.as_bytes()).unwrap().planner.name, "outline");
}

/// A tip tree of the first release: everything in it survives, and its state is still the same.
#[test]
#[expect(clippy::disallowed_methods, reason = "the repository is made by git itself")]
fn v1_a_tip_tree_is_read_and_written_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "--quiet", "--bare", "."]);
    let repo = Repo::discover(dir.path()).unwrap();

    let mut content = Content::default();
    for line in EVENTS.lines() {
        content.add_raw(line.as_bytes());
    }
    content.normalize();
    let decoded = spec::decode(SPEC.as_bytes()).unwrap();
    content.specs.insert(spec::encode(&decoded).0, SPEC.to_owned());
    assert_eq!(content.lines().len(), EVENTS.lines().count());
    assert_eq!(content.format, FORMAT);

    let protocol = fold(&content.events(), &content.decoded_specs()).protocol;
    let tree = tip::write(&repo, &content, protocol.as_ref()).unwrap();
    let show = |path: &str| git(&["cat-file", "blob", &format!("{tree}:{path}")]);
    assert_eq!(show("format"), VERSIONS);
    // The version of the fold says when it changed for events that the first release had no meaning for.
    assert_eq!(show("state.json"), STATE.replace(r#""fold":1"#, r#""fold":5"#));
    assert_valid(include_str!("../../schemas/state.schema.json"), STATE);
    assert_eq!(git(&["cat-file", "blob", &format!("{tree}:specs/{}", spec::encode(&decoded).0)]), SPEC);
    assert_eq!(tip::read(&repo, tree).unwrap(), content);

    // Before the merge and the cancellation, which come last, it is blocked.
    let events = content.events();
    let open = fold(&events[..events.len() - 2], &content.decoded_specs()).protocol;
    assert_eq!(open.as_ref().unwrap().blocked.as_ref().unwrap().code, "ci.failed");
    let open = tip::write(&repo, &content, open.as_ref()).unwrap();
    let snapshot = git(&["cat-file", "blob", &format!("{open}:state.json")]);
    assert_valid(include_str!("../../schemas/state.schema.json"), &snapshot);

    // One that another tool wrote by the same rules, without a snapshot, is the same content.
    let blob = |text: &str| -> Oid { repo.write_blob(text.as_bytes()).unwrap() };
    let lines: Vec<&str> = content.lines().iter().map(|line| &*line.text).collect();
    let events = lines.join("\n");
    let events = repo.write_tree(&[TreeEntry::blob("000000", blob(&events))]).unwrap();
    let specs = [TreeEntry::blob(spec::encode(&decoded).0.to_string(), blob(SPEC))];
    let specs = repo.write_tree(&specs).unwrap();
    let root = [
        TreeEntry::tree("events", events),
        TreeEntry::blob("format", blob(VERSIONS)),
        TreeEntry::tree("specs", specs),
    ];
    assert_eq!(tip::read(&repo, repo.write_tree(&root).unwrap()).unwrap(), content);
}

#[test]
fn v1_consent_is_read_and_kept() {
    const CONSENT: &str = include_str!("../data/v1/trust.json");
    const FOR_ONE: &str = include_str!("../data/v1/trust-accepted.json");

    let world = World::new();
    let a = world.clone("a");
    a.write("scripts/ci/lib.sh", "say() { echo \"$@\"; }\n");
    a.commit_gate(
        "test.sh",
        "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\nsay tests in $(pwd)\ntest -f ok.txt\n",
    );
    a.write(".git/godzilla/trust.json", CONSENT);
    assert_eq!(a.json(&["trust"])["trusted"], true);
    // What was agreed to for one protocol may run where the base has it.
    a.write(".git/godzilla/trust.json", FOR_ONE);
    assert_eq!(a.json(&["trust"])["trusted"], true);
    let for_one: Value = serde_json::from_str(FOR_ONE).unwrap();
    let mut all: Value = serde_json::from_str(CONSENT).unwrap();
    all["accepted"] = for_one["accepted"].clone();
    a.write(".git/godzilla/trust.json", &all.to_string());

    a.git(&["update-index", "--chmod=-x", "scripts/ci/test.sh"]);
    a.git(&["commit", "--quiet", "-m", "ci: a mode"]);
    a.git(&["push", "--quiet", "origin", "HEAD"]);
    a.godzilla_ok(&["trust", "--yes"]);
    let kept: Value = serde_json::from_str(&a.read(".git/godzilla/trust.json")).unwrap();
    let before: Value = serde_json::from_str(CONSENT).unwrap();
    assert_eq!((&kept["gates"][0], &kept["engines"]), (&before["gates"][0], &before["engines"]));
    assert_eq!(kept["gates"].as_array().unwrap().len(), 2);
    assert_eq!(kept["accepted"], for_one["accepted"]);
}

const KEPT: &str = include_str!("../data/v2/kept");

/// It is read for as long as it is kept; an older program has written it.
#[test]
fn v2_what_is_kept_of_a_worktree_is_read_as_it_was_written() {
    use std::os::unix::ffi::OsStrExt as _;

    let world = World::new();
    let a = world.clone("a");
    let tree = a.git(&["rev-parse", "HEAD^{tree}"]);
    let commit = a.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", KEPT]);
    let name = "refs/godzilla-local/trash/0001-add-a-login/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    a.git(&["update-ref", name, commit.trim()]);
    let repo = Repo::discover(&a.path).unwrap();
    let kept = git_godzilla::store::kept::list(&repo).unwrap().remove(0);
    assert_eq!(
        (kept.name.as_str(), kept.protocol.as_str(), kept.at_ms()),
        (name, "0001-add-a-login", 1_469_922_850_259)
    );
    let about = kept.about.unwrap();
    let oid = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap();
    assert_eq!((about.head, about.index, about.tip), (oid("1"), Some(oid("2")), Some(oid("3"))));
    assert_eq!((about.tree.to_string(), about.why.as_str()), (tree.trim().to_owned(), "removed"));
    assert_eq!(about.branch.as_deref(), Some("0001-add-a-login"));
    assert_eq!(about.dir.unwrap().as_os_str().as_bytes(), b"/repositories/a/odd \xff\nplace 100%");
    assert_eq!(about.op.unwrap().to_string(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let not_held = [("ignored", "build/"), ("unmerged", "a b")];
    assert_eq!(about.not_held, not_held.map(|(why, path)| (why.to_owned(), path.to_owned())));

    // What is written has the same lines in the same order.
    let work = a.plan("Add a login", &["One"]);
    work.write(".gitignore", "build/\n");
    work.write("build/out", "built\n");
    let gone = a.json(&["worktrees", "remove", "1", "--force"]);
    let message = a.git(&["log", "-1", "--format=%B", gone["kept"]["ref"].as_str().unwrap()]);
    let keys = |text: &str| -> Vec<String> {
        let keys = text.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key.to_owned());
        keys.filter(|key| key != "Later").collect()
    };
    let mut want = keys(KEPT);
    want.remove(want.len() - 1);
    assert_eq!(keys(&message), want);
    assert!(message.contains(&format!("Tip: {}\n", gone["branch"].as_str().unwrap())), "{message}");
}

/// Why a remote took nothing: it is read, and written again with the same bytes.
#[test]
fn v1_what_a_remote_answered_is_written_as_it_was() {
    use git_godzilla::platform::git::Remote;
    use git_godzilla::store::answer::{self, Said};

    const SCHEMA: &str = include_str!("../../schemas/remote-answer.schema.json");
    const ANSWER: &str = include_str!("../data/v1/remote-answer.json");

    assert_valid(SCHEMA, ANSWER);
    let world = World::new();
    let a = world.clone("a");
    let repo = Repo::discover(&a.path).unwrap();
    let urls = vec!["https://example.invalid/x.git".to_owned()];
    let remote = Remote { name: "origin".to_owned(), urls, push_urls: Vec::new(), fetch: Vec::new() };
    let file = a.path.join(".git/godzilla/remotes/origin.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    // What a newer version says beside it does no harm.
    for said in [ANSWER.to_owned(), ANSWER.replacen('{', "{\"later\":[1],", 1)] {
        std::fs::write(&file, said).unwrap();
        let mut answer = answer::read(&repo, &remote).unwrap();
        assert_eq!((answer.said, answer.at_ms), (Said::Refused, 1_795_000_000_000));
        answer::write(&repo, &remote, &answer);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), ANSWER.trim_end());
        for said in [Said::Overtaken, Said::Auth, Said::Unreachable, Said::Failed] {
            answer.said = said;
            answer.reason = "x".repeat(400);
            answer::write(&repo, &remote, &answer);
            assert_valid(SCHEMA, &std::fs::read_to_string(&file).unwrap());
        }
    }
}
