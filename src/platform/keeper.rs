//! Stands between us and a program that judges, and ends all that this started: when it ends, when we
//! say so, and when we are gone, whatever ended us.
//!
//! It is this program again under another name: only another process outlives us, and only the parent of
//! orphans finds those that left every group and session. We talk over a socket that is its standard
//! input:
//!
//! ```text
//!   us ── "T" ──▶ keeper     asks the program to stop
//!   us ── end ──▶ keeper     ends it and all that it started
//!   us ◀─ "X 0" ─ keeper     it ended by itself, with this code
//!   us ◀─ "E 2" ─ keeper     it could not be started: the number of the error
//! ```

use std::ffi::OsString;
use std::io::{self, PipeWriter, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group, set_child_subreaper, waitid,
};

use super::ending::PAUSE;
use super::{ending, process, supervise};

/// The name that this program is called by as a keeper.
const NAME: &str = "git-godzilla-keeper";

/// This program, also after it was replaced on the disk.
const SELF: &str = "/proc/self/exe";

/// How long a keeper that has ended may take to have said what it had to.
const REPORT: Duration = Duration::from_secs(1);

/// Our end of the talk with a keeper.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

/// How a program that was kept ended.
#[derive(Debug)]
pub(super) enum Report {
    Exit(i32),
    NotStarted(io::Error),
}

/// Whether a program could be kept here.
pub(super) fn is_there() -> bool {
    // Unit tests are another program.
    !cfg!(test) && Path::new(SELF).exists()
}

/// Starts a keeper for `command`, with a process group of its own. The program reads `input`, and has
/// of our environment nothing if it is `bare`.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub(super) fn start(
    command: &Command,
    input: Option<&Path>,
    is_bare: bool,
    (out, err): (PipeWriter, PipeWriter),
) -> io::Result<(Child, Line)> {
    // If somebody ends the keeper, what it kept comes to us.
    set_child_subreaper(Some(getpid())).ok();
    let (line, its_end) = UnixStream::pair()?;
    let mut keeper = process::command(SELF);
    keeper.arg0(NAME).arg(input.unwrap_or(Path::new("")));
    keeper.arg(command.get_program()).args(command.get_args()).process_group(0);
    if is_bare {
        keeper.env_clear();
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => keeper.env(name, value),
            None => keeper.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        keeper.current_dir(dir);
    }
    keeper.stdin(Stdio::from(OwnedFd::from(its_end))).stdout(out).stderr(err);
    Ok((keeper.spawn()?, Line(line)))
}

impl Line {
    /// Asks the program to stop.
    pub(super) fn ask_to_stop(&self) {
        // It may have ended by itself just now.
        drop((&self.0).write_all(b"T"));
    }

    /// Ends the program with all that it started.
    pub(super) fn end(&self) {
        self.0.shutdown(Shutdown::Write).ok();
    }

    /// Returns what a keeper that has ended said; `None` if somebody ended it.
    pub(super) fn report(mut self) -> Option<Report> {
        self.0.set_read_timeout(Some(REPORT)).ok()?;
        let mut said = String::new();
        self.0.read_to_string(&mut said).ok()?;
        let (kind, number) = said.split_once(' ')?;
        let number: i32 = number.parse().ok()?;
        match kind {
            "X" => Some(Report::Exit(number)),
            "E" => Some(Report::NotStarted(io::Error::from_raw_os_error(number))),
            _ => None,
        }
    }
}

/// Whether this program was called to be a keeper.
pub fn is_called(program: &Path) -> bool {
    program.as_os_str() == NAME
}

/// Keeps a program: `args` are its input, or nothing, and the program with its arguments.
pub fn keep(args: &[OsString]) -> ExitCode {
    let line = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let (Ok(mut line), [input, program, args @ ..]) = (line, args) else { return ExitCode::FAILURE };
    set_child_subreaper(Some(getpid())).ok();
    let mut command = process::command(program);
    command.args(args).process_group(0);
    let input = supervise::open_input(Some(Path::new(input)).filter(|input| !input.as_os_str().is_empty()));
    let said = match input.and_then(|input| command.stdin(input).spawn()) {
        Err(err) => Some(format!("E {}", err.raw_os_error().unwrap_or_default())),
        Ok(mut child) => {
            let has_ended = wait(&mut line, &child);
            signal_group(&child, Signal::KILL);
            let status = has_ended.then(|| child.wait());
            end_descendants();
            status.and_then(Result::ok).map(|status| format!("X {}", supervise::exit_code(status)))
        }
    };
    if let Some(said) = said {
        drop(line.write_all(said.as_bytes()));
    }
    ExitCode::SUCCESS
}

/// Waits until the program has ended, or until whoever asked for it hangs up. Returns whether it was the
/// former.
fn wait(line: &mut UnixStream, child: &Child) -> bool {
    let ended = ending::pidfd(child);
    loop {
        if ending::has_ended(child).unwrap_or(true) {
            return true;
        }
        let mut fds = vec![PollFd::new(&*line, PollFlags::IN)];
        fds.extend(ended.as_ref().map(|ended| PollFd::new(ended, PollFlags::IN)));
        let pause = Timespec::try_from(PAUSE).ok().filter(|_| ended.is_none());
        // A signal may interrupt it; then everything is looked at once more.
        let is_heard = poll(&mut fds, pause.as_ref()).is_ok() && !fds[0].revents().is_empty();
        drop(fds);
        if is_heard {
            match line.read(&mut [0]) {
                Ok(1..) => signal_group(child, Signal::TERM),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
                Ok(0) | Err(_) => return false,
            }
        }
    }
}

fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = ending::pid_of(child) {
        // Nothing of it may be left.
        kill_process_group(pid, signal).ok();
    }
}

/// Ends every process below this one. What may not be ended, since it belongs to somebody else, stays.
pub(super) fn end_descendants() {
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(_)) => continue,
            Ok(None) => (),
            // Nobody is left.
            Err(_) => return,
        }
        let n_ended = children().into_iter().filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count();
        // When one of them has ended, its own children are ours.
        if n_ended == 0 || waitid(WaitId::All, WaitIdOptions::EXITED).is_err() {
            return;
        }
    }
}

/// Returns the processes whose parent is this one.
fn children() -> Vec<Pid> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists: Vec<String> =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect();
    let pid = |text: &str| text.parse().ok().and_then(Pid::from_raw);
    if !lists.is_empty() {
        return lists.iter().flat_map(|list| list.split_whitespace()).filter_map(pid).collect();
    }
    // Not every kernel has these lists.
    let me = std::process::id();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|other| process::parent_of(*other) == Some(me))
        .filter_map(|other| i32::try_from(other).ok().and_then(Pid::from_raw))
        .collect()
}
