//! Killed anywhere, run again: everything ends well.
//!
//! The names of the fail points come from the source. Every scenario is run once to learn which of
//! them it reaches, then once for each, dying there; then the same command is run again, and what
//! it leaves must be what it would have left at once.

pub(crate) mod facts;
mod half_made;
mod killed;
mod locks;
mod moments;
mod more;
mod scenarios;
mod small_disk;
mod strike;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use self::scenarios::{Scenario, at_points};
use self::strike::{How, WHOLE};
use super::support::{Place, World};

/// How many scenarios run at once.
const N_WORKERS: usize = 3;

#[test]
fn every_command_survives_every_fail_point() {
    let queue = Mutex::new(at_points());
    let reached: Mutex<BTreeMap<&str, BTreeSet<String>>> = Mutex::default();
    let failures: Mutex<String> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = queue.lock().unwrap().next() else { break };
                    let (died_at, said) = Trial::new(scenario).run_all();
                    reached.lock().unwrap().insert(scenario.name, died_at);
                    failures.lock().unwrap().push_str(&said);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{failures}");
    let reached: BTreeSet<String> = reached.into_inner().unwrap().into_values().flatten().collect();
    let missed: Vec<_> = fail_points().into_iter().filter(|name| !reached.contains(name)).collect();
    assert!(missed.is_empty(), "no scenario dies at {missed:?}");
}

/// The names that the source gives to fail points.
fn fail_points() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                let calls = text.split("fail::point(\"").skip(1);
                names.extend(calls.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
    assert!(names.len() > 40, "{names:?}");
    names
}

/// One scenario with a copy of the world it begins in.
struct Trial {
    scenario: &'static Scenario,
    world: World,
    /// The world as set up.
    saved: tempfile::TempDir,
    log: tempfile::TempPath,
}

impl Trial {
    fn new(scenario: &'static Scenario) -> Self {
        let world = World::new();
        (scenario.set_up)(&world);
        let saved = world.save();
        let log = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        Self { scenario, world, saved, log }
    }

    /// Returns the points that it died at, and what went wrong.
    fn run_all(self) -> (BTreeSet<String>, String) {
        let mut died_at = BTreeSet::new();
        let mut said = String::new();
        let counts = self.count_points();
        let wanted = outcome(&self.world, self.scenario);
        for (point, n_hits) in counts {
            if self.scenario.only.is_some_and(|only| !only.contains(&point.as_str())) {
                continue;
            }
            for nth in occurrences(&point, n_hits) {
                self.world.restore(&self.saved);
                let killed = (self.scenario.run)(&self.world, &self.dying_at(&format!("{point}:{nth}")));
                let has_died = self.read_log().contains(&format!("died at {point}"));
                if has_died {
                    died_at.insert(point.clone());
                } else if nth > 1 {
                    // Ids are random, so a segment may be cut in one run and not in the next: then
                    // the last write of the first run is not there in this one.
                    continue;
                }
                let again = match self.scenario.again {
                    Some(again) => again(&self.world),
                    None => (self.scenario.run)(&self.world, &WHOLE),
                };
                let outcome = outcome(&self.world, self.scenario);
                if !has_died || again.code != Some(0) || outcome != wanted {
                    let name = self.scenario.name;
                    writeln!(
                        said,
                        "== {name}, died at {point}:{nth}: {has_died}\n-- killed\n{killed}-- again\n{again}\
                         -- wanted\n{wanted}-- outcome\n{outcome}"
                    )
                    .unwrap();
                }
            }
        }
        (died_at, said)
    }

    /// Runs it to its end and returns how often each point was reached.
    fn count_points(&self) -> BTreeMap<String, usize> {
        let shown = (self.scenario.run)(&self.world, &self.dying_at(""));
        assert!(shown.code == Some(0), "{}\n{shown}", self.scenario.name);
        // Every process counts its own; hooks are processes too.
        let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for line in self.read_log().lines() {
            let (pid, point) = line.split_once(' ').unwrap();
            *counts.entry(point.to_owned()).or_default().entry(pid.to_owned()).or_default() += 1;
        }
        counts.into_iter().map(|(point, hits)| (point, hits.into_values().max().unwrap())).collect()
    }

    fn dying_at(&self, point: &str) -> How {
        fs::remove_file(&self.log).ok();
        How::at_point(point, self.log.to_str())
    }

    fn read_log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Returns what must not depend on when and how often the command was run.
fn outcome(world: &World, scenario: &Scenario) -> String {
    let a = world.place("a");
    let mut outcome = String::new();
    if let Some(also) = scenario.also {
        outcome.push_str(&also(&a));
    }
    let names = describe(&a, &mut outcome);
    if a.path.join(".git/godzilla/clone").exists() {
        let mut lives_on = |args: &[&str]| {
            let shown = a.godzilla(args);
            if shown.code != Some(0) || !shown.stderr.is_empty() {
                // What a sync says that it sent depends on what went before it was killed.
                writeln!(outcome, "{args:?}: {:?} {}", shown.code, shown.stderr).unwrap();
            }
        };
        for name in &names {
            lives_on(&["comment", "still alive", "-p", name]);
        }
        lives_on(&["sync"]);
    }
    for place in ["a", "srv.git"].map(|name| world.place(name)) {
        let fsck = place.try_git(&["fsck", "--no-dangling", "--no-progress"]);
        if fsck.code != Some(0) || fsck.to_string().contains("error") {
            writeln!(outcome, "fsck of {}: {fsck}", place.path.display()).unwrap();
        }
    }
    for path in leftovers(&a.path.join(".git")) {
        writeln!(outcome, "left: {path}").unwrap();
    }
    outcome
}

/// Which occurrences of a point to die at.
fn occurrences(point: &str, n_hits: usize) -> BTreeSet<usize> {
    let all =
        if point == "object.write" { vec![1, 2, n_hits / 3, n_hits / 2, n_hits] } else { vec![1, n_hits] };
    all.into_iter().filter(|nth| (1..=n_hits).contains(nth)).collect()
}

/// Writes what a person would ask for: protocols, their steps and events, branches, worktrees.
/// Returns the names.
fn describe(a: &Place<'_>, text: &mut String) -> Vec<String> {
    let listed = a.godzilla(&["list", "--all", "--json"]);
    if listed.code != Some(0) || !listed.stderr.is_empty() {
        writeln!(text, "list: {listed}").unwrap();
    }
    let document: Value = serde_json::from_str(&listed.stdout).unwrap();
    let mut names = Vec::new();
    for protocol in document["protocols"].as_array().unwrap() {
        let name = protocol["name"].as_str().unwrap();
        let has_worktree = protocol["worktree"].as_str().is_some_and(|path| Path::new(path).is_dir());
        let (title, status) = (&protocol["title"], &protocol["status"]);
        writeln!(text, "{name} {title} {status} worktree: {has_worktree} {:?}", a.statuses(name)).unwrap();
        let (mut ids, mut events) = (BTreeSet::new(), BTreeMap::new());
        for line in a.godzilla_ok(&["log", name, "--json"]).lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(ids.insert(event["id"].to_string()), "an event is there twice: {event}");
            // That a commit is gone is told by its rewriting, or by the tip that lacks it. Reports of
            // one job, its run and its attempt are one, however often they were sent.
            let is_fact = ["commit.rewritten", "branch.tip", "ci.reported"];
            // What somebody else saw as well counts once, and need not be there.
            if !is_fact.contains(&event["type"].as_str().unwrap()) && event["outcome"] != "duplicate" {
                let what = format!("{} {} {}", event["type"], event["step"], event["outcome"]);
                let n = events.entry(what).or_insert(0);
                // A run that was cut off is one as well.
                *n = if event["type"].as_str().unwrap().starts_with("run.") { 1 } else { *n + 1 };
            }
        }
        writeln!(text, "  {events:?}").unwrap();
        names.push(name.to_owned());
    }
    let refs = a.git(&["for-each-ref", "--format=%(refname)", "refs/heads", "refs/godzilla/protocols"]);
    let named = |prefix: &str| -> BTreeSet<&str> {
        refs.lines()
            .filter_map(|name| name.strip_prefix(prefix))
            .filter(|name| name.starts_with("00"))
            .collect()
    };
    let (branches, mut streams) = (named("refs/heads/"), named("refs/godzilla/protocols/"));
    let archived = a.try_git(&["ls-tree", "--name-only", "refs/godzilla/archive:00"]).stdout;
    streams.extend(archived.lines());
    writeln!(text, "branches {branches:?}").unwrap();
    assert!(branches.is_subset(&streams), "branches {branches:?} without a stream: {streams:?}");
    names
}

/// Files that only a process at work may have.
fn leftovers(git_dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![git_dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = path.strip_prefix(git_dir).unwrap().to_str().unwrap().to_owned();
            let is_waiting = ["godzilla/intents/", "godzilla/spool/"].iter().any(|dir| text.starts_with(dir));
            // An unfinished file is harmless, and goes when it is old.
            let is_draft = text.contains(".godzilla-draft-");
            if path.is_dir() {
                folders.push(path);
            } else if !is_draft
                && (is_waiting || path.extension().is_some_and(|end| end == "lock" || end == "draft"))
            {
                found.push(text);
            }
        }
    }
    found
}
