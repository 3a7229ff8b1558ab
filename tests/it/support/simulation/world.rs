//! Who is there, who runs when, and what refs hold.

mod network;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::platform::clock;
use git_godzilla::platform::git::{Identity, NewCommit, Repo, TreeEntry};
use git_godzilla::service::context::Context;
use git_godzilla::store::refs;
use tempfile::TempDir;

use super::clones::Clone;
use super::ledger::{Item, Ledger};
use super::{ACTIONS, Chance, Config, Interrupt, Outcome, Step, Violation};

/// When the simulation begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// How long a step takes.
const STEP_MS: u64 = 1000;

/// Clocks are wrong by so many seconds.
const SKEWS_S: [i64; 6] = [0, 0, 0, -500, 700, 90_000];

/// A table of refs, with copies of older ones.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) refs: BTreeMap<String, Oid>,
    pub(super) backups: Vec<BTreeMap<String, Oid>>,
    /// The step from which on streams can be pushed to again.
    pub(super) busy_until: u64,
    /// Who judges what is pushed, in a repository that has the refs of the server.
    gate: Option<Context>,
}

/// Everything that is simulated.
pub(crate) struct World {
    pub(super) config: Config,
    dir: TempDir,
    /// Reads and writes the objects that all share.
    pub(super) repo: Repo,
    pub(super) servers: RefCell<Vec<Server>>,
    /// The last one is the runner of CI jobs, which keeps nothing.
    pub(super) clones: RefCell<Vec<Clone>>,
    pub(super) ledger: RefCell<Ledger>,
    /// Commits of code, by the protocol that they belong to.
    pub(super) code: RefCell<Vec<(Name, Oid)>>,
    /// Whether nothing is refused, lost or offline any more.
    pub(super) calm: Cell<bool>,
    /// Whether a hostile hand was at work.
    pub(super) harmed: Cell<bool>,
    chance: Cell<Chance>,
    now: Cell<u64>,
    who: Cell<usize>,
    interrupt: RefCell<Option<(u32, Interrupt)>>,
    violation: RefCell<Option<Violation>>,
    counts: RefCell<BTreeMap<String, usize>>,
    n_made: Cell<usize>,
    /// Whether the present step met another.
    has_met: Cell<bool>,
}

/// How a killed process ends.
struct Killed;

impl World {
    /// Makes a world in which nothing is yet.
    pub(crate) fn new(config: Config) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let own = dir.path().join("objects.git");
        for folder in ["objects/info", "objects/pack", "refs/heads"] {
            fs::create_dir_all(own.join(folder)).unwrap();
        }
        fs::write(own.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(own.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n").unwrap();
        Self {
            repo: Repo::open(&own).unwrap(),
            servers: RefCell::default(),
            clones: RefCell::default(),
            ledger: RefCell::default(),
            code: RefCell::default(),
            calm: Cell::new(false),
            harmed: Cell::new(false),
            chance: Cell::new(Chance(0)),
            now: Cell::new(0),
            who: Cell::new(0),
            interrupt: RefCell::default(),
            violation: RefCell::default(),
            counts: RefCell::default(),
            n_made: Cell::new(0),
            has_met: Cell::new(false),
            config,
            dir,
        }
    }

    /// Makes the first commit, the servers and the clones.
    pub(super) fn begin(&self) {
        let readme = self.repo.write_blob(b"a project\n").unwrap();
        let tree = self.repo.write_tree(&[TreeEntry::blob("README", readme)]).unwrap();
        let main = self.commit(tree, &[], "first");
        for server in 0..self.config.n_remotes {
            let refs = BTreeMap::from([("refs/heads/main".to_owned(), main)]);
            let gate = (self.config.gates && server % 2 == 1).then(|| {
                let place = self.clone_with(&format!("server-{server}"), Vec::new(), main);
                Clone::open(&place.git_dir)
            });
            self.servers.borrow_mut().push(Server { refs, gate, ..Server::default() });
        }
        for idx in 0..self.config.n_clones {
            let clone = self.make_clone(idx);
            self.clones.borrow_mut().push(clone);
        }
        let all = (0..self.config.n_remotes).map(|server| (format!("s{server}"), server)).collect();
        let runner = self.clone_with("runner", all, main);
        self.clones.borrow_mut().push(runner);
    }

    /// Makes the clone that is to be the `idx`-th. Every third one knows all servers, the others one.
    pub(super) fn make_clone(&self, idx: usize) -> Clone {
        let n_remotes = self.config.n_remotes;
        let home = idx % n_remotes;
        let mut remotes = vec![("origin".to_owned(), home)];
        if idx.is_multiple_of(3) {
            let others = (0..n_remotes).filter(|server| *server != home);
            remotes.extend(others.map(|server| (format!("s{server}"), server)));
        }
        let main = self.servers.borrow()[home].refs["refs/heads/main"];
        let n_made = self.n_made.replace(self.n_made.get() + 1);
        let mut clone = self.clone_with(&format!("c{n_made}"), remotes, main);
        clone.skew_ms = SKEWS_S[idx % SKEWS_S.len()] * 1000;
        clone
    }

    fn clone_with(&self, label: &str, remotes: Vec<(String, usize)>, main: Oid) -> Clone {
        let objects = self.dir.path().join("objects.git/objects");
        Clone::make(&self.dir.path().join(label), &objects, label, remotes, main)
    }

    pub(super) fn commit(&self, tree: Oid, parents: &[Oid], message: &str) -> Oid {
        let who = Identity { name: "somebody".to_owned(), email: "somebody@example.org".to_owned() };
        let new = NewCommit {
            tree,
            parents: parents.to_vec(),
            message: format!("{message}\n"),
            author: &who,
            committer: &who,
            for_people: false,
        };
        self.repo.write_commit(&new).unwrap()
    }

    // Who runs, and what becomes of it.

    /// Does one step, unless a promise was broken already.
    pub(super) fn step(&self, step: &Step) {
        if self.violation.borrow().is_some() {
            return;
        }
        let before = (self.chance.get(), self.who.get(), self.now.get());
        let outer = self.interrupt.replace(step.interrupt.clone());
        self.chance.set(Chance(step.seed));
        self.who.set(step.clone);
        self.now.set(step.at);
        self.has_met.set(false);
        let action = &ACTIONS[step.action];
        let ended = catch_unwind(AssertUnwindSafe(|| (action.run)(self, step.clone)));
        match ended {
            Ok(done) => self.count(&format!("{}{}", action.name, if done { "" } else { " (nothing)" })),
            Err(panic) if panic.is::<Killed>() => self.count("killed"),
            Err(panic) => resume_unwind(panic),
        }
        self.note_clone(step.clone);
        drop(self.interrupt.replace(outer));
        self.chance.set(before.0);
        self.who.set(before.1);
        self.now.set(before.2);
    }

    /// Runs a process of a clone; `None` if it has enough of them.
    pub(super) fn process<T>(&self, clone: usize, run: impl FnOnce(&Context) -> T) -> Option<T> {
        let git_dir = Some(&self.clones.borrow()[clone]).filter(|own| own.has_room())?.git_dir.clone();
        let idle = self.clones.borrow_mut()[clone].take_idle();
        let mut ctx = idle.unwrap_or_else(|| Clone::open(&git_dir));
        ctx.op = clock::new_id();
        self.clones.borrow_mut()[clone].start(&mut ctx);
        let ended = catch_unwind(AssertUnwindSafe(|| run(&ctx)));
        match ended {
            Ok(result) => {
                self.clones.borrow_mut()[clone].end(Some(ctx));
                Some(result)
            }
            Err(panic) => {
                self.clones.borrow_mut()[clone].end(None);
                resume_unwind(panic)
            }
        }
    }

    pub(super) fn become_clone(&self, clone: usize, now: u64) {
        self.who.set(clone);
        self.now.set(now);
    }

    pub(super) fn below(&self, limit: usize) -> usize {
        let mut chance = self.chance.get();
        let drawn = chance.below(limit);
        self.chance.set(chance);
        drawn
    }

    pub(super) fn pick<'t, T>(&self, from: &'t [T]) -> Option<&'t T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }

    /// Whether something else ran in the midst of this step.
    pub(super) fn was_interrupted(&self) -> bool {
        self.has_met.get()
    }

    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    pub(super) fn count(&self, what: &str) {
        *self.counts.borrow_mut().entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn violated(&self, check: &'static str, what: impl Into<String>) {
        let mut violation = self.violation.borrow_mut();
        violation.get_or_insert_with(|| Violation { check, what: what.into() });
    }

    pub(super) fn is_violated(&self) -> bool {
        self.violation.borrow().is_some()
    }

    pub(super) fn outcome(&self, result: String) -> Outcome {
        Outcome { violation: self.violation.take(), counts: self.counts.take(), result }
    }

    // What refs hold.

    /// Returns all that a table of refs of ours holds.
    pub(super) fn held<'r>(&self, refs: impl Iterator<Item = (&'r String, &'r Oid)>) -> BTreeSet<Item> {
        let mut held = BTreeSet::new();
        for (name, oid) in refs {
            held.extend(self.items_of(name, *oid));
        }
        held
    }

    fn items_of(&self, name: &str, oid: Oid) -> BTreeSet<Item> {
        let mut ledger = self.ledger.borrow_mut();
        if name.ends_with("/archive") {
            let mut items = BTreeSet::new();
            for tree in self.archived(oid).into_values() {
                items.extend(ledger.read_tree(&self.repo, tree).iter().flat_map(|known| known.items.clone()));
            }
            return items;
        }
        ledger.read(&self.repo, oid).map(|known| known.items.clone()).unwrap_or_default()
    }

    /// Returns the tip trees of an archive, by protocol.
    pub(super) fn archived(&self, archive: Oid) -> BTreeMap<Name, Oid> {
        let mut found = BTreeMap::new();
        let Ok(shards) = self.repo.tree_of(archive).and_then(|tree| self.repo.tree(tree)) else {
            return found;
        };
        for shard in shards.iter().filter(|shard| shard.is_tree()) {
            for entry in self.repo.tree(shard.oid).unwrap_or_default() {
                if let Some(name) = String::from_utf8(entry.name).ok().and_then(|name| name.parse().ok()) {
                    found.insert(name, entry.oid);
                }
            }
        }
        found
    }

    /// Returns all that refs of anybody hold, tracking refs included.
    pub(super) fn held_by_anybody(&self) -> BTreeSet<Item> {
        let mut held = BTreeSet::new();
        for server in self.servers.borrow().iter() {
            held.extend(self.held(server.refs.iter().filter(|(name, _)| name.starts_with(refs::SHARED))));
        }
        for clone in 0..self.config.n_clones {
            held.extend(self.held(self.refs_of(clone).iter()));
        }
        held
    }

    /// Returns the refs of ours that a clone has, tracking refs included.
    pub(super) fn refs_of(&self, clone: usize) -> BTreeMap<String, Oid> {
        self.refs_in(clone, &["refs/godzilla", "refs/godzilla-remote"])
    }

    /// Returns what was put into the trash of a clone.
    pub(super) fn trash_of(&self, clone: usize) -> BTreeMap<String, Oid> {
        self.refs_in(clone, &["refs/godzilla-local/trash"])
    }

    fn refs_in(&self, clone: usize, folders: &[&str]) -> BTreeMap<String, Oid> {
        let mut found = BTreeMap::new();
        let git_dir = self.clones.borrow()[clone].git_dir.clone();
        for folder in folders {
            collect(&git_dir, Path::new(folder), &mut found);
        }
        found
    }

    /// Learns what is new at the local refs of a clone.
    fn note_clone(&self, clone: usize) {
        for (name, oid) in self.refs_of(clone).iter().filter(|(name, _)| name.starts_with(refs::SHARED)) {
            self.note(name, *oid, Some(clone));
        }
    }

    /// Learns what is new at a ref; `by` is the clone that wrote it, if one of ours did.
    pub(super) fn note(&self, name: &str, oid: Oid, by: Option<usize>) {
        let items = self.items_of(name, oid);
        let known = self.ledger.borrow_mut().read(&self.repo, oid);
        let mut ledger = self.ledger.borrow_mut();
        let new: Vec<Item> = items.iter().filter(|item| !ledger.ever.contains(item)).copied().collect();
        ledger.ever.extend(&new);
        let Some(known) = known.filter(|_| by.is_some() && name.starts_with(refs::PROTOCOLS)) else { return };
        // A plan may be that of several protocols.
        let lines: Vec<Item> =
            new.iter().filter(|item| ledger.text(**item).starts_with('{')).copied().collect();
        for item in &lines {
            ledger.born_with.insert(*item, known.clone());
        }
        let is_new = |text: &str| new.iter().any(|item| ledger.text(*item) == text);
        if let Some(what) = super::automation_repeats(&known.content, &is_new) {
            drop(ledger);
            self.violated("automation repeats", what);
        }
    }

    /// Takes the step as hostile: what no ref holds afterwards need not be there at the end.
    pub(super) fn harm(&self, act: impl FnOnce()) {
        act();
        self.harmed.set(true);
        let held = self.held_by_anybody();
        let mut ledger = self.ledger.borrow_mut();
        let lost: Vec<Item> = ledger.ever.difference(&held).copied().collect();
        ledger.excused.extend(lost);
    }
}

/// Finds the refs below a folder. Clones pack none.
fn collect(git_dir: &Path, folder: &Path, found: &mut BTreeMap<String, Oid>) {
    let Ok(entries) = fs::read_dir(git_dir.join(folder)) else { return };
    for entry in entries.map(Result::unwrap) {
        let below = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(git_dir, &below, found);
        } else if below.extension().is_none_or(|extension| extension != "lock")
            && let Ok(oid) = fs::read_to_string(entry.path()).unwrap().trim().parse()
        {
            found.insert(below.to_str().unwrap().to_owned(), oid);
        }
    }
}
