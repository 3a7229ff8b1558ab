//! `kill -9` from outside, and the locks that dead processes leave.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use git_godzilla::cli::error::{CliError, Exit};
use git_godzilla::platform::git::Repo;
use git_godzilla::service::act::{Verb, act};
use git_godzilla::service::context::Context;
use git_godzilla::service::settings::Settings;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::super::support::{BIN, Place, World, run};
use super::leftovers;

const NAME: &str = "0001-add-a-login";
const N_ROUNDS: usize = 50;

/// Makes a pipe that hears of fail points. Whoever writes to it while it is open does not wait.
fn pipe(path: &Path) -> File {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

/// Kills `child` as soon as it has passed `n_points` fail points; returns whether it ended well before.
fn kill_after(mut child: Child, points: &mut File, n_points: usize) -> bool {
    let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let mut n_passed = 0;
    while n_passed < n_points {
        let mut heard = [PollFd::new(&*points, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        poll(&mut heard, None).unwrap();
        if heard[0].revents().is_empty() {
            return child.wait().unwrap().success();
        }
        let mut said = [0; 1024];
        let n_read = points.read(&mut said).unwrap();
        n_passed += said[..n_read].split(|byte| *byte == b'\n').count() - 1;
    }
    child.kill().unwrap();
    child.wait().unwrap().success()
}

fn noted(place: &Place<'_>) -> BTreeSet<String> {
    let log = place.godzilla_ok(&["log", NAME, "--json"]);
    let notes = log.lines().filter(|line| line.contains("note.added"));
    notes.map(|line| line.split("round ").nth(1).unwrap().split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.godzilla_ok(&["sync"]);
    let mut acknowledged = BTreeSet::new();
    let mut n_killed = 0;
    // They stay open: what a killed command has started may still write.
    let mut pipes = Vec::new();
    for round in 0..N_ROUNDS {
        if round % 7 == 0 {
            // A lock of a dead writer keeps git from removing the loose ref; it packs the others.
            a.try_git(&["pack-refs", "--all"]);
        }
        let log = world.path().join(format!("points-{round}"));
        let text = format!("round {round}");
        let args = match round % 5 {
            0..=2 => vec!["comment", text.as_str(), "-p", "1"],
            3 => vec!["plan", text.as_str(), "--step", "One"],
            _ => vec!["sync"],
        };
        let mut points = pipe(&log);
        let child =
            a.command(BIN).args(&args).env("GODZILLA_FAIL_LOG", &log).stdout(Stdio::null()).spawn().unwrap();
        let ended_well = kill_after(child, &mut points, 1 + round % 13);
        pipes.push(points);
        if !ended_well {
            n_killed += 1;
        } else if args[0] == "comment" {
            acknowledged.insert(round.to_string());
        }
    }
    // How many depends on the machine: a command may end before it is seen at its stage.
    assert!(n_killed > 0, "none was killed in time");

    a.godzilla_ok(&["list"]);
    let names: Vec<String> = branches(&a);
    for name in &names {
        a.godzilla_ok(&["comment", "round last", "-p", name]);
    }
    let found = noted(&a);
    assert!(acknowledged.is_subset(&found), "{acknowledged:?} {found:?}");
    a.godzilla_ok(&["sync"]);
    a.git(&["pack-refs", "--all"]);
    assert_eq!(leftovers(&a.path.join(".git")), Vec::<String>::new());
    let fsck = a.try_git(&["fsck", "--no-dangling", "--no-progress"]);
    assert!(fsck.code == Some(0) && !fsck.to_string().contains("error"), "{fsck}");
    let streams = a.git(&["for-each-ref", "--format=%(refname:lstrip=-1)", "refs/godzilla/protocols"]);
    assert_eq!(streams.lines().collect::<Vec<_>>(), names);
}

fn branches(place: &Place<'_>) -> Vec<String> {
    let names = place.git(&["for-each-ref", "--format=%(refname:lstrip=-1)", "refs/heads/0*"]);
    names.lines().map(str::to_owned).collect()
}

#[test]
fn the_lock_of_a_dead_writer_of_ours_goes_with_packed_refs_too() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    a.git(&["pack-refs", "--all"]);
    let killed =
        run(a.command(BIN).args(["comment", "round 1", "-p", "1"]).env("GODZILLA_FAIL_POINT", "ref.locked"));
    assert_eq!(killed.code, None, "{killed}");
    let lock = a.path.join(format!(".git/refs/godzilla/protocols/{NAME}.lock"));
    assert!(lock.exists());
    // A lock of the whole file stops git, not us.
    a.write(".git/packed-refs.lock", "");
    a.godzilla_ok(&["comment", "round 2", "-p", "1"]);
    a.plan("Another one", &[]);
    assert!(!lock.exists());
    assert_eq!(noted(&a), BTreeSet::from(["2".to_owned()]));
}

#[test]
fn a_plan_that_is_rolled_back_takes_the_lock_of_its_stream_along() {
    let world = World::new();
    let a = world.clone("a");
    for point in ["ref.draft", "ref.locked", "ref.reflog"] {
        let killed = run(a.command(BIN).args(["plan", "Add a login"]).env("GODZILLA_FAIL_POINT", point));
        assert_eq!(killed.code, None, "{killed}");
        a.godzilla_ok(&["list"]);
        assert_eq!(branches(&a), Vec::<String>::new());
        assert_eq!(leftovers(&a.path.join(".git")), Vec::<String>::new(), "{point}");
    }
}

#[test]
fn the_lock_of_somebody_else_is_respected_and_named() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login", &["The form"]);
    let killed = run(a
        .command(BIN)
        .args(["comment", "round 1", "-p", "1"])
        .env("GODZILLA_FAIL_POINT", "ref.announced"));
    assert_eq!(killed.code, None, "{killed}");
    let lock = format!(".git/refs/godzilla/protocols/{NAME}.lock");
    a.write(&lock, "1111111111111111111111111111111111111111\n");

    let repo = Repo::open(&a.path.join(".git")).unwrap();
    let settings = Settings::load(&repo);
    let mut ctx = Context::of_command(repo, settings);
    ctx.limit = Duration::from_millis(50);
    let verb = Verb::Comment { text: "round 2".to_owned() };
    let err = CliError::from(act(&ctx, Some(NAME), None, &verb).unwrap_err());
    assert_eq!((err.exit, err.code.as_str()), (Exit::Refused, "stream.locked"));
    assert!(err.message.contains(&lock) && err.hint.unwrap().contains(&lock), "{}", err.message);
    assert_eq!(a.read(&lock), "1111111111111111111111111111111111111111\n");
    fs::remove_file(a.path.join(&lock)).unwrap();
    a.godzilla_ok(&["comment", "round 3", "-p", "1"]);
    assert_eq!(noted(&a), BTreeSet::from(["3".to_owned()]));
}

#[test]
fn what_dead_writers_left_unfinished_goes_when_it_is_old() {
    let world = World::new();
    let a = world.clone("a");
    let killed = run(a.command(BIN).args(["plan", "Add a login"]).env("GODZILLA_FAIL_POINT", "fs.draft"));
    assert_eq!(killed.code, None, "{killed}");
    let drafts = || -> Vec<_> {
        let entries = fs::read_dir(a.path.join(".git/godzilla/intents")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    a.godzilla_ok(&["sync"]);
    assert_eq!(drafts().len(), 1, "it could still be at work");
    let file = File::options().write(true).open(&drafts()[0]).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    a.godzilla_ok(&["sync"]);
    assert_eq!(drafts().len(), 0);
}

#[test]
fn a_half_made_plan_that_somebody_works_on_is_not_taken_away() {
    let world = World::new();
    let a = world.clone("a");
    let die = || run(a.command(BIN).args(["plan", "Add a login"]).env("GODZILLA_FAIL_POINT", "plan.branch"));
    assert_eq!(die().code, None);
    a.git(&["checkout", "--quiet", NAME]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.git(&["symbolic-ref", "--short", "HEAD"]).trim(), NAME);
    a.commit("work", "feat: work");
    assert_eq!(a.json(&["plan", "Another one"])["number"], 2);

    a.git(&["checkout", "--quiet", "main"]);
    let killed = die();
    assert_eq!(killed.code, None, "{killed}");
    a.git(&["branch", "--force", "0003-add-a-login", "main"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(a.git(&["rev-parse", "0003-add-a-login"]), a.git(&["rev-parse", "main"]));
}
