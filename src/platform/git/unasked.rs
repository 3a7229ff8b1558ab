//! Talking to remotes while nobody is there to answer: git and what it starts ask nothing, and give up
//! on a server that says nothing.

use std::process::Command;

use super::Repo;
use crate::platform::env;

/// How a program that stands for `ssh` takes its options, as git tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Options {
    OpenSsh,
    Putty,
    /// None at all.
    Simple,
}

impl Repo {
    /// Keeps `git` from asking anybody, on any transport, and from waiting for a dead connection much
    /// longer than `seconds`, even if nobody is left to end it.
    pub(super) fn ask_nobody(&self, git: &mut Command, seconds: &str) {
        // `GCM_INTERACTIVE` is for Git Credential Manager, which opens windows.
        git.args(["-c", "credential.interactive=false"]).env("GCM_INTERACTIVE", "never");
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("SSH_ASKPASS_REQUIRE", "never");
        let said = env::var("GIT_SSH_VARIANT").or_else(|| self.config("ssh.variant"));
        let command = env::var("GIT_SSH_COMMAND").or_else(|| self.user_config("core.sshCommand"));
        let command = command.or_else(|| env::var("GIT_SSH").map(|program| quoted(&program)));
        let command = command.unwrap_or_else(|| "ssh".to_owned());
        match options_of(said.as_deref(), &command) {
            Options::OpenSsh => {
                let limits = format!("-o ConnectTimeout={seconds} -o ServerAliveInterval={seconds}");
                let ssh = format!("{command} -o BatchMode=yes {limits} -o ServerAliveCountMax=1");
                git.env("GIT_SSH_COMMAND", ssh);
                if said.is_none() {
                    git.env("GIT_SSH_VARIANT", "ssh");
                }
            }
            Options::Putty => {
                git.env("GIT_SSH_COMMAND", format!("{command} -batch"));
            }
            Options::Simple => (),
        }
    }
}

/// Judges by what the user said, else by the name of the program. A program of any other name is taken
/// for one that hands its arguments to `ssh`.
fn options_of(said: Option<&str>, command: &str) -> Options {
    match said.map(str::to_ascii_lowercase).as_deref() {
        Some("simple") => return Options::Simple,
        Some("plink" | "putty" | "tortoiseplink") => return Options::Putty,
        None | Some("auto") => (),
        Some(_) => return Options::OpenSsh,
    }
    let command = command.trim_start();
    let program = match command.chars().next() {
        Some(quote @ ('\'' | '"')) => command[1..].split(quote).next(),
        _ => command.split_whitespace().next(),
    };
    let name = program.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    match name.strip_suffix(".exe").unwrap_or(&name) {
        "plink" | "tortoiseplink" => Options::Putty,
        _ => Options::OpenSsh,
    }
}

fn quoted(program: &str) -> String {
    format!("'{}'", program.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_says_which_options_it_takes() {
        for (said, command, options) in [
            (None, "ssh", Options::OpenSsh),
            (None, "ssh -i ~/.ssh/plink", Options::OpenSsh),
            (None, "/opt/my wrapper", Options::OpenSsh),
            (None, "plink", Options::Putty),
            (Some("auto"), "'/c/Program Files/PuTTY/PLINK.EXE' -v", Options::Putty),
            (None, r#""C:\Program Files\TortoiseGit\bin\TortoisePlink.exe""#, Options::Putty),
            (Some("ssh"), "plink", Options::OpenSsh),
            (Some("putty"), "wrapper", Options::Putty),
            (Some("simple"), "ssh", Options::Simple),
        ] {
            assert_eq!(options_of(said, command), options, "{said:?} {command}");
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_command() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
        assert_eq!(options_of(None, &quoted("/a b/plink")), Options::Putty);
    }
}
