//! Killed at any moment: `kill -9` after a time that is drawn from the usual run time of every command and every
//! hook, with all processes or ours alone; then nothing is lost, and the next command goes on.
//!
//! Some rounds are part of the suite. For more of them:
//!
//! ```text
//! ROUNDS=600 SEED=7 cargo test --test it -- --nocapture --exact crash::moments::nothing_is_lost_whenever_it_is
//! ```
//!
//! `ONLY=undo` takes the scenarios of that name alone, and `CALLS=40` kills at one of the first forty system calls that
//! change a file instead, which takes `strace`. What went wrong is kept where `KEEP` says, as it was right after the kill.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use git_godzilla::platform::{hook_files, server_hooks};
use serde_json::Value;

use super::super::every_command::writing_commands;
use super::super::support::{Place, World, copy};
use super::facts::Facts;
use super::more::MORE;
use super::scenarios::{SCENARIOS, Scenario, list};
use super::strike::{How, Strike, WHOLE, Whom};
use super::{N_WORKERS, describe, outcome};

/// Scenarios of the suite, and rounds of each.
const N_SCENARIOS: usize = 4;
const N_ROUNDS: u64 = 3;

/// Hooks, and the scenario in which git calls them.
const HOOKS: [(&str, &str); 9] = [
    ("prepare-commit-msg", "commit"),
    ("commit-msg", "commit"),
    ("post-commit", "commit"),
    ("post-rewrite", "rebase"),
    ("post-merge", "merge"),
    ("post-checkout", "checkout"),
    ("pre-push", "push"),
    ("pre-receive", "push of a merge"),
    ("post-receive", "push of a merge"),
];

fn all() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().chain(MORE)
}

/// Numbers that look random, the same for each seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_writing_command_and_every_hook_is_killed() {
    let is_of = |command: &str| {
        all().any(|scenario| {
            let rest = scenario.name.strip_prefix(command);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
        })
    };
    // The play has a repository of its own, which is thrown away; hooks are called by git.
    let elsewhere = ["demo", "hook"];
    let mut commands = writing_commands().filter(|command| !elsewhere.contains(command));
    let events = hook_files::EVENTS.into_iter().chain(server_hooks::EVENTS);
    let callers = events.map(|event| HOOKS.iter().find(|(known, _)| *known == event).unwrap().1);
    let missed: Vec<&str> = commands.by_ref().chain(callers).filter(|caller| !is_of(caller)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn nothing_is_lost_whenever_it_is() {
    let (seed, rounds) = (number("SEED").unwrap_or(1), number("ROUNDS"));
    let only = std::env::var("ONLY").ok();
    let mut dice = Dice(seed);
    let mut scenarios: Vec<&Scenario> = all().collect();
    scenarios.retain(|scenario| only.as_ref().is_none_or(|only| scenario.name == only));
    for last in (1..scenarios.len()).rev() {
        scenarios.swap(last, usize::try_from(dice.roll(last as u64 + 1)).unwrap());
    }
    if rounds.is_none() {
        scenarios.truncate(N_SCENARIOS);
    }
    let n_each = rounds.map_or(N_ROUNDS, |rounds| rounds.div_ceil(scenarios.len() as u64));
    let begin = Instant::now();
    let queue = Mutex::new(scenarios.into_iter());
    let total = Mutex::new(Total::default());
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = queue.lock().unwrap().next() else { break };
                    let tried = caught(|| Ok(Trial::new(scenario).rounds(seed, n_each)));
                    let said =
                        |said| Total { said: format!("\n== {}\n{said}", scenario.name), ..Total::default() };
                    total.lock().unwrap().add(&tried.unwrap_or_else(said));
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("seed {seed}: {total}, {:.1} rounds a minute", total.a_minute(begin.elapsed()));
    assert!(total.said.is_empty(), "seed {seed}\n{}", total.said);
    assert!(total.n_struck > 0, "none was killed in time");
}

/// What came of it.
#[derive(Default)]
struct Total {
    n_rounds: u32,
    n_struck: u32,
    n_cut_off: u32,
    said: String,
}

impl Total {
    fn add(&mut self, more: &Self) {
        self.n_rounds += more.n_rounds;
        self.n_struck += more.n_struck;
        self.n_cut_off += more.n_cut_off;
        self.said.push_str(&more.said);
    }

    fn a_minute(&self, took: Duration) -> f64 {
        f64::from(self.n_rounds) * 60.0 / took.as_secs_f64()
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_rounds, n_struck, n_cut_off, said } = self;
        let n_bad = said.matches("\n== ").count();
        write!(
            f,
            "{n_rounds} rounds, {n_struck} killed, {n_cut_off} of them visibly cut off, {n_bad} ended badly"
        )
    }
}

/// A scenario, the world that it begins in, and how it ends if nobody disturbs it.
struct Trial {
    scenario: &'static Scenario,
    world: World,
    saved: tempfile::TempDir,
    facts: Facts,
    took: Duration,
    /// What it is there for to remove.
    may_go: BTreeSet<String>,
    /// How it looks in the end, for what is done once.
    described: String,
    wanted: String,
    findings: BTreeSet<String>,
}

impl Trial {
    fn new(scenario: &'static Scenario) -> Self {
        let world = World::new();
        (scenario.set_up)(&world);
        let saved = world.save();
        let facts = Facts::of(&world);
        let begin = Instant::now();
        let shown = (scenario.run)(&world, &WHOLE);
        let took = begin.elapsed();
        assert_eq!(shown.code, Some(0), "{}\n{shown}", scenario.name);
        let may_go = facts.lost(&world);
        let mut described = String::new();
        if scenario.once {
            describe(&world.place("a"), &mut described);
        }
        let wanted = outcome(&world, scenario);
        let findings = doctor(&world.place("a"), &[]).into_iter().map(|finding| finding.code).collect();
        Self { scenario, world, saved, facts, took, may_go, described, wanted, findings }
    }

    fn rounds(&self, seed: u64, n_rounds: u64) -> Total {
        let mut total = Total::default();
        let mut took = self.took;
        let name_sum: u64 = self.scenario.name.bytes().map(u64::from).sum();
        for round in 0..n_rounds {
            let mut dice = Dice(seed.wrapping_mul(1_000_003) ^ (name_sum << 20) ^ round);
            let whom = [Whom::All, Whom::Ours][usize::from(dice.roll(2) == 0)];
            let strike = match number("CALLS") {
                Some(n_calls) => Strike::AtCall(u32::try_from(1 + dice.roll(n_calls)).unwrap()),
                None => Strike::After(took * u32::try_from(dice.roll(1050)).unwrap() / 1000, whom),
            };
            let (is_mended_first, how) = (dice.roll(3) == 0, How::struck(strike));
            let tried = caught(|| self.round(&how, strike, is_mended_first));
            total.n_rounds += 1;
            total.n_struck += u32::from(how.has_struck());
            if !how.has_struck() {
                // The first time it was slower.
                took = took.mul_f64(0.85);
            }
            match tried {
                Ok(was_cut_off) => total.n_cut_off += u32::from(was_cut_off),
                Err(said) => {
                    let name = self.scenario.name;
                    let said = format!(
                        "\n== {name}, round {round}, {strike:?}, doctor first: {is_mended_first}\n{said}"
                    );
                    println!("{said}");
                    total.said.push_str(&said);
                }
            }
        }
        total
    }

    /// Whether a person who looks sees that it was done.
    fn is_done(&self) -> bool {
        let mut described = String::new();
        if self.scenario.once {
            // What was begun is ended by any command, which says so.
            list(&self.world);
            describe(&self.world.place("a"), &mut described);
        }
        self.scenario.once && described == self.described
    }

    /// Returns whether somebody was cut off, by what can be seen of it.
    fn round(&self, how: &How, strike: Strike, is_mended_first: bool) -> Result<bool, String> {
        self.world.restore(&self.saved);
        let killed = (self.scenario.run)(&self.world, how);
        let kept = keep(&self.world);
        let mut said = String::new();
        for line in self.facts.lost(&self.world).difference(&self.may_go) {
            writeln!(said, "lost: {line}").unwrap();
        }
        // Who was killed with git finds locks that git itself asks a person to remove.
        let locks = locks_of_git(self.world.path());
        if !matches!(strike, Strike::After(_, Whom::Ours)) {
            for lock in &locks {
                std::fs::remove_file(lock).unwrap();
            }
        }
        let a = self.world.place("a");
        if is_mended_first {
            doctor(&a, &["--fix"]);
            let mut open = doctor(&a, &[]);
            open.retain(|it| it.is_open && it.is_mendable && !self.findings.contains(&it.code));
            for finding in open {
                writeln!(said, "not mended: {}: {}", finding.code, finding.message).unwrap();
            }
        }
        let again = match self.scenario.again {
            _ if killed.code == Some(0) || self.is_done() => list(&self.world),
            Some(again) => again(&self.world),
            None => (self.scenario.run)(&self.world, &WHOLE),
        };
        let outcome = outcome(&self.world, self.scenario);
        // What was done already is refused.
        if !matches!(again.code, Some(0 | 4)) || outcome != self.wanted {
            writeln!(said, "-- again\n{again}-- wanted\n{}-- outcome\n{outcome}", self.wanted).unwrap();
        }
        for finding in doctor(&a, &[]).iter().filter(|it| it.is_open && !self.findings.contains(&it.code)) {
            writeln!(said, "in the end: {}: {}", finding.code, finding.message).unwrap();
        }
        let was_cut_off = killed.code != Some(0);
        if said.is_empty() {
            kept.inspect(|dir| std::fs::remove_dir_all(dir).unwrap());
            return Ok(was_cut_off);
        }
        Err(format!("{said}-- killed, {kept:?}, locks {locks:?}\n{killed}"))
    }
}

/// Does it, and takes a panic for an error.
fn caught<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned())
    })
}

/// Keeps everything as it is now, if that is wished.
fn keep(world: &World) -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var_os("KEEP")?).join(world.path().file_name().unwrap());
    std::fs::remove_dir_all(&dir).ok();
    std::fs::create_dir_all(&dir).unwrap();
    copy(world.path(), &dir);
    Some(dir)
}

/// What `doctor` finds.
struct Finding {
    code: String,
    message: String,
    is_open: bool,
    /// Whether it says that it would mend it.
    is_mendable: bool,
}

fn doctor(a: &Place<'_>, args: &[&str]) -> Vec<Finding> {
    let shown = a.godzilla(&[&["doctor", "--json"], args].concat());
    assert!(matches!(shown.code, Some(0 | 1)), "doctor {args:?}\n{shown}");
    let document: Value = serde_json::from_str(&shown.stdout).unwrap();
    let finding = |found: &Value| Finding {
        code: found["code"].as_str().unwrap().to_owned(),
        message: found["message"].as_str().unwrap().to_owned(),
        is_open: found["severity"] != "info" && found["fixed"] == false,
        is_mendable: found["fix"].as_str().is_some_and(|fix| fix.contains("doctor --fix")),
    };
    document["findings"].as_array().unwrap().iter().map(finding).collect()
}

/// Returns the locks that git takes of its own files.
fn locks_of_git(world: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![world.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "lock") {
                found.push(path);
            }
        }
    }
    found
}
