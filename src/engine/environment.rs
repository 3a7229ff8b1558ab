//! What an engine's program sees of our environment: what it needs to run and to reach its service, and
//! nothing that speaks of git, of CI or of us.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::Setup;
use crate::platform::env;

/// Variables that every program may need.
const USUAL: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TERM",
    "TMPDIR",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// Beginnings of the names of more of them.
const USUAL_PREFIXES: &[&str] = &["LC_", "XDG_"];

/// Beginnings of names that no setup passes on: they would make a program work in another repository, or
/// take a run for one of ours.
const NEVER: &[&str] = &["GIT_", "GODZILLA"];

/// Lets `command` see what an engine of `setup` may see. Whoever starts it must start it bare.
pub fn give(command: &mut Command, setup: &Setup) {
    for (name, value) in visible_to(setup) {
        command.env(name, value);
    }
}

/// Returns the variables that an engine of `setup` may see, if they are set.
pub fn visible_to(setup: &Setup) -> Vec<(OsString, OsString)> {
    let chosen = setup.pass_env.iter().chain(&setup.key_env).map(String::as_str);
    let names = USUAL.iter().copied().chain(chosen.filter(|name| may_pass(name)));
    let mut seen: Vec<(OsString, OsString)> =
        names.filter_map(|name| Some((name.into(), env::raw(name)?))).collect();
    for prefix in USUAL_PREFIXES {
        let more = env::vars_with_prefix(prefix).into_iter();
        seen.extend(more.map(|(name, value)| (name.into(), value.into())));
    }
    seen
}

/// Whether a setup can pass on a variable of this name.
pub fn may_pass(name: &str) -> bool {
    let is_name = !name.is_empty() && !name.contains(['=', '\0']);
    is_name && !NEVER.iter().any(|prefix| OsStr::new(name).to_string_lossy().starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_usual_or_chosen_is_seen() {
        let names = |setup: &Setup| -> Vec<String> {
            visible_to(setup).into_iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
        };
        // Cargo sets these for every test.
        let chosen = "CARGO_PKG_NAME";
        let usual = names(&Setup::default());
        assert!(usual.contains(&"PATH".to_owned()), "{usual:?}");
        assert!(
            usual.iter().all(|name| !name.starts_with("CARGO") && !name.starts_with("GIT_")),
            "{usual:?}"
        );
        let setup =
            Setup { pass_env: vec![chosen.to_owned(), "MISSING_HERE".to_owned()], ..Setup::default() };
        assert_eq!(names(&setup).iter().filter(|name| *name == chosen).count(), 1);
        assert!(!names(&setup).contains(&"MISSING_HERE".to_owned()));
        let setup = Setup { key_env: Some(chosen.to_owned()), ..Setup::default() };
        assert!(names(&setup).contains(&chosen.to_owned()));
    }

    #[test]
    fn nothing_of_git_or_of_ours_is_passed_on() {
        for name in ["GIT_DIR", "GODZILLA", "GODZILLA_BUDGET_MODE", "", "A=B", "A\0"] {
            assert!(!may_pass(name), "{name:?}");
        }
        assert!(may_pass("OPENAI_API_KEY") && may_pass("MY_GIT_NAME"));
    }
}
