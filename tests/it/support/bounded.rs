//! Runs that end or are ended: a hang fails a test, and never blocks it.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Shown;

/// Far more than any command takes, also on a machine that is busy.
const LIMIT: Duration = Duration::from_mins(2);

/// Ends a program with all that it has started, if that takes too long.
pub(crate) struct Watchdog {
    ended: Sender<()>,
    watching: JoinHandle<bool>,
}

impl Watchdog {
    /// Starts `command` as a group of its own, and watches it.
    pub(crate) fn start(command: &mut Command) -> (Child, Self) {
        let child = command.process_group(0).spawn().unwrap();
        let group = Pid::from_child(&child);
        let (ended, said) = channel::<()>();
        let watching = spawn(move || {
            let is_late = said.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
            if is_late {
                kill_process_group(group, Signal::KILL).unwrap();
            }
            is_late
        });
        (child, Self { ended, watching })
    }

    /// Returns whether it had to be ended.
    pub(crate) fn bit(self) -> bool {
        drop(self.ended);
        self.watching.join().unwrap()
    }
}

/// Runs a command until nobody is left who could write to its outputs.
#[track_caller]
pub(crate) fn run_bounded(command: &mut Command) -> Shown {
    run_into(command, Stdio::piped())
}

/// As [`run_bounded`], with a standard output of the caller's.
#[track_caller]
pub(crate) fn run_into(command: &mut Command, stdout: Stdio) -> Shown {
    let (child, watchdog) = Watchdog::start(command.stdout(stdout).stderr(Stdio::piped()));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let shown = Shown {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code: status.code(),
    };
    assert!(!watchdog.bit(), "{command:?} waits for something\n{shown}");
    shown
}
