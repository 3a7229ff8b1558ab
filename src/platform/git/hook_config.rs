//! Hooks in git's configuration, which git 2.54 and newer runs beside the hook files.
//!
//! Ours are in a file of their own, which the repository's configuration includes by one line: one edit
//! switches all of them on or off, and when the file is gone git goes on without.

use std::path::{Path, PathBuf};

use super::{Error, Repo};
use crate::platform::{fail, fs, hook_script};

/// The first version of git that knows them.
pub const SINCE: (u32, u32) = (2, 54);

/// Where they are, as the repository's configuration names it.
const INCLUDED: &str = "godzilla/hooks.config";

/// How ours are named: this and the event. The event alone would be refused by git.
const PREFIX: &str = "godzilla-";

/// The command of one hook, also readable on its own.
const COMMAND: &str = include_str!("../../../hooks/config.sh");

/// A hook that git's configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredHook {
    pub name: String,
    pub command: Option<String>,
    pub events: Vec<String>,
    pub is_enabled: bool,
}

impl ConfiguredHook {
    pub fn is_ours(&self) -> bool {
        self.name.starts_with(PREFIX)
    }
}

impl Repo {
    /// Returns the hooks that git's configuration names, in its order.
    pub fn configured_hooks(&self) -> Vec<ConfiguredHook> {
        let mut hooks: Vec<ConfiguredHook> = Vec::new();
        for line in self.config_section("hook") {
            let Some((name, key)) = line.key.rsplit_once('.') else { continue };
            let known = hooks.iter().position(|hook| hook.name == name).unwrap_or_else(|| {
                let (name, events) = (name.to_owned(), Vec::new());
                hooks.push(ConfiguredHook { name, command: None, events, is_enabled: true });
                hooks.len() - 1
            });
            let hook = &mut hooks[known];
            match (key.to_ascii_lowercase().as_str(), line.value) {
                ("command", value) => hook.command = value,
                ("event", Some(event)) if event.is_empty() => hook.events.clear(),
                ("event", Some(event)) => hook.events.push(event),
                ("enabled", Some(value)) => {
                    let no = ["false", "no", "off", "0", ""];
                    hook.is_enabled = !no.contains(&value.to_ascii_lowercase().as_str());
                }
                _ => (),
            }
        }
        hooks
    }

    /// Whether ours are part of the configuration, as far as its own file says.
    pub fn includes_our_hooks(&self) -> bool {
        let included = self.config_section("include");
        included.iter().any(|line| {
            line.scope == "local"
                && line.key.eq_ignore_ascii_case("path")
                && line.value.as_deref() == Some(INCLUDED)
        })
    }

    /// Puts a hook that calls `binary` into the configuration for each of `events`, and returns whether
    /// that changed anything.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file or the configuration cannot be written; until the last step none counts.
    pub fn add_configured_hooks(&self, events: &[&str], binary: &Path) -> Result<bool, Error> {
        let text: Vec<u8> = events.iter().flat_map(|event| section(event, binary)).collect();
        let path = self.configured_hooks_file();
        let is_there = fs::is_file_with(&path, &text);
        if !is_there {
            fs::replace_file(&path, &text, true)
                .map_err(Error::io("write the hooks of the configuration"))?;
        }
        fail::point("hooks.config_written");
        let is_included = self.includes_our_hooks();
        if !is_included {
            self.config_edit(&["--add", "include.path", INCLUDED])?;
        }
        Ok(!(is_there && is_included))
    }

    /// Takes ours out of the configuration, and returns whether there were any.
    ///
    /// # Errors
    ///
    /// [`Error`] if the configuration cannot be written.
    pub fn remove_configured_hooks(&self) -> Result<bool, Error> {
        let is_included = self.includes_our_hooks();
        if is_included {
            self.config_remove("include.path", Some(INCLUDED))?;
        }
        fail::point("hooks.config_unset");
        let path = self.configured_hooks_file();
        let was_there = path.exists();
        fs::remove_if_there(&path).map_err(Error::io("remove the hooks of the configuration"))?;
        Ok(is_included || was_there)
    }

    fn configured_hooks_file(&self) -> PathBuf {
        self.common_dir().join(INCLUDED)
    }
}

/// The text of one hook as git's configuration has it. The command is above the event: a hook with an
/// event and no command would stop git.
fn section(event: &str, binary: &Path) -> Vec<u8> {
    let template = hook_script::of(COMMAND, event);
    let (above, below) = template.trim_end().split_once("@BINARY@").unwrap_or((&template, ""));
    let mut command = above.as_bytes().to_vec();
    command.push(b'\'');
    for byte in binary.as_os_str().as_encoded_bytes() {
        match byte {
            b'\'' => command.extend(br"'\''"),
            byte => command.push(*byte),
        }
    }
    command.push(b'\'');
    command.extend(below.as_bytes());

    let mut text = format!("[hook \"{PREFIX}{event}\"]\n\tcommand = \"").into_bytes();
    for byte in command {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', byte]),
            b'\n' => text.extend(b"\\n"),
            byte => text.push(byte),
        }
    }
    text.extend(format!("\"\n\tevent = {event}\n").as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_three_lines_with_the_command_first() {
        let text = String::from_utf8(section("post-commit", Path::new("/a 'b'/\"c\""))).expect("it is text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "[hook \"godzilla-post-commit\"]");
        assert!(lines[1].contains(r#"\ngz_binary='/a '\\''b'\\''/\"c\"'\n"#), "{}", lines[1]);
        assert!(lines[1].ends_with(" #\""), "{}", lines[1]);
        assert_eq!(lines[2], "\tevent = post-commit");
    }
}
