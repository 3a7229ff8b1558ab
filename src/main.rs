//! `git-godzilla`, run as `git godzilla`, by the scripts that are git's hooks, and to keep gates.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    if let Some(event) = git_godzilla::hooks::event_of(Path::new(&program)) {
        let args: Vec<OsString> = args.collect();
        return git_godzilla::hooks::run(event, &args);
    }
    #[cfg(target_os = "linux")]
    if git_godzilla::platform::keeper::is_called(Path::new(&program)) {
        let args: Vec<OsString> = args.collect();
        return git_godzilla::platform::keeper::keep(&args);
    }
    // What a shim calls, without the cost of parsing a command line.
    let args: Vec<OsString> = args.collect();
    if let [hook, event, rest @ ..] = args.as_slice()
        && hook == "hook"
        && let Some(event) = event.to_str().filter(|event| !event.starts_with('-'))
    {
        return git_godzilla::hooks::run(event, rest);
    }
    git_godzilla::cli::run()
}
