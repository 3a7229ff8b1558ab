//! The environment of the process.

use std::ffi::OsString;
use std::path::PathBuf;

/// Returns a variable that is set, not empty and UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns a variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn var_os(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns a variable that is set, be it to nothing.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns the variables whose name begins with `prefix` and that are set, not empty and UTF-8; by
/// name.
pub fn vars_with_prefix(prefix: &str) -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let is_meant = |(name, value): &(OsString, OsString)| {
        name.as_encoded_bytes().starts_with(prefix.as_bytes()) && !value.is_empty()
    };
    let mut found: Vec<_> = std::env::vars_os().filter(is_meant).filter_map(text).collect();
    found.sort();
    found
}

/// Returns the values of variables whose names say that they are secret, if they are long enough to
/// be one; the longest first.
pub fn secrets() -> Vec<String> {
    const WORDS: &[&str] = &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL"];
    let mut found: Vec<String> = vars_with_prefix("")
        .into_iter()
        .filter(|(name, value)| {
            value.len() >= 8 && WORDS.iter().any(|word| name.to_ascii_uppercase().contains(word))
        })
        .map(|(_, value)| value)
        .collect();
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found
}

/// Returns the current directory without links; `None` if it is gone.
pub fn current_dir() -> Option<PathBuf> {
    std::env::current_dir().ok()?.canonicalize().ok()
}

/// Returns the path of this program.
pub fn current_exe() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Whether hooks are switched off (`GODZILLA=0`) or run inside one of ours.
pub fn hooks_are_off() -> bool {
    var("GODZILLA").as_deref() == Some("0") || var_os("GODZILLA_HOOK_DEPTH").is_some()
}
