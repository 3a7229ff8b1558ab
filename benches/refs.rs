//! Three ways to move a ref by compare-and-swap: our own, gix's, and `git update-ref`, without and
//! with a `packed-refs` file: `cargo bench --bench refs`. The figures are in docs/adr/0004.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::{Identity, Move, Repo};
use git_godzilla::platform::lock::Lock;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use tempfile::TempDir;

const REF: &str = "refs/godzilla/protocols/0001-bench";

fn main() {
    divan::main();
}

struct World {
    dir: TempDir,
    commits: [Oid; 2],
}

impl World {
    fn new(packed: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        git(dir.path(), &["init", "--quiet"]);
        for key in ["user.name", "user.email"] {
            git(dir.path(), &["config", key, "bench"]);
        }
        let commits = [commit(dir.path()), commit(dir.path())];
        git(dir.path(), &["update-ref", REF, &commits[0].to_string()]);
        if packed {
            git(dir.path(), &["pack-refs", "--all"]);
        }
        Self { dir, commits }
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench starts git by itself")]
fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git").current_dir(dir).args(args).output().expect("git runs");
    String::from_utf8(output.stdout).expect("git speaks UTF-8").trim().to_owned()
}

fn commit(dir: &Path) -> Oid {
    git(dir, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
    git(dir, &["rev-parse", "HEAD"]).parse().expect("an id")
}

#[divan::bench(args = [false, true])]
fn ours(bencher: divan::Bencher<'_, '_>, packed: bool) {
    let world = World::new(packed);
    let repo = Repo::discover(world.dir.path()).expect("a repository");
    let who = Identity { name: "bench".into(), email: "bench".into() };
    let mut at = 0;
    bencher.bench_local(|| {
        let path = repo.state_dir().join("locks/bench");
        let mut guard = Lock::acquire(&path, Duration::ZERO).expect("nobody else is here");
        let (expected, new) = (Some(world.commits[at]), world.commits[1 - at]);
        repo.move_ref(Move { name: REF, expected, new, who: &who, message: "bench" }, &mut guard)
            .expect("it moves");
        at = 1 - at;
    });
}

#[divan::bench(args = [false, true])]
fn gix(bencher: divan::Bencher<'_, '_>, packed: bool) {
    let world = World::new(packed);
    let repo = ::gix::open(world.dir.path()).expect("a repository");
    let id = |oid: Oid| ::gix::ObjectId::from_bytes_or_panic(oid.as_bytes());
    let mut at = 0;
    bencher.bench_local(|| {
        let change = Change::Update {
            log: LogChange { mode: RefLog::AndReference, force_create_reflog: true, message: "bench".into() },
            expected: PreviousValue::MustExistAndMatch(id(world.commits[at]).into()),
            new: id(world.commits[1 - at]).into(),
        };
        let name = REF.try_into().expect("a name");
        repo.edit_reference(RefEdit { change, name, deref: false }).expect("it moves");
        at = 1 - at;
    });
}

#[divan::bench(args = [false, true])]
fn git_update_ref(bencher: divan::Bencher<'_, '_>, packed: bool) {
    let world = World::new(packed);
    let mut at = 0;
    bencher.bench_local(|| {
        let (old, new) = (world.commits[at].to_string(), world.commits[1 - at].to_string());
        git(world.dir.path(), &["update-ref", "--create-reflog", REF, &new, &old]);
        at = 1 - at;
    });
}
