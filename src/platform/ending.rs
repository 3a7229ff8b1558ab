//! The end of a program that was started: learned from the system where that tells, so that nobody has to
//! look again and again.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
#[cfg(unix)]
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};

/// How often it is looked whether there is anything else to do than to wait.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// What is waited for when a program says nothing any more.
pub(super) struct Ending {
    /// Tells of its end, where the system does that.
    #[cfg(target_os = "linux")]
    told: Option<OwnedFd>,
    pause: Duration,
}

impl Ending {
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "nothing tells of its end"))]
    pub(super) fn of(child: &Child) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            told: pidfd(child),
            pause: Duration::from_micros(200),
        }
    }

    /// Waits for the end, at most until it is time to look whether somebody wants us to stop.
    pub(super) fn wait(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(told) = &self.told {
            let mut fds = [PollFd::new(told, PollFlags::IN)];
            // A signal may interrupt it, which is looked at next.
            poll(&mut fds, Timespec::try_from(PAUSE).ok().as_ref()).ok();
            return;
        }
        // Nothing here tells of an end.
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE);
    }
}

/// Returns what can be waited for to learn of the end of a child; kernels before 5.3 have none.
#[cfg(target_os = "linux")]
pub(super) fn pidfd(child: &Child) -> Option<OwnedFd> {
    pidfd_open(pid_of(child)?, PidfdFlags::empty()).ok()
}

#[cfg(unix)]
pub(super) fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Whether the program has ended; it is still to be waited for.
#[cfg(unix)]
pub(super) fn has_ended(child: &Child) -> io::Result<bool> {
    let Some(pid) = pid_of(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}
