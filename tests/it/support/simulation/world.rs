//! Who is there, who runs when, and what refs hold.

mod held;
mod network;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use git_godzilla::domain::id::{Name, Oid};
use git_godzilla::platform::clock;
use git_godzilla::platform::git::{Identity, NewCommit, Repo, TreeEntry};
use git_godzilla::service::context::Context;
use tempfile::TempDir;

use super::clones::Clone;
use super::ledger::{Item, Ledger};
use super::{ACTIONS, Broken, Chance, Config, Interrupt, Outcome, Step, Violation};

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
    pub(super) gate: Option<Context>,
}

/// Everything that is simulated.
pub(crate) struct World {
    pub(super) config: Config,
    dir: TempDir,
    /// Reads and writes the objects that all share, [`Self::by_hand`].
    repo: Repo,
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
    /// What servers had before a ref of theirs began anew.
    pub(super) replaced: RefCell<Vec<(usize, String, Oid)>>,
    /// What was said to be in no history of a server any more.
    pub(super) purged: RefCell<Vec<(usize, Item)>>,
    chance: Cell<Chance>,
    now: Cell<u64>,
    who: Cell<usize>,
    interrupt: RefCell<Option<(u32, Interrupt)>>,
    violation: RefCell<Option<Violation>>,
    counts: RefCell<BTreeMap<String, usize>>,
    n_made: Cell<usize>,
    /// How often a ref of a server moved.
    pub(super) n_moves: Cell<usize>,
    /// Whether the present step met another.
    has_met: Cell<bool>,
    /// Whether the world itself is at work, and no process.
    is_by_hand: Cell<bool>,
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
            replaced: RefCell::default(),
            purged: RefCell::default(),
            chance: Cell::new(Chance(0)),
            now: Cell::new(0),
            who: Cell::new(0),
            interrupt: RefCell::default(),
            violation: RefCell::default(),
            counts: RefCell::default(),
            n_made: Cell::new(0),
            n_moves: Cell::new(0),
            has_met: Cell::new(false),
            is_by_hand: Cell::new(false),
            config,
            dir,
        }
    }

    /// Makes the first commit, the servers and the clones.
    pub(super) fn begin(&self) {
        let tree = self.by_hand(|repo| {
            let readme = repo.write_blob(b"a project\n").unwrap();
            repo.write_tree(&[TreeEntry::blob("README", readme)]).unwrap()
        });
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
        clone.is_older = self.config.mixed && idx % 3 == 1;
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
        self.by_hand(|repo| repo.write_commit(&new).unwrap())
    }

    /// Lets the world itself read and write, which knows every type of events, is not interrupted, and has
    /// room for what it writes.
    pub(super) fn by_hand<T>(&self, work: impl FnOnce(&Repo) -> T) -> T {
        let before = self.is_by_hand.replace(true);
        let done = work(&self.repo);
        self.is_by_hand.set(before);
        done
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
        if self.is_broken(Broken::RepeatedAutomation) {
            self.repeat_automation(step.clone);
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

    /// Returns the clone that runs now.
    pub(super) fn who(&self) -> usize {
        self.who.get()
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
}
