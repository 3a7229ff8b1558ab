//! Other programs: started with a clean environment, watched, and ended with all they started.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::ending::Ending;

/// What a program left behind.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a program has no output.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to start `{program}`")]
    Start { program: String, source: io::Error },
    #[error("`{program}` said nothing for {} s", limit.as_secs())]
    Silent { program: String, limit: Duration },
    #[error("`{program}` took longer than {} s", limit.as_secs())]
    Late { program: String, limit: Duration },
    #[error("`{program}` was stopped")]
    Stopped { program: String },
    #[error("failed to talk to `{program}`")]
    Pipe { program: String, source: io::Error },
}

/// How a program is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How long it may say nothing.
    pub silence: Option<Duration>,
    /// How long it may run at all.
    pub total: Option<Duration>,
    /// Whether it gets a process group of its own, and no terminal.
    pub isolated: bool,
}

/// Returns a command for `program`.
#[expect(clippy::disallowed_methods, reason = "this is where processes come from")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

enum Said {
    Out(Vec<u8>),
    Err(Vec<u8>),
    Closed,
}

/// Runs `command` to its end and returns what it said; `on_stderr` sees each line (or each piece
/// that ends in a carriage return) as it comes.
///
/// # Errors
///
/// [`Error::Silent`] or [`Error::Late`] once a limit is reached, [`Error::Stopped`] if somebody asked us to
/// stop while an isolated program ran; then the program is gone, and if isolated all that it started.
pub fn run(
    command: &mut Command,
    stdin: Option<&[u8]>,
    limits: Limits,
    mut on_stderr: impl FnMut(&str),
) -> Result<Output, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    #[cfg(unix)]
    if limits.isolated {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let mut child = command.spawn().map_err(|source| Error::Start { program: program.clone(), source })?;
    let pipe = |source| Error::Pipe { program: program.clone(), source };

    let (sender, said) = mpsc::channel();
    let out = child.stdout.take().map(|out| listen(out, sender.clone(), Said::Out));
    let err = child.stderr.take().map(|err| listen(err, sender, Said::Err));
    let feeder = stdin.and_then(|bytes| {
        let (mut pipe, bytes) = (child.stdin.take()?, bytes.to_vec());
        // A program that does not read all of its input closes the pipe; that is its business.
        Some(std::thread::spawn(move || drop(pipe.write_all(&bytes))))
    });

    // A program in a group of its own hears no Ctrl-C, so we have to.
    let _stopping = limits.isolated.then(super::supervise::listen_for_stop);
    let mut watch = Watch::new(&program, limits);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut open = 2;
    while open > 0 {
        match said.recv_timeout(LOOK) {
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) if watch.has_only_leftovers(&mut child) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => (),
            Ok(message) => {
                watch.heard = Instant::now();
                match message {
                    Said::Out(bytes) => stdout.extend(bytes),
                    Said::Err(bytes) => {
                        on_stderr(&String::from_utf8_lossy(&bytes));
                        stderr.extend(bytes);
                    }
                    Said::Closed => open -= 1,
                }
            }
        }
        watch.check(&mut child)?;
    }
    let status = watch.wait(&mut child)?.map_err(pipe)?;
    // Those that still listen to what was left behind are not waited for.
    for thread in [out, err, feeder].into_iter().flatten().filter(|_| open == 0) {
        // The threads only move bytes; one that panicked moved fewer.
        drop(thread.join());
    }
    Ok(Output { status, stdout, stderr })
}

/// How often a program that says nothing is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long what a program left behind is listened to, once the program itself has ended.
const LINGER: Duration = Duration::from_millis(300);

/// Ends a program that takes too long, or that nobody waits for any more.
struct Watch<'a> {
    program: &'a str,
    limits: Limits,
    start: Instant,
    heard: Instant,
    /// When the program was seen to have ended.
    ended: Option<Instant>,
    was_interrupted: bool,
}

impl<'a> Watch<'a> {
    fn new(program: &'a str, limits: Limits) -> Self {
        let start = Instant::now();
        Self { program, limits, start, heard: start, ended: None, was_interrupted: is_interrupted() }
    }

    /// Whether the program has ended, and its pipes are held by what it left behind, such as the
    /// master of a shared connection.
    fn has_only_leftovers(&mut self, child: &mut Child) -> bool {
        if self.ended.is_none() && child.try_wait().is_ok_and(|status| status.is_some()) {
            self.ended = Some(Instant::now());
        }
        // What it said last may still be in the pipe, however long it was silent before.
        self.heard.elapsed() >= LINGER && self.ended.is_some_and(|ended| ended.elapsed() >= LINGER)
    }

    fn check(&self, child: &mut Child) -> Result<(), Error> {
        let Limits { silence, total, isolated } = self.limits;
        let program = || self.program.to_owned();
        let err = if isolated && !self.was_interrupted && is_interrupted() {
            Error::Stopped { program: program() }
        } else if silence.is_some_and(|limit| self.heard.elapsed() >= limit) {
            Error::Silent { program: program(), limit: self.heard.elapsed() }
        } else if total.is_some_and(|limit| self.start.elapsed() >= limit) {
            Error::Late { program: program(), limit: self.start.elapsed() }
        } else {
            return Ok(());
        };
        end(child, isolated);
        Err(err)
    }

    /// Waits for a program that has closed its pipes.
    fn wait(&self, child: &mut Child) -> Result<io::Result<ExitStatus>, Error> {
        if self.limits.total.is_none() {
            return Ok(child.wait());
        }
        let mut ending = Ending::of(child);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Ok(status)),
                Ok(None) => self.check(child)?,
                Err(err) => return Ok(Err(err)),
            }
            ending.wait();
        }
    }
}

/// Whether somebody asked us to stop, as with Ctrl-C, while something was waited for.
pub fn is_interrupted() -> bool {
    gix::interrupt::is_triggered()
}

/// Gives `stdin` to `first` and what that prints to `second`, and returns what `second` prints; `None`
/// if one of them fails.
///
/// # Errors
///
/// [`Error`] if one of them cannot be started.
pub fn pipe(first: &mut Command, stdin: &[u8], mut second: Command) -> Result<Option<Vec<u8>>, Error> {
    let name = |command: &Command| command.get_program().to_string_lossy().into_owned();
    let (one, two) = (name(first), name(&second));
    first.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut first = first.spawn().map_err(|source| Error::Start { program: one.clone(), source })?;
    if let Some(out) = first.stdout.take() {
        second.stdin(out);
    }
    let started = second.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    // It holds the end of the pipe that only its child may hold, or `first` never learns of its end.
    drop(second);
    let feeder = first.stdin.take().map(|mut pipe| {
        let bytes = stdin.to_vec();
        std::thread::spawn(move || drop(pipe.write_all(&bytes)))
    });
    let output = started.map(Child::wait_with_output);
    let ended = first.wait().map_err(|source| Error::Pipe { program: one, source })?;
    drop(feeder.map(std::thread::JoinHandle::join));
    let output = output.map_err(|source| Error::Start { program: two.clone(), source })?;
    let output = output.map_err(|source| Error::Pipe { program: two, source })?;
    Ok((ended.success() && output.status.success()).then_some(output.stdout))
}

fn listen(
    stream: impl Read + Send + 'static,
    sender: mpsc::Sender<Said>,
    wrap: fn(Vec<u8>) -> Said,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let n_read = match stream.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    let n_read = bytes.len();
                    if sender.send(wrap(bytes.to_vec())).is_err() {
                        return;
                    }
                    n_read
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => 0,
                Err(_) => break,
            };
            stream.consume(n_read);
        }
        drop(sender.send(Said::Closed));
    })
}

/// Ends the program and, if it has a group of its own, all that it started.
fn end(child: &mut Child, isolated: bool) {
    #[cfg(unix)]
    if isolated && let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).ok();
    }
    drop(child.kill());
    drop(child.wait());
}

/// Between git and a hook that a manager runs lie shells and the manager itself.
const MAX_STEPS_TO_GIT: usize = 8;

/// Whether the command line of a parent, grandparent and so on (five at most) is what `is_it` looks
/// for. Only where the system tells.
pub fn ancestor_is(is_it: impl Fn(&[String]) -> bool) -> bool {
    let mut pid = std::process::id();
    for _ in 0..5 {
        let Some(parent) = parent_of(pid) else { return false };
        if is_it(&command_line(parent)) {
            return true;
        }
        pid = parent;
    }
    false
}

/// Returns what tells the git that this process works for from every other one, before and after it:
/// the nearest git above. Only where the system tells.
pub fn git_above() -> Option<String> {
    let mut pid = std::process::id();
    for _ in 0..MAX_STEPS_TO_GIT {
        pid = parent_of(pid)?;
        if command_line(pid).first().is_some_and(|program| is_git(program)) {
            return Some(format!("{pid} {}", started_at(pid)?));
        }
    }
    None
}

/// Whether a command line's program is git.
pub fn is_git(program: &str) -> bool {
    program.rsplit('/').next().is_some_and(|name| name.starts_with("git"))
}

#[cfg(target_os = "linux")]
pub(super) fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold any character.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Since the machine was started, in ticks.
#[cfg(target_os = "linux")]
fn started_at(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let args = bytes.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned());
    args.filter(|arg| !arg.is_empty()).collect()
}

#[cfg(not(target_os = "linux"))]
fn parent_of(pid: u32) -> Option<u32> {
    ps("ppid=", pid)?.trim().parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn started_at(pid: u32) -> Option<String> {
    ps("lstart=", pid).map(|text| text.trim().to_owned())
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Vec<String> {
    ps("args=", pid).map(|line| line.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn ps(what: &str, pid: u32) -> Option<String> {
    let output =
        run(command("ps").args(["-o", what, "-p", &pid.to_string()]), None, Limits::default(), |_| ())
            .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the file that would be started for `program`: one that is a path, or the first one of its name
/// in `PATH`. `None` if there is none that may run.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.contains(std::path::MAIN_SEPARATOR) {
        return Some(std::path::PathBuf::from(program)).filter(|path| super::fs::is_executable(path));
    }
    let path = super::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| super::fs::is_executable(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_is_waited_for_however_long_nothing_was_said() {
        let mut child = command("true").spawn().unwrap();
        child.wait().unwrap();
        let mut watch = Watch::new("true", Limits::default());
        watch.heard -= LINGER;
        assert!(!watch.has_only_leftovers(&mut child), "it may have spoken as it ended");
        watch.ended = watch.ended.and_then(|ended| ended.checked_sub(LINGER));
        assert!(watch.has_only_leftovers(&mut child));
    }
}
