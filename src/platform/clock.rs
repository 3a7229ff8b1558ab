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
    random_bits().map_or_else(Ulid::new, |random| Ulid::from_parts(now_ms(), random))
}

/// Asks the kernel directly: a statically linked program reads device files instead.
#[cfg(target_os = "linux")]
fn random_bits() -> Option<u128> {
    let mut bytes = [0; 16];
    let n_read = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).ok()?;
    (n_read == bytes.len()).then(|| u128::from_ne_bytes(bytes))
}

#[cfg(not(target_os = "linux"))]
fn random_bits() -> Option<u128> {
    None
}

/// Returns a small random pause, so that writers that wait do not wake together.
pub fn jitter(max_ms: u64) -> Duration {
    let random = u64::try_from(new_id().random() & 0xffff).unwrap_or(0);
    Duration::from_millis(1 + random * max_ms / 0xffff)
}
