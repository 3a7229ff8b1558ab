//! The time of day, and new ids.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use ulid::Ulid;

use super::simulated;

/// Returns milliseconds since 1970; 0 if the machine's clock is before that.
#[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
pub fn now_ms() -> u64 {
    if let Some(machine) = simulated::machine() {
        return machine.now_ms();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time zone of this machine or, with `TZ`, of this process; UTC if it cannot be told.
///
/// The usual case is read from the one file that says it, without a walk over all zones there are.
pub fn zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();

    let find = || match super::env::var("TZ").as_deref() {
        None => {
            let file = std::fs::read("/etc/localtime").ok();
            file.and_then(|bytes| TimeZone::tzif("", &bytes).ok()).unwrap_or_else(TimeZone::system)
        }
        Some("UTC") => TimeZone::UTC,
        Some(_) => TimeZone::system(),
    };
    ZONE.get_or_init(find).clone()
}

/// Returns how far [`zone`] is ahead of UTC at a moment since 1970, in seconds.
pub fn offset_s(seconds: i64) -> i32 {
    jiff::Timestamp::from_second(seconds).map_or(0, |time| zone().to_offset(time).seconds())
}

/// Returns a new ULID, with randomness of the operating system.
pub fn new_id() -> Ulid {
    if let Some(machine) = simulated::machine() {
        return Ulid::from_parts(machine.now_ms(), machine.random());
    }
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

/// Returns a small random pause, so that writers that wait do not wake together; none where nobody
/// else runs meanwhile.
pub fn jitter(max_ms: u64) -> Duration {
    if simulated::machine().is_some() {
        return Duration::ZERO;
    }
    let random = u64::try_from(new_id().random() & 0xffff).unwrap_or(0);
    Duration::from_millis(1 + random * max_ms / 0xffff)
}

/// Returns how long to wait for a lock: `limit`, or hardly at all where nobody else runs meanwhile. A child that
/// another thread has just started may hold for a moment what was let go here.
pub fn patience(limit: Duration) -> Duration {
    if simulated::machine().is_some() { Duration::from_millis(50) } else { limit }
}

/// Waits until a time in milliseconds since 1970. Returns `false` at once if somebody asks us to stop.
pub fn wait_until(until_ms: u64) -> bool {
    let _stopping = super::supervise::listen_for_stop();
    loop {
        if super::process::is_interrupted() {
            return false;
        }
        let left = until_ms.saturating_sub(now_ms());
        if left == 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(left.min(200)));
    }
}

/// Returns the moment that a date of HTTP says, as in `Sun, 06 Nov 1994 08:49:37 GMT`, in milliseconds
/// since 1970; `None` for anything else, and for a time before that.
pub fn parse_http_date(text: &str) -> Option<u64> {
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(moment.as_millisecond()).ok()
}
