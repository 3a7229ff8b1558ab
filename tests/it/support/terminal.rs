//! A terminal of a known size.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Shown;

/// Runs a command on a terminal, and returns what that shows of both outputs.
pub(crate) fn run_on_terminal(command: Command, columns: u16, rows: u16) -> Shown {
    on_terminal(command, columns, rows, None)
}

/// The same for a command that asks; `typed` is typed, also if it never does.
pub(crate) fn answer_on_terminal(command: Command, typed: &str) -> Shown {
    on_terminal(command, 100, 40, Some(typed))
}

fn on_terminal(mut command: Command, columns: u16, rows: u16, typed: Option<&str>) -> Shown {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    tcsetwinsize(&master, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let flags = i32::try_from(OpenptFlags::NOCTTY.bits()).unwrap();
    let slave = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name).unwrap();
    let mut master = File::from(master);
    let stdin = match typed {
        Some(typed) => {
            master.write_all(typed.as_bytes()).unwrap();
            Stdio::from(slave.try_clone().unwrap())
        }
        None => Stdio::null(),
    };
    let mut child = command
        .stdin(stdin)
        .stdout(slave.try_clone().unwrap())
        .stderr(slave)
        .env("TERM", "xterm")
        .spawn()
        .unwrap();
    // It holds the terminal open.
    drop(command);
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    // Linux says that nobody is left to write by an error.
    while let Ok(n_read @ 1..) = master.read(&mut piece) {
        bytes.extend_from_slice(&piece[..n_read]);
    }
    let code = child.wait().unwrap().code();
    Shown { stdout: String::from_utf8_lossy(&bytes).replace("\r\n", "\n"), stderr: String::new(), code }
}
