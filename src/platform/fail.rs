//! Named points where a test can end the process, as `kill -9` would.

/// Ends the process at once if `GODZILLA_FAIL_POINT` names this point. Does nothing in release
/// builds.
pub fn point(name: &'static str) {
    if cfg!(debug_assertions) && super::env::var("GODZILLA_FAIL_POINT").as_deref() == Some(name) {
        std::process::abort();
    }
}
