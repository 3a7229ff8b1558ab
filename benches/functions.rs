//! The pure functions on the hot paths, on streams of three sizes: `cargo bench`.

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::event::{Actor, ActorKind, Body, CiReport, Created, Draft};
use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::Oid;
use git_godzilla::domain::ledger::{Author, Ledger};
use git_godzilla::domain::redact::{self, Known};
use git_godzilla::domain::spec::Specs;
use git_godzilla::platform::clock;
use git_godzilla::platform::git::{Identity, NewCommit, Repo, TreeEntry};
use git_godzilla::service::snapshot::Snapshot;
use git_godzilla::store::content::{Content, Line};
use git_godzilla::store::wire;

const SIZES: &[usize] = &[20, 1_000, 20_000];

fn main() {
    divan::main();
}

fn oid() -> Oid {
    Oid::from_bytes(&[7; 20]).expect("20 bytes are an id")
}

/// A stream with one creation and reports of a CI job.
fn content(n_events: usize) -> Content {
    let actor = Actor { kind: ActorKind::Ci, name: "bench".into(), host: None };
    let author = Author {
        actor: actor.into(),
        op: clock::new_id(),
        now_ms: 1_700_000_000_000,
        next_id: &clock::new_id,
    };
    let name = "0001-bench".parse().expect("it is a name");
    let mut ledger = Ledger::new(name, Vec::new(), Specs::new(), author.clone());
    ledger.push(Draft::new(Body::Created(Created {
        number: 1,
        slug: "bench".into(),
        title: "Bench".into(),
        description: String::new(),
        branch: "0001-bench".into(),
        base: "main".into(),
        base_commit: oid(),
    })));
    let mut content = Content::default();
    for event in ledger.new_events() {
        content.add(Line::new(event.clone()));
    }
    for run in 1..n_events as u64 {
        let mut event = author.event(
            Draft::new(Body::CiReported(CiReport {
                provider: "github".into(),
                workflow: "ci".into(),
                job: "test".into(),
                run,
                attempt: 1,
                result: JobResult::Success,
                commit: oid(),
                tree: None,
                branch: Some("0001-bench".into()),
                url: Some("https://ci.example.com/runs/1".into()),
            })),
            run + 1,
        );
        event.root = ledger.protocol().map(|protocol| protocol.root);
        content.add(Line::new(event));
    }
    content.normalize();
    content
}

#[divan::bench(args = SIZES)]
fn decode_lines(bencher: divan::Bencher<'_, '_>, n_events: usize) {
    let content = content(n_events);
    bencher
        .bench(|| content.lines().iter().filter(|line| wire::decode(line.text.as_bytes()).is_ok()).count());
}

#[divan::bench(args = SIZES)]
fn fold_events(bencher: divan::Bencher<'_, '_>, n_events: usize) {
    let events = content(n_events).events();
    bencher.bench(|| fold(&events, &Specs::new()));
}

#[divan::bench(args = SIZES)]
fn unite_with_itself(bencher: divan::Bencher<'_, '_>, n_events: usize) {
    let content = content(n_events);
    bencher.bench(|| {
        let mut united = content.clone();
        united.unite(&content);
        united
    });
}

#[divan::bench(args = SIZES)]
fn cut_into_segments(bencher: divan::Bencher<'_, '_>, n_events: usize) {
    let content = content(n_events);
    bencher.bench(|| content.segments().len());
}

#[divan::bench(args = SIZES)]
fn redact_lines(bencher: divan::Bencher<'_, '_>, n_lines: usize) {
    let text = "2026-11-21T01:04:09Z INFO request finished path=/api/v1/users status=200 duration_ms=12\n"
        .repeat(n_lines);
    let known = Known::new(["correct-horse-battery"]);
    bencher.counter(divan::counter::BytesCount::of_str(&text)).bench(|| redact::clean(&text, &known));
}

/// What a prompt says of a repository, with 50 files a folder.
#[divan::bench(args = [1_000, 10_000])]
fn snapshot_of_a_repository(bencher: divan::Bencher<'_, '_>, n_files: usize) {
    const IN_A_FOLDER: usize = 50;
    let dir = tempfile::tempdir().expect("a temporary folder");
    gix::init(dir.path()).expect("a repository");
    let repo = Repo::discover(dir.path()).expect("a repository");
    let blob = repo.write_blob(b"fn main() {}\n").expect("it can be written");
    let file = |idx: usize| TreeEntry::blob(format!("f{idx:02}.rs"), blob);
    let folders: Vec<TreeEntry> = (0..n_files / IN_A_FOLDER)
        .map(|idx| {
            // Folders of equal content would be one object.
            let mut entries: Vec<TreeEntry> = (1..IN_A_FOLDER).map(file).collect();
            entries.push(TreeEntry::blob(format!("main{idx:04}.rs"), blob));
            TreeEntry::tree(format!("d{idx:04}"), repo.write_tree(&entries).expect("it can be written"))
        })
        .collect();
    let who = Identity { name: "bench".into(), email: "bench".into() };
    let commit = repo
        .write_commit(&NewCommit {
            tree: repo.write_tree(&folders).expect("it can be written"),
            parents: Vec::new(),
            message: "bench\n".into(),
            author: &who,
            committer: &who,
            for_people: false,
        })
        .expect("it can be written");
    bencher
        .with_inputs(|| Repo::discover(dir.path()).expect("a repository"))
        .bench_local_values(|repo| Snapshot::of(&repo, commit).expect("it can be read").to_text().len());
}
