//! A program in our place: it has our terminal, and we live until it has ended.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As a shell tells it: 128 and the number of the signal that ended it.
    pub exit_code: i32,
    /// Whether somebody asked it, or us, to stop, as with Ctrl-C.
    pub interrupted: bool,
}

/// Runs `command` to its end. What asks us to stop meanwhile is noted, and passed on if the program
/// cannot have seen it; the program decides what comes of it.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub fn run(command: &mut Command) -> io::Result<Ended> {
    run_with(command, &[])
}

/// As [`run`], with `input` on the program's standard input. A program that has read enough may end.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub fn feed(command: &mut Command, input: &[u8]) -> io::Result<Ended> {
    run_with(command.stdin(Stdio::piped()), input)
}

fn run_with(command: &mut Command, input: &[u8]) -> io::Result<Ended> {
    // Without a handler the program runs all the same, and a signal ends both.
    let handler = gix::interrupt::init_handler_default(usize::MAX).ok();
    let _handler = handler.map(|handler| handler.with_reset(true).auto_deregister());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        drop(stdin.write_all(input));
    }
    let status = wait(&mut child)?;
    let (exit_code, killed_by_ctrl_c) = explain(status);
    Ok(Ended { exit_code, interrupted: killed_by_ctrl_c || gix::interrupt::is_triggered() })
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(20);

    // A terminal sends Ctrl-C to all it runs; whoever else stops a job knows only our process.
    let must_pass_on = !io::stdin().is_terminal();
    let mut passed_on = false;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if must_pass_on && !passed_on && gix::interrupt::is_triggered() {
            ask_to_stop(child);
            passed_on = true;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(unix)]
fn ask_to_stop(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};

    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        kill_process(pid, Signal::TERM).ok();
    }
}

#[cfg(not(unix))]
fn ask_to_stop(_: &Child) {}

#[cfg(unix)]
fn explain(status: ExitStatus) -> (i32, bool) {
    use std::os::unix::process::ExitStatusExt as _;

    const SIGINT: i32 = 2;
    let signal = status.signal();
    (status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(1), signal == Some(SIGINT))
}

#[cfg(not(unix))]
fn explain(status: ExitStatus) -> (i32, bool) {
    (status.code().unwrap_or(1), false)
}
