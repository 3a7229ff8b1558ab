//! A command that is cut off, and what must hold then: nothing is lost, and the next command goes on.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::support::{Place, Shown, World, copy};
use super::facts::Facts;
use super::scenarios::{Scenario, list};
use super::strike::{How, WHOLE};
use super::{describe, outcome};

/// A scenario, the world that it begins in, and how it ends if nobody disturbs it.
pub(super) struct Subject {
    pub(super) scenario: &'static Scenario,
    pub(super) world: World,
    saved: tempfile::TempDir,
    facts: Facts,
    pub(super) took: Duration,
    /// What it is there for to remove.
    may_go: BTreeSet<String>,
    /// How it looks in the end, for what is done once.
    described: String,
    wanted: String,
    findings: BTreeSet<String>,
}

impl Subject {
    pub(super) fn new(scenario: &'static Scenario) -> Self {
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

    /// Runs it so that it is cut off, perhaps, and returns what it said; or what went wrong then or since.
    pub(super) fn disturb(&self, how: &How, is_mended_first: bool) -> Result<Shown, String> {
        self.world.restore(&self.saved);
        let killed = (self.scenario.run)(&self.world, how);
        let kept = keep(&self.world);
        let mut said = String::new();
        for line in self.facts.lost(&self.world).difference(&self.may_go) {
            writeln!(said, "lost: {line}").unwrap();
        }
        // Who was killed with git finds locks that git itself asks a person to remove.
        let locks = locks_of_git(self.world.path());
        if how.kills_git() {
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
            _ if killed.code == Some(0) && !how.lacks_room() || self.is_done() => list(&self.world),
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
        if said.is_empty() {
            kept.inspect(|dir| std::fs::remove_dir_all(dir).unwrap());
            return Ok(killed);
        }
        Err(format!("{said}-- cut off, {kept:?}, locks {locks:?}\n{killed}"))
    }
}

/// Does it, and takes a panic for an error.
pub(super) fn caught<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
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
