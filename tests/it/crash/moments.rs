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

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use git_godzilla::platform::{hook_files, server_hooks};

use super::super::every_command::writing_commands;
use super::N_WORKERS;
use super::scenarios::{Scenario, all};
use super::strike::{How, Strike, Whom};
use super::subject::{Subject, caught};

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
                    let tried = caught(|| Ok(killed(&Subject::new(scenario), seed, n_each)));
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

/// Kills it now and then.
fn killed(subject: &Subject, seed: u64, n_rounds: u64) -> Total {
    let mut total = Total::default();
    let mut took = subject.took;
    let name_sum: u64 = subject.scenario.name.bytes().map(u64::from).sum();
    for round in 0..n_rounds {
        let mut dice = Dice(seed.wrapping_mul(1_000_003) ^ (name_sum << 20) ^ round);
        let whom = [Whom::All, Whom::Ours][usize::from(dice.roll(2) == 0)];
        let strike = match number("CALLS") {
            Some(n_calls) => Strike::AtCall(u32::try_from(1 + dice.roll(n_calls)).unwrap()),
            None => Strike::After(took * u32::try_from(dice.roll(1050)).unwrap() / 1000, whom),
        };
        let (is_mended_first, how) = (dice.roll(3) == 0, How::struck(strike));
        let tried = caught(|| subject.disturb(&how, is_mended_first));
        total.n_rounds += 1;
        total.n_struck += u32::from(how.has_struck());
        if !how.has_struck() {
            // The first time it was slower.
            took = took.mul_f64(0.85);
        }
        match tried {
            Ok(shown) => total.n_cut_off += u32::from(shown.code != Some(0)),
            Err(said) => {
                let name = subject.scenario.name;
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
