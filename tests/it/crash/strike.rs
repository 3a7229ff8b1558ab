//! How a command is run to be cut off: killed at a fail point by itself, or from outside, after a while or at a system
//! call; or by a disk that fills up.

use std::fs::{self, DirEntry};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::scope;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::super::support::{Shown, run};
use super::small_disk::SmallDisk;

/// How a command is run.
pub(super) struct How {
    /// For the command, and for the hooks that it leads to.
    vars: Vec<(&'static str, String)>,
    strike: Option<Strike>,
    has_struck: AtomicBool,
    disk: Option<SmallDisk>,
}

/// To its end.
pub(super) static WHOLE: How =
    How { vars: Vec::new(), strike: None, has_struck: AtomicBool::new(false), disk: None };

/// What comes from outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strike {
    After(Duration, Whom),
    /// The first process that makes its nth call of those that change files, by `strace`.
    AtCall(u32),
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// The command with all that it started, as when a terminal or a machine goes.
    All,
    /// Our own processes alone, whoever started them; git goes on.
    Ours,
}

/// Longer than any git takes that was left alone.
const LIMIT: Duration = Duration::from_mins(1);

/// How often is looked who is there.
const LOOK: Duration = Duration::from_micros(200);

impl How {
    /// Dies at a fail point, as in `name:2`; with a file that learns what was reached.
    pub(super) fn at_point(point: &str, log: Option<&str>) -> Self {
        let mut vars = vec![("GODZILLA_FAIL_POINT", point.to_owned())];
        vars.extend(log.map(|log| ("GODZILLA_FAIL_LOG", log.to_owned())));
        Self { vars, strike: None, has_struck: AtomicBool::new(false), disk: None }
    }

    pub(super) fn struck(strike: Strike) -> Self {
        Self { vars: Vec::new(), strike: Some(strike), has_struck: AtomicBool::new(false), disk: None }
    }

    pub(super) fn on_disk(disk: SmallDisk) -> Self {
        Self { vars: Vec::new(), strike: None, has_struck: AtomicBool::new(false), disk: Some(disk) }
    }

    /// Whether what ended well may have left something out, and said so.
    pub(super) fn lacks_room(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether git may have been killed, which leaves locks that a person is to remove.
    pub(super) fn kills_git(&self) -> bool {
        matches!(self.strike, Some(Strike::After(_, Whom::All) | Strike::AtCall(_)))
    }

    /// Whether the blow met anybody.
    pub(super) fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::Relaxed)
    }

    pub(super) fn run(&self, command: &mut Command) -> Shown {
        command.envs(self.vars.iter().cloned());
        match self.strike {
            None => run(self.disk.as_ref().map(|disk| disk.below(command)).as_mut().unwrap_or(command)),
            Some(Strike::After(delay, whom)) => self.strike_after(command, delay, whom),
            Some(Strike::AtCall(nth)) => self.strike_at(command, nth),
        }
    }

    fn strike_after(&self, command: &Command, delay: Duration, whom: Whom) -> Shown {
        let (mut child, session) = start(&[], command);
        let begin = Instant::now();
        let shown = hear(&mut child, |has_ended| {
            let mut left = delay.saturating_sub(begin.elapsed());
            while !has_ended(left) {
                if strike(session, whom) {
                    self.has_struck.store(true, Ordering::Relaxed);
                    break;
                }
                left = LOOK;
            }
        });
        wait_for_the_rest(session);
        shown
    }

    /// Runs it below `strace`, which sends the signal when a process makes its nth call.
    fn strike_at(&self, command: &Command, nth: u32) -> Shown {
        let calls = CALLS.join(",");
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={nth}"));
        let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e"];
        let (mut child, session) = start(&[&strace[..], &[&trace, "-e", &inject, "--"]].concat(), command);
        let shown = hear(&mut child, |_| ());
        wait_for_the_rest(session);
        self.has_struck.store(shown.code.is_none(), Ordering::Relaxed);
        shown
    }
}

/// Calls after which something is different on the disk, or in another process.
const CALLS: &[&str] = &[
    "openat",
    "write",
    "writev",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "ftruncate",
    "execve",
];

/// Starts it, below other programs if there are any, in a session of its own, which git does not leave.
fn start(below: &[&str], command: &Command) -> (Child, Pid) {
    let mut whole = started_by("setsid", below, command);
    let child = whole.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let session = Pid::from_child(&child);
    (child, session)
}

/// Returns what runs a command by another program.
pub(super) fn started_by(program: &str, args: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(program);
    whole.args(args).arg(command.get_program()).args(command.get_args()).env_clear();
    whole.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if let Some(dir) = command.get_current_dir() {
        whole.current_dir(dir);
    }
    whole.stdin(Stdio::null());
    whole
}

/// Reads what a process says while `meanwhile` does its part, which may ask whether the outputs end within a while.
fn hear(child: &mut Child, meanwhile: impl FnOnce(&dyn Fn(Duration) -> bool)) -> Shown {
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (at_work, said) = channel::<()>();
    let also_at_work = at_work.clone();
    let (stdout, stderr) = scope(|scope| {
        let stdout = scope.spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).unwrap();
            drop(at_work);
            bytes
        });
        let stderr = scope.spawn(move || {
            let mut bytes = Vec::new();
            err.read_to_end(&mut bytes).unwrap();
            drop(also_at_work);
            bytes
        });
        meanwhile(&|limit| said.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected));
        (stdout.join().unwrap(), stderr.join().unwrap())
    });
    // Until here it has its number, which nobody else can have.
    let status = child.wait().unwrap();
    Shown {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code: status.code(),
    }
}

/// A process of a session: its number, and its name.
struct Member {
    pid: Pid,
    name: String,
}

/// Returns who lives in a session.
fn members(session: Pid) -> Vec<Member> {
    let member = |entry: DirEntry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        // State, parent, group, session.
        let fields: Vec<&str> = after.split_whitespace().take(4).collect();
        let is_of_it =
            fields[3].parse() == Ok(session.as_raw_nonzero().get()) && !["Z", "X"].contains(&fields[0]);
        is_of_it.then_some(Member { pid, name: before.split_once('(')?.1.to_owned() })
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(member).collect()
}

/// Kills; returns whether there was anybody.
fn strike(session: Pid, whom: Whom) -> bool {
    let is_meant = |member: &Member| whom == Whom::All || member.name == "git-godzilla";
    let mut has_met = false;
    loop {
        let mut meant = members(session);
        meant.retain(is_meant);
        // They start others meanwhile.
        if meant.is_empty() {
            return has_met;
        }
        has_met = true;
        for member in meant {
            kill_process(member.pid, Signal::KILL).ok();
        }
        if whom == Whom::Ours {
            return true;
        }
    }
}

/// Waits for those that go on when the one who started them is dead.
fn wait_for_the_rest(session: Pid) {
    let begin = Instant::now();
    let (_open, never) = channel::<()>();
    while !members(session).is_empty() {
        assert!(begin.elapsed() < LIMIT, "somebody goes on");
        never.recv_timeout(LOOK).ok();
    }
}
