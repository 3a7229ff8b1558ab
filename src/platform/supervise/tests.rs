use super::*;
use crate::platform::process;

const BOUNDS: Bounds = Bounds { time: Duration::from_mins(1), output: 1 << 16 };

fn sh(script: &str) -> Command {
    let mut command = process::command("sh");
    command.args(["-c", script]);
    command
}

/// As where there is no keeper; with one, `tests/it/qa/ending.rs` runs it.
fn run_alone(command: Command, bounds: Bounds, on_output: impl FnMut(&[u8])) -> io::Result<Ended> {
    run_as(|out, err| Started::alone(command, None, (out, err)), bounds, on_output)
}

#[test]
fn both_streams_come_in_order_with_the_exit_code() {
    let mut seen = Vec::new();
    let ended = run_alone(sh("echo one; echo two >&2; echo three; exit 7"), BOUNDS, |bytes| {
        seen.extend_from_slice(bytes);
    })
    .unwrap();
    assert_eq!((ended.end, ended.tail.as_slice()), (End::Exit(7), b"one\ntwo\nthree\n".as_slice()));
    assert_eq!(seen, ended.tail);
    assert_eq!(ended.sha256, <[u8; 32]>::from(Sha256::digest("one\ntwo\nthree\n")));
    assert_eq!(run_alone(sh("kill -TERM $$"), BOUNDS, |_| ()).unwrap().end, End::Exit(143));
}

#[test]
fn the_end_of_a_long_output_is_kept() {
    let bounds = Bounds { output: 10, ..BOUNDS };
    let ended = run_alone(sh("seq 1 100000"), bounds, |_| ()).unwrap();
    assert_eq!(ended.tail, b"99\n100000\n");
}

#[test]
fn a_program_that_never_ends_is_ended_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let script = format!("trap '' TERM; sleep 1000 & echo $! >'{}'; wait; wait", pid.display());
    let bounds = Bounds { time: Duration::from_millis(200), ..BOUNDS };
    let ended = run_alone(sh(&script), bounds, |_| ()).unwrap();
    assert_eq!(ended.end, End::TimedOut);
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid) {
        std::thread::yield_now();
    }
}

#[test]
fn what_it_leaves_behind_does_not_hold_us() {
    let ended = run_alone(sh("sleep 1000 & echo done"), BOUNDS, |_| ()).unwrap();
    assert_eq!((ended.end, ended.tail.as_slice()), (End::Exit(0), b"done\n".as_slice()));
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { output: 100, ..BOUNDS };
    assert!(run_alone(process::command(dir.path().join("missing")), bounds, |_| ()).is_err());
}

/// Killed, and not yet fetched by its new parent.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}
