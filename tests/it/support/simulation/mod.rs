//! Many clones, a few servers, hostile hands, and time that runs differently everywhere.
//!
//! Clones are real repositories on which the library decides as it does for a person. What is played
//! are the machine's parts: a server is a table of refs that moves them by compare-and-swap, all
//! repositories share one folder of objects, and clocks, chance, kills and lost connections follow
//! from a seed. A run is a list of [`Step`]s, each with chance of its own, so that any of them can be
//! left out and the others stay what they are.

mod actions;
mod broken;
mod checks;
mod clones;
mod code;
mod hostile;
mod ledger;
mod refspecs;
mod releases;
mod shrink;
mod states;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use actions::{ACTIONS, Action, Needs};
pub(crate) use broken::Broken;
pub(crate) use ledger::Content;
pub(crate) use shrink::shrink;
pub(crate) use states::{automation_repeats, newest_report_counts, order_matters, root_is_the_first};
use world::World;

/// What a simulation consists of.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) n_clones: usize,
    pub(crate) n_remotes: usize,
    pub(crate) n_steps: usize,
    /// Whether hostile hands are at work.
    pub(crate) hostile: bool,
    /// Whether every other server has our hook, which lets nothing in that it need not.
    pub(crate) gates: bool,
    /// Whether every third clone has the release before, with another fold, until all have the same.
    pub(crate) mixed: bool,
    /// The rows of the table that steps are drawn from; none for all.
    pub(crate) only: &'static [&'static str],
    /// What is broken on purpose, so that a check has something to find.
    pub(crate) broken: Option<Broken>,
}

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The time, in steps.
    pub(crate) at: u64,
    /// Who does it.
    pub(crate) clone: usize,
    /// Which of [`ACTIONS`].
    pub(crate) action: usize,
    /// All chance in it.
    pub(crate) seed: u64,
    /// What happens at the n-th fail point, or after so many writes.
    pub(crate) interrupt: Option<(u32, Interrupt)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Interrupt {
    /// The process is killed.
    Kill,
    /// Somebody else does something, perhaps a second process of the same clone.
    Meanwhile(Box<Step>),
    /// The disk has room for this many files more, until the command ends.
    Full,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) check: &'static str,
    pub(crate) what: String,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    /// How often what happened.
    pub(crate) counts: BTreeMap<String, usize>,
    /// What everybody agreed on at the end.
    pub(crate) result: String,
}

/// Chance that comes again for the same seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// Returns the steps that `seed` stands for.
pub(crate) fn steps(seed: u64, config: &Config) -> Vec<Step> {
    let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    (0..config.n_steps as u64).map(|at| step(at, config, &mut chance, true)).collect()
}

/// Returns what can happen in such a world.
pub(crate) fn possible(config: &Config) -> impl Iterator<Item = (usize, &'static Action)> {
    let Config { hostile, mixed, only, .. } = *config;
    let rows = ACTIONS.iter().enumerate().filter(move |(_, action)| match action.needs {
        Needs::Nothing => true,
        Needs::Hostile => hostile,
        Needs::Releases => mixed,
    });
    rows.filter(move |(_, action)| only.is_empty() || only.contains(&action.name))
}

fn step(at: u64, config: &Config, chance: &mut Chance, may_be_interrupted: bool) -> Step {
    let mut left = chance.below(possible(config).map(|(_, action)| action.weight).sum());
    let chosen = possible(config).find(|(_, action)| {
        let is_it = left < action.weight;
        left = left.saturating_sub(action.weight);
        is_it
    });
    let chosen = match at {
        // Without a plan there is nothing to do.
        0..3 => possible(config).next(),
        // However rare something is, it comes in its turn.
        _ if may_be_interrupted && at % 4 == 3 => {
            let n_possible = possible(config).count();
            possible(config).nth(usize::try_from(at / 4).unwrap() % n_possible)
        }
        _ => chosen,
    };
    let clone = chance.below(config.n_clones);
    let seed = chance.next();
    let mut interrupt = None;
    if may_be_interrupted && chance.below(100) < 18 {
        // Many commands end early, so early points are the likelier ones.
        let most = 1 << chance.below(9);
        let nth = u32::try_from(1 + chance.below(most)).unwrap();
        let what = match chance.below(100) {
            0..25 => Interrupt::Kill,
            25..35 => Interrupt::Full,
            _ => {
                let mut other = step(at, config, chance, false);
                if chance.below(2) == 0 {
                    other.clone = clone;
                }
                Interrupt::Meanwhile(Box::new(other))
            }
        };
        interrupt = Some((nth, what));
    }
    Step { at, clone, action: chosen.map_or(0, |(idx, _)| idx), seed, interrupt }
}

/// Does all `steps`, lets everybody share until nothing moves, and checks what must be true.
pub(crate) fn run(config: &Config, steps: &[Step]) -> Outcome {
    let world = Rc::new(World::new(config.clone()));
    let _entered = git_godzilla::platform::simulated::enter(Rc::clone(&world) as _);
    world.begin();
    for step in steps {
        world.step(step);
    }
    let result = checks::settle(&world);
    world.outcome(result)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, clone, action, seed, interrupt } = self;
        write!(f, "{at}: c{clone} {} (chance {seed})", ACTIONS[*action].name)?;
        match interrupt {
            None => Ok(()),
            Some((nth, Interrupt::Kill)) => write!(f, ", killed at point {nth}"),
            Some((nth, Interrupt::Full)) => write!(f, ", no room after {nth} files"),
            Some((nth, Interrupt::Meanwhile(other))) => write!(f, ", at point {nth} {{ {other} }}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}
