//! A disk that fills up: what does not fit is said, nothing is lost, and once there is room the work is done.
//!
//! The disk is a file system in memory, which a process of its own mounts over the world of the test, where it may. For
//! other amounts of room: `PAGES=0,3,7 ONLY=undo cargo test --test it -- small_disk`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

use super::N_WORKERS;
use super::scenarios::{Scenario, all};
use super::strike::{How, started_by};
use super::subject::{Subject, caught};
use crate::support::dir_in_memory;

/// How many pages are free at first; a file takes at least one.
const PAGES: [u32; 3] = [0, 2, 9];

/// What is run there: everything that moves or removes something, and what hooks and engines lead to.
const NAMES: &[&str] = &[
    "archive",
    "commit",
    "export",
    "hooks install",
    "hooks uninstall",
    "import",
    "push",
    "push, with the branch",
    "qa",
    "redact --purge",
    "redo of a plan",
    "renumber",
    "restore",
    "run",
    "start",
    "sync",
    "unarchive",
    "undo",
    "undo of a plan",
    "uninstall",
    "worktrees gc",
    "worktrees remove",
];

/// Puts the world on a disk with so many free pages, runs the rest of the words, and brings all back.
const SCRIPT: &str = r#"
world=$1 real=$2 pages=$3
shift 3
at=$(pwd)
mount --bind "$world" "$real" && mount -t tmpfs -o mode=700 tmpfs "$world" || exit 99
cp -a "$real/." "$world" || exit 99
set_room() { mount -o "remount,size=$1" "$world" || exit 99; }
size() { echo $((($1 - $2 + pages) * $3)); }
set_room "$(size $(stat -f -c '%b %f %S' "$world"))"
cd "$at" && "$@"
code=$?
set_room 1g
find "$real" -mindepth 1 -delete && cp -a "$world/." "$real" || exit 99
exit "$code"
"#;

/// How one may mount what nobody else sees: as root of a name space of one's own, or as root.
const ALONE: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];

/// A disk for a world, with so much room beyond what is there.
pub(super) struct SmallDisk {
    world: PathBuf,
    /// Where the world lies meanwhile.
    real: TempDir,
    alone: &'static [&'static str],
    n_pages: u32,
}

impl SmallDisk {
    /// Returns a command that runs one on it.
    pub(super) fn below(&self, command: &Command) -> Command {
        let pages = self.n_pages.to_string();
        let [world, real] = [&*self.world, self.real.path()].map(|dir| dir.to_str().unwrap());
        let script = ["sh", "-c", SCRIPT, "sh", world, real, &pages];
        started_by("unshare", &[self.alone, &script].concat(), command)
    }
}

fn may_mount(alone: &[&str]) -> bool {
    let dir = dir_in_memory();
    let mut mount = Command::new("unshare");
    mount.args(alone).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path());
    mount.output().is_ok_and(|output| output.status.success())
}

/// Returns the words of a variable, if it is set.
fn words(name: &str) -> Option<Vec<String>> {
    let text = std::env::var(name).ok()?;
    Some(text.split(',').map(str::to_owned).collect())
}

#[test]
fn a_disk_that_fills_up_loses_nothing() {
    let Some(alone) = ALONE.into_iter().find(|alone| may_mount(alone)) else {
        println!("skipped: nobody may mount a file system of one's own here");
        return;
    };
    let (pages, only) = (words("PAGES"), words("ONLY"));
    let pages = pages.map_or(PAGES.to_vec(), |all| all.iter().map(|n| n.parse().unwrap()).collect());
    let mut scenarios: Vec<&Scenario> = all().filter(|it| NAMES.contains(&it.name)).collect();
    assert_eq!(scenarios.len(), NAMES.len());
    scenarios.retain(|it| only.as_ref().is_none_or(|only| only.iter().any(|name| name == it.name)));
    let queue = Mutex::new(scenarios.into_iter());
    let (n_failed, failures) = (Mutex::new(0), Mutex::new(String::new()));
    std::thread::scope(|scope| {
        for _ in 0..N_WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = queue.lock().unwrap().next() else { break };
                    let (n, said) = fill(scenario, alone, &pages);
                    *n_failed.lock().unwrap() += n;
                    failures.lock().unwrap().push_str(&said);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{failures}");
    let n_failed = n_failed.into_inner().unwrap();
    assert!(n_failed > 0, "every command had room enough");
}

/// Returns how often a command could not do its work, and what went wrong.
fn fill(scenario: &'static Scenario, alone: &'static [&'static str], pages: &[u32]) -> (usize, String) {
    let subject = Subject::new(scenario);
    let (mut n_failed, mut failures) = (0, String::new());
    for (idx, &n_pages) in pages.iter().enumerate() {
        let world = subject.world.path().to_owned();
        let how = How::on_disk(SmallDisk { world, real: dir_in_memory(), alone, n_pages });
        let tried = caught(|| {
            let said = subject.disturb(&how, idx % 2 == 1)?;
            // Whatever does not fit, it says so itself, in words.
            let is_told = said.code == Some(0) || said.to_string().len() > 40;
            if is_told && !matches!(said.code, None | Some(70 | 99)) {
                Ok(said)
            } else {
                Err(said.to_string())
            }
        });
        match tried {
            Ok(said) => n_failed += usize::from(said.code != Some(0)),
            Err(said) => {
                writeln!(failures, "\n== {}, {n_pages} pages free\n{said}", scenario.name).unwrap();
            }
        }
    }
    (n_failed, failures)
}
