//! Named points where a test can end the process, as `kill -9` would.
//!
//! `GODZILLA_FAIL_POINT=name` ends it the first time that the point is reached, `name:3` the third
//! time. `GODZILLA_FAIL_LOG` names a file that learns which process reached which points, one
//! a line; the last line of one that ended at a point says `died at <name>`. Release builds do nothing of this,
//! but for a [simulation](super::simulated), in which the points are where others come in.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{env, simulated};

/// Ends the process at once if this point is the one to fail at.
pub fn point(name: &'static str) {
    match simulated::machine() {
        Some(machine) => machine.point(name),
        None if cfg!(debug_assertions) => reached(name),
        None => (),
    }
}

/// Fails if a simulated disk has no room for what is about to be written.
pub(super) fn room() -> io::Result<()> {
    let is_full = simulated::machine().is_some_and(|machine| !machine.has_room());
    if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn reached(name: &str) {
    static N_HITS: AtomicU64 = AtomicU64::new(0);

    log(name);
    let Some(wanted) = env::var("GODZILLA_FAIL_POINT") else { return };
    let (wanted, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if wanted == name && N_HITS.fetch_add(1, Ordering::Relaxed) + 1 == nth.parse().unwrap_or(1) {
        log(&format!("died at {name}"));
        std::process::abort();
    }
}

fn log(line: &str) {
    let Some(path) = env::var_os("GODZILLA_FAIL_LOG") else { return };
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        // One write, so that lines of several processes stay whole.
        drop(file.write_all(format!("{} {line}\n", std::process::id()).as_bytes()));
    }
}
