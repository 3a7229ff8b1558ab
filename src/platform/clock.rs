//! The time of day, and new ids.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ulid::Ulid;

/// Returns milliseconds since 1970; 0 if the machine's clock is before that.
#[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a new ULID, with randomness of the operating system.
pub fn new_id() -> Ulid {
    Ulid::new()
}

/// Returns a small random pause, so that writers that wait do not wake together.
pub fn jitter(max_ms: u64) -> Duration {
    let random = u64::try_from(Ulid::new().random() & 0xffff).unwrap_or(0);
    Duration::from_millis(1 + random * max_ms / 0xffff)
}
