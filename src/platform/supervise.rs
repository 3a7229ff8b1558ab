//! A program that judges or does something: watched, limited, and ended with all that it started.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

#[cfg(unix)]
use super::ending::pid_of;
use super::ending::{self, Ending, PAUSE};
#[cfg(target_os = "linux")]
use super::keeper::{self, Line};

/// How long a program that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(2);

/// How long what it said is waited for once it has ended: something that left its process group may
/// hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub time: Duration,
    /// How many bytes of what it says are kept; the last ones.
    pub output: usize,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself; 128 and the number of the signal if a signal ended it.
    Exit(i32),
    /// It ran until the limit, and was ended.
    TimedOut,
    /// It said nothing for as long as it may, and was ended.
    Silent,
    /// Somebody asked us to stop, as with Ctrl-C, and it was ended.
    Interrupted,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    pub end: End,
    pub took: Duration,
    /// The end of what it said on stdout and stderr, in the order in which it said it.
    pub tail: Vec<u8>,
    /// Of all that it said.
    pub sha256: [u8; 32],
}

/// What an agent may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
    /// How long it may say nothing.
    pub idle: Option<Duration>,
}

/// Where a program said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// An agent that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub end: End,
    pub took: Duration,
}

/// A piece of what a program said.
type Said = (Stream, Vec<u8>);

/// A program that was started.
struct Started {
    child: Child,
    /// How to talk with the one who keeps it; `None` if the child is the program itself.
    #[cfg(target_os = "linux")]
    line: Option<Line>,
}

/// Runs `command` in a process group of its own, without input, until it ends or `bounds` are
/// reached; whatever it started is ended then, also if we are ended meanwhile. Where there is no
/// [`keeper`], only its group is, and only while we live. `on_output` sees what it says as it comes.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub fn run(command: Command, bounds: Bounds, on_output: impl FnMut(&[u8])) -> io::Result<Ended> {
    #[cfg(target_os = "linux")]
    if keeper::is_there() {
        return run_as(|out, err| Started::kept(&command, None, false, (out, err)), bounds, on_output);
    }
    run_as(|out, err| Started::alone(command, None, (out, err)), bounds, on_output)
}

/// Runs an agent: `command` with `input` as its standard input and, if it `is_bare`, with nothing of our
/// environment but what the command says. As [`run`] in all else; `on_output` sees what it says as it
/// comes, and all of it.
///
/// # Errors
///
/// [`io::Error`] if it cannot be started.
pub fn run_agent(
    mut command: Command,
    input: Option<&Path>,
    is_bare: bool,
    limits: Limits,
    mut on_output: impl FnMut(Stream, &[u8]),
) -> io::Result<Finished> {
    let (out_reader, out) = io::pipe()?;
    let (err_reader, err) = io::pipe()?;
    let readers = [(out_reader, Stream::Out), (err_reader, Stream::Err)];
    let start = || {
        #[cfg(target_os = "linux")]
        if keeper::is_there() {
            return Started::kept(&command, input, is_bare, (out, err));
        }
        if is_bare {
            let kept: Vec<_> =
                command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
            command.env_clear();
            command.envs(kept.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        Started::alone(command, input, (out, err))
    };
    follow(start, readers, limits, &mut on_output)
}

fn run_as(
    start: impl FnOnce(PipeWriter, PipeWriter) -> io::Result<Started>,
    bounds: Bounds,
    mut on_output: impl FnMut(&[u8]),
) -> io::Result<Ended> {
    let (reader, writer) = io::pipe()?;
    let err = writer.try_clone()?;
    let mut heard = Heard { tail: Vec::new(), limit: bounds.output, hasher: Sha256::new() };
    let limits = Limits { time: bounds.time, idle: None };
    let finished = follow(|| start(writer, err), [(reader, Stream::Out)], limits, &mut |_, bytes| {
        on_output(bytes);
        heard.add(bytes);
    })?;
    Ok(Ended {
        end: finished.end,
        took: finished.took,
        tail: heard.tail(),
        sha256: heard.hasher.finalize().into(),
    })
}

/// While what is returned lives, a signal that asks us to stop is noted, and does not end us.
pub fn listen_for_stop() -> impl Sized {
    let handler = gix::interrupt::init_handler_default(usize::MAX).ok();
    handler.map(|handler| handler.with_reset(true).auto_deregister())
}

/// Starts a program and follows it to its end.
fn follow<const N: usize>(
    start: impl FnOnce() -> io::Result<Started>,
    readers: [(PipeReader, Stream); N],
    limits: Limits,
    take: &mut impl FnMut(Stream, &[u8]),
) -> io::Result<Finished> {
    // Without a handler a signal ends us, and leaves the program to whoever sent it.
    let _stopping = listen_for_stop();

    let began = Instant::now();
    let mut started = start()?;
    // Bounded: a program that says more than is taken has to wait.
    let (sender, said) = mpsc::sync_channel(16);
    for (reader, stream) in readers {
        listen(reader, stream, sender.clone());
    }
    drop(sender);
    let stopped = watch(&mut started, &said, began, limits, take)?;
    let took = began.elapsed();
    let code = started.end()?;
    let deadline = Instant::now() + DRAIN;
    while let Ok((stream, bytes)) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        take(stream, &bytes);
    }
    Ok(Finished { end: stopped.unwrap_or(End::Exit(code)), took })
}

/// Returns what a program reads: a file, or nothing.
pub(super) fn open_input(input: Option<&Path>) -> io::Result<Stdio> {
    input.map_or_else(|| Ok(Stdio::null()), |input| std::fs::File::open(input).map(Stdio::from))
}

impl Started {
    fn alone(
        mut command: Command,
        input: Option<&Path>,
        (out, err): (PipeWriter, PipeWriter),
    ) -> io::Result<Self> {
        command.stdin(open_input(input)?).stdout(out).stderr(err);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        Ok(Self {
            child,
            #[cfg(target_os = "linux")]
            line: None,
        })
    }

    #[cfg(target_os = "linux")]
    fn kept(
        command: &Command,
        input: Option<&Path>,
        is_bare: bool,
        output: (PipeWriter, PipeWriter),
    ) -> io::Result<Self> {
        let (child, line) = keeper::start(command, input, is_bare, output)?;
        Ok(Self { child, line: Some(line) })
    }

    /// Whether it has ended; it is still to be waited for.
    fn has_ended(&mut self) -> io::Result<bool> {
        #[cfg(unix)]
        return ending::has_ended(&self.child);
        #[cfg(not(unix))]
        return Ok(self.child.try_wait()?.is_some());
    }

    fn ask_to_stop(&self) {
        #[cfg(target_os = "linux")]
        if let Some(line) = &self.line {
            return line.ask_to_stop();
        }
        signal_group(&self.child, Signal::Term);
    }

    /// Ends it without asking; once more, also what should have done that.
    fn stop(&self, again: bool) {
        #[cfg(target_os = "linux")]
        if let Some(line) = self.line.as_ref().filter(|_| !again) {
            return line.end();
        }
        let _ = again;
        signal_group(&self.child, Signal::Kill);
    }

    /// Ends what is left of a program that has ended. Returns its exit code.
    fn end(mut self) -> io::Result<i32> {
        // Before it is waited for: until then nobody else can have its number.
        signal_group(&self.child, Signal::Kill);
        let code = exit_code(self.child.wait()?);
        #[cfg(target_os = "linux")]
        if let Some(line) = self.line {
            return match line.report() {
                Some(keeper::Report::Exit(code)) => Ok(code),
                Some(keeper::Report::NotStarted(err)) => Err(err),
                None => {
                    // Who was to end the rest was ended itself, so that the rest came to us.
                    keeper::end_descendants();
                    Ok(code.max(1))
                }
            };
        }
        Ok(code)
    }
}

/// What a program said so far.
struct Heard {
    tail: Vec<u8>,
    limit: usize,
    hasher: Sha256,
}

impl Heard {
    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.tail.extend_from_slice(bytes);
        // Not at every byte too many, or each piece would move all that is kept.
        if self.tail.len() > self.limit.saturating_mul(2) {
            self.tail.drain(..self.tail.len() - self.limit);
        }
    }

    fn tail(&mut self) -> Vec<u8> {
        let surplus = self.tail.len().saturating_sub(self.limit);
        self.tail.split_off(surplus)
    }
}

/// Returns when the program has ended, with the reason if that was our doing.
fn watch(
    started: &mut Started,
    said: &Receiver<Said>,
    began: Instant,
    limits: Limits,
    take: &mut impl FnMut(Stream, &[u8]),
) -> io::Result<Option<End>> {
    let mut last_said = began;
    let mut asked_to_stop: Option<(End, Instant)> = None;
    let mut is_open = true;
    let mut ending = None;
    loop {
        if started.has_ended()? {
            return Ok(asked_to_stop.map(|(end, _)| end));
        }
        if is_open {
            match said.recv_timeout(PAUSE) {
                Ok((stream, bytes)) => {
                    take(stream, &bytes);
                    last_said = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => is_open = false,
            }
        } else {
            // Most end as soon as they have closed their output.
            ending.get_or_insert_with(|| Ending::of(&started.child)).wait();
        }
        match asked_to_stop {
            None => {
                let end = if gix::interrupt::is_triggered() {
                    End::Interrupted
                } else if began.elapsed() >= limits.time {
                    End::TimedOut
                } else if limits.idle.is_some_and(|idle| last_said.elapsed() >= idle) {
                    End::Silent
                } else {
                    continue;
                };
                started.ask_to_stop();
                asked_to_stop = Some((end, Instant::now()));
            }
            Some((_, since)) if since.elapsed() > GRACE => started.stop(since.elapsed() > GRACE * 2),
            Some(_) => (),
        }
    }
}

fn listen(mut reader: PipeReader, stream: Stream, sender: SyncSender<Said>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(n_read) => {
                    if sender.send((stream, buffer[..n_read].to_vec())).is_err() {
                        return;
                    }
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => return,
            }
        }
    });
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

#[cfg(unix)]
fn signal_group(child: &Child, signal: Signal) {
    use rustix::process::kill_process_group;

    let signal = match signal {
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    if let Some(pid) = pid_of(child) {
        // Nothing of it may be left.
        kill_process_group(pid, signal).ok();
    }
}

#[cfg(not(unix))]
fn signal_group(_: &Child, _: Signal) {}

#[cfg(unix)]
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;

    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

#[cfg(not(unix))]
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

#[cfg(test)]
mod tests;
