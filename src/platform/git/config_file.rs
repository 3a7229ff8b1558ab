//! The repository's own configuration file, as far as we change it.
//!
//! Where a setting goes is git's to say, which puts it into a copy. What it put there is written down before the
//! copy takes the place of the file, so that leaving can take out just that. Git itself takes out too much, such
//! as the empty lines at the end, or too little, such as the head of a section below a comment.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::run::{clean_git, output};
use super::{Error, Repo};
use crate::platform::fail;
use crate::platform::fs::{DraftFolder, read_if_there, remove_if_there, replace_file, write_new_file};

/// How often a file that others change meanwhile is read again.
const MAX_TRIES: usize = 8;

/// What one call added; a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Added {
    v: u32,
    key: String,
    /// Whole lines, with the head of the section if there was none.
    text: String,
    /// Whether the line before it got a line feed.
    line_feed: bool,
}

/// The version of the form of [`Added`].
const VERSION: u32 = 1;

impl Repo {
    /// Sets or adds to a key of this repository's own configuration. The key is the last but one of `args`.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if git refuses, [`Error::Locked`] if somebody holds the file, [`Error::Io`] if it
    /// cannot be read or written.
    pub fn config_edit(&self, args: &[&str]) -> Result<(), Error> {
        fail::point("config.edit");
        for _ in 0..MAX_TRIES {
            let before = self.config_bytes()?;
            let after = self.edited(&before, args)?;
            let key = args.iter().rev().nth(1).copied().unwrap_or_default();
            if let Some(added) = Added::between(&before, &after, key) {
                let mut all = self.added()?;
                all.push(added);
                self.remember(&all)?;
                fail::point("config.remembered");
            }
            if self.swap_config(&before, &after)? {
                fail::point("config.edited");
                return Ok(());
            }
        }
        Err(restless())
    }

    /// Takes out what [`Self::config_edit`] added for the keys that are meant, as far as it is still there as it
    /// was added. What has changed since is left to git.
    ///
    /// # Errors
    ///
    /// As [`Self::config_edit`].
    pub fn config_take_back(&self, is_meant: impl Fn(&str) -> bool) -> Result<(), Error> {
        let all = self.added()?;
        if !all.iter().any(|added| is_meant(&added.key)) {
            return Ok(());
        }
        for _ in 0..MAX_TRIES {
            let before = self.config_bytes()?;
            let (mut after, mut rest) = (before.clone(), Vec::new());
            for added in all.iter().rev() {
                if is_meant(&added.key) {
                    added.take_out(&mut after, &mut rest);
                } else {
                    rest.push(added.clone());
                }
            }
            if self.swap_config(&before, &after)? {
                fail::point("config.taken_back");
                rest.reverse();
                return self.remember(&rest);
            }
        }
        Err(restless())
    }

    /// Takes out heads of a section of ours under which there is nothing, as git leaves them below a comment.
    ///
    /// # Errors
    ///
    /// As [`Self::config_edit`].
    pub fn config_tidy(&self, section: &str) -> Result<(), Error> {
        let before = self.config_bytes()?;
        let mut after = Vec::with_capacity(before.len());
        let mut rest = &before[..];
        while !rest.is_empty() {
            let len = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, below) = rest.split_at(len);
            if !is_head_of(section, line) || is_used(below) {
                after.extend_from_slice(line);
            }
            rest = below;
        }
        // Another writer may have been quicker; then it stays, which does no harm.
        self.swap_config(&before, &after).map(drop)
    }

    fn config_bytes(&self) -> Result<Vec<u8>, Error> {
        let bytes = read_if_there(&self.common_dir.join("config")).map_err(Error::io("read the settings"))?;
        Ok(bytes.unwrap_or_default())
    }

    /// Returns what git makes of `before`.
    fn edited(&self, before: &[u8], args: &[&str]) -> Result<Vec<u8>, Error> {
        let folder = DraftFolder::new(&self.state_dir()).map_err(Error::io("make a copy of the settings"))?;
        let copy = folder.path().join("config");
        write_new_file(&copy, before, false).map_err(Error::io("make a copy of the settings"))?;
        let mut git = clean_git();
        git.args(["config", "--file"]).arg(&copy);
        output(&mut git, args)?;
        fs::read(&copy).map_err(Error::io("read a copy of the settings"))
    }

    /// Puts `after` in place of `before`, as git does it, and returns whether it did: somebody else may have
    /// changed the file.
    fn swap_config(&self, before: &[u8], after: &[u8]) -> Result<bool, Error> {
        if before == after {
            return Ok(true);
        }
        let failed = || Error::io("write the settings");
        let config = self.common_dir.join("config");
        // A link stays one.
        let config = config.canonicalize().unwrap_or(config);
        let mut name = config.clone().into_os_string();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let mut file = match fs::File::options().write(true).create_new(true).open(&lock) {
            Ok(file) => file,
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Locked { command: "config".to_owned(), path: lock });
            }
            Err(err) => return Err(failed()(err)),
        };
        let mut write = || {
            if read_if_there(&config)?.unwrap_or_default() != before {
                return Ok(false);
            }
            file.write_all(after)?;
            if let Ok(metadata) = fs::metadata(&config) {
                file.set_permissions(metadata.permissions())?;
            }
            fs::rename(&lock, &config)?;
            Ok(true)
        };
        let written = write();
        if !matches!(written, Ok(true)) {
            remove_if_there(&lock).map_err(failed())?;
        }
        written.map_err(failed())
    }

    fn config_journal(&self) -> PathBuf {
        self.state_dir().join("config.journal")
    }

    fn added(&self) -> Result<Vec<Added>, Error> {
        let bytes = read_if_there(&self.config_journal()).map_err(Error::io("read what was set"))?;
        let bytes = bytes.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        Ok(lines.filter(|added: &Added| added.v == VERSION).collect())
    }

    fn remember(&self, all: &[Added]) -> Result<(), Error> {
        let path = self.config_journal();
        if all.is_empty() {
            return remove_if_there(&path).map_err(Error::io("forget what was set"));
        }
        let lines = all.iter().map(|added| serde_json::to_string(added).unwrap_or_default() + "\n");
        let text = lines.collect::<String>();
        replace_file(&path, text.as_bytes(), true).map_err(Error::io("remember what is set"))
    }
}

impl Added {
    /// Returns what was added, if it is whole lines in one place and nothing else has changed.
    fn between(before: &[u8], after: &[u8], key: &str) -> Option<Self> {
        let len = after.len().checked_sub(before.len()).filter(|len| *len > 0)?;
        let mut at = before.iter().zip(after).take_while(|(one, other)| one == other).count();
        if before[at..] != after[at + len..] {
            return None;
        }
        // The same bytes may begin the line and the next one.
        while at > 0 && after[at - 1] != b'\n' && after[at - 1] == after[at + len - 1] {
            at -= 1;
        }
        let mut text = &after[at..at + len];
        let line_feed = at > 0 && after[at - 1] != b'\n';
        if line_feed {
            text = text.strip_prefix(b"\n").filter(|_| at == before.len())?;
        }
        let text = str::from_utf8(text).ok().filter(|text| text.ends_with('\n'))?;
        Some(Self { v: VERSION, key: key.to_owned(), text: text.to_owned(), line_feed })
    }

    /// Takes it out of `bytes`, with the line feed that was put before it if nothing follows. `newer` is what was
    /// added later and stays.
    fn take_out(&self, bytes: &mut Vec<u8>, newer: &mut [Self]) {
        let text = self.text.as_bytes();
        let begins = |at: &usize| *at == 0 || bytes[*at - 1] == b'\n';
        let mut places = memchr::memmem::find_iter(bytes, text).filter(begins);
        let (Some(at), None) = (places.next(), places.next()) else { return };
        if text.starts_with(b"[") && is_used(&bytes[at + text.len()..]) {
            return;
        }
        bytes.drain(at..at + text.len());
        if !self.line_feed {
            return;
        }
        if at == bytes.len() {
            bytes.pop();
        } else if let Some(next) = newer.iter_mut().find(|it| bytes[at..].starts_with(it.text.as_bytes())) {
            next.line_feed = true;
        }
    }
}

/// Whether `line` is the head of `section`, or of a part of it, and nothing else.
fn is_head_of(section: &str, line: &[u8]) -> bool {
    let head = line.trim_ascii().strip_prefix(b"[").and_then(|head| head.strip_suffix(b"]"));
    let rest = head.and_then(|head| head.strip_prefix(section.as_bytes()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" \""))
}

/// Whether `rest`, which follows a section, begins with more settings of it.
fn is_used(rest: &[u8]) -> bool {
    let lines = rest.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first =
        lines.into_iter().find(|line| !(line.is_empty() || line.starts_with(b"#") || line.starts_with(b";")));
    first.is_some_and(|line| !line.starts_with(b"["))
}

fn restless() -> Error {
    let message = "could not write the config file: it changes all the time".to_owned();
    Error::Git { command: "config".to_owned(), message }
}

#[cfg(all(test, unix))]
#[expect(clippy::disallowed_methods, reason = "the tests write what people and other programs write")]
mod tests {
    use super::*;

    const CORE: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
    const REMOTE: &str = "[remote \"origin\"]\n\turl = x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n";

    fn repo(dir: &tempfile::TempDir) -> Repo {
        let path = dir.path().join("repo");
        output(clean_git().args(["init", "--quiet", "--bare"]).arg(&path), &[]).expect("a repository");
        Repo::discover(&path).expect("it opens")
    }

    /// All that `init` sets.
    fn edit(repo: &Repo) {
        for args in [
            &["--add", "remote.origin.fetch", "^refs/godzilla/runs/*"][..],
            &["--add", "remote.origin.fetch", "+refs/godzilla/*:refs/godzilla-remote/origin/*"],
            &["--add", "include.path", "godzilla/hooks.config"],
            &["godzilla.project.baseBranch", "main"],
        ] {
            repo.config_edit(args).expect("it is set");
        }
    }

    #[test]
    fn what_was_set_goes_byte_for_byte() {
        let dir = tempfile::tempdir().expect("a folder");
        let repo = repo(&dir);
        let config = repo.common_dir().join("config");
        let crlf = |text: &str| text.replace('\n', "\r\n");
        for (ending, more) in [
            ("as git writes it", ""),
            ("a comment", "# mine\n"),
            ("a comment without an end", "\t; mine"),
            ("empty lines", "\n\n  \n"),
            ("white space", "\n\t"),
            ("another section", "[branch \"main\"]\n\tremote = origin"),
            ("the same section", "[remote \"origin\"]\n\tpushurl = y\n"),
            ("an empty section of ours", "[include]\n[godzilla \"project\"]\n"),
            ("the head of one", "[include]"),
            ("a section of ours", "[include]\n\tpath = mine # why\n[godzilla \"qa\"] policy = full"),
            ("what is not text", "# \u{fe}"),
        ] {
            let whole = format!("{CORE}{REMOTE}{more}");
            let cut = whole.trim_end().to_owned();
            for text in [whole.clone(), cut.clone(), crlf(&whole), crlf(&cut)] {
                let mut bytes = text.into_bytes();
                bytes.retain(|byte| *byte != 0xc3);
                fs::write(&config, &bytes).expect("it is written");
                edit(&repo);
                assert_ne!(fs::read(&config).expect("it is there"), bytes);
                repo.config_take_back(|_| true).expect("it goes");
                let now = fs::read(&config).expect("it is there");
                assert_eq!(String::from_utf8_lossy(&now), String::from_utf8_lossy(&bytes), "{ending}");
                assert!(!repo.config_journal().exists());
            }
        }
    }

    /// What others did since stays, and what cannot be told from it is left to git.
    #[test]
    fn what_others_set_since_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let repo = repo(&dir);
        let config = repo.common_dir().join("config");
        let before = format!("{CORE}{REMOTE}").trim_end().to_owned();
        for (theirs, text, want) in [
            // In a section that we made, below, and above.
            ("[include]\n\tpath = godzilla/hooks.config\n", "{}\tpath = mine\n", None),
            ("[include]\n", "{}\tpath = mine\n", None),
            ("\tbaseBranch = main\n", "{}[mine]\n\ta = b\n", Some("{}\n[mine]\n\ta = b\n")),
            ("\tbaseBranch = main\n", "\tbaseBranch = other\n", None),
            ("\tbare = true\n", "\tbare = true\n\tmine = 1\n", Some("{core}")),
        ] {
            fs::write(&config, &before).expect("it is written");
            edit(&repo);
            let ours = fs::read_to_string(&config).expect("it is there");
            fs::write(&config, ours.replacen(theirs, &text.replace("{}", theirs), 1)).expect("it is written");
            repo.config_take_back(|_| true).expect("it goes");
            let now = fs::read_to_string(&config).expect("it is there");
            match want {
                Some("{core}") => {
                    assert_eq!(now, before.replacen(theirs, text, 1));
                }
                Some(want) => assert_eq!(now, want.replace("{}", &before)),
                None => assert!(now.contains("mine") || now.contains("other"), "{now}"),
            }
            assert!(!now.contains("refs/godzilla"), "{now}");
        }
    }

    #[test]
    fn some_of_it_goes_and_the_rest_later() {
        let dir = tempfile::tempdir().expect("a folder");
        let repo = repo(&dir);
        let config = repo.common_dir().join("config");
        let before = CORE.trim_end();
        fs::write(&config, before).expect("it is written");
        repo.config_edit(&["--add", "include.path", "godzilla/hooks.config"]).expect("it is set");
        repo.config_edit(&["godzilla.project.baseBranch", "main"]).expect("it is set");
        repo.config_take_back(|key| key == "include.path").expect("it goes");
        let now = fs::read_to_string(&config).expect("it is there");
        assert_eq!(now, format!("{before}\n[godzilla \"project\"]\n\tbaseBranch = main\n"));
        repo.config_take_back(|_| true).expect("it goes");
        assert_eq!(fs::read_to_string(&config).expect("it is there"), before);
    }

    #[test]
    fn heads_of_ours_that_git_leaves_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let repo = repo(&dir);
        let config = repo.common_dir().join("config");
        for (before, want) in [
            ("# mine\n[godzilla \"qa\"]\n", "# mine\n"),
            (
                "[godzilla]\n# mine\n[godzilla \"qa\"]\n\tpolicy = full\n",
                "# mine\n[godzilla \"qa\"]\n\tpolicy = full\n",
            ),
            (
                "[godzilla \"qa\"] policy = full\n[godzillas]\n",
                "[godzilla \"qa\"] policy = full\n[godzillas]\n",
            ),
        ] {
            fs::write(&config, format!("{CORE}{before}")).expect("it is written");
            repo.config_tidy("godzilla").expect("it is tidied");
            assert_eq!(fs::read_to_string(&config).expect("it is there"), format!("{CORE}{want}"));
        }
    }

    #[test]
    fn a_link_stays_one_a_mode_stays_and_a_lock_is_heeded() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().expect("a folder");
        let repo = repo(&dir);
        let (config, real) = (repo.common_dir().join("config"), dir.path().join("elsewhere"));
        fs::rename(&config, &real).expect("it moves");
        std::os::unix::fs::symlink(&real, &config).expect("a link");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o440)).expect("read-only");
        let before = fs::read(&real).expect("it is there");
        edit(&repo);
        assert!(fs::read(&real).expect("it is there").len() > before.len());
        let lock = dir.path().join("elsewhere.lock");
        fs::write(&lock, "").expect("a lock");
        let refused = repo.config_take_back(|_| true).expect_err("it is locked");
        assert!(refused.to_string().contains("elsewhere.lock"), "{refused}");
        assert!(lock.exists(), "it is not ours");
        fs::remove_file(&lock).expect("it goes");
        repo.config_take_back(|_| true).expect("it goes");
        assert_eq!(fs::read(&config).expect("it is there"), before);
        assert!(config.is_symlink());
        assert_eq!(fs::metadata(&real).expect("it is there").permissions().mode() & 0o777, 0o440);
    }
}
