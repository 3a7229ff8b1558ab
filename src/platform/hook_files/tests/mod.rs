//! Hook files in a directory of their own, run by real shells and a real git.

#![expect(clippy::disallowed_methods, reason = "the tests run hooks and git by themselves")]

mod files;
mod git;
mod managers;
mod several;
mod shell;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::content::Access;
use super::*;

/// A hooks directory, a repository to be in, and a program that stands for ours.
struct World {
    root: TempDir,
}

/// Every file below a directory: its mode, and its bytes or the target of it.
type Snapshot = BTreeMap<PathBuf, (u32, Vec<u8>)>;

impl World {
    fn new() -> Self {
        Self::named("world")
    }

    /// A world in which every path contains `name`.
    fn named(name: &str) -> Self {
        let root = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let world = Self { root };
        fs::create_dir_all(world.hooks()).unwrap();
        fs::create_dir_all(world.path("bin")).unwrap();
        world.script(&world.binary(), &recorder("ours"));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn hooks(&self) -> PathBuf {
        self.path("repo/.git/hooks")
    }

    fn hook(&self, name: &str) -> PathBuf {
        self.hooks().join(name)
    }

    fn binary(&self) -> PathBuf {
        self.path("bin/git-godzilla")
    }

    fn journal(&self) -> PathBuf {
        self.path("state/hooks")
    }

    fn script(&self, path: &Path, text: &str) {
        self.file(path, text.as_bytes(), 0o755);
    }

    #[expect(clippy::unused_self, reason = "reads like the others")]
    fn file(&self, path: &Path, bytes: &[u8], mode: u32) {
        let access = Access::Exactly(fs::Permissions::from_mode(mode));
        let content = Content::File(bytes.to_vec());
        content.put(path, &access).unwrap();
        if mode & 0o111 != 0 {
            // A program that this process has written cannot be started while a child of another
            // thread still holds its file. What a child has written can.
            let copy = "cp -p \"$1\" \"$1.copy\" && mv -f \"$1.copy\" \"$1\"";
            let copied = Command::new("sh").args(["-c", copy, "sh"]).arg(path).status().unwrap();
            assert!(copied.success());
        }
    }

    /// What earlier versions put in place of `event`.
    fn link(&self, event: &str) {
        Content::Link(self.binary()).put(&self.hook(event), &Access::Run).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::File::options().append(true).open(self.hook(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn install(&self) -> Vec<Change> {
        install(&self.hooks(), &self.binary(), &self.journal()).unwrap().changed
    }

    #[track_caller]
    fn uninstall(&self) -> Vec<Change> {
        uninstall(&self.hooks(), &self.journal()).unwrap().changed
    }

    fn status_of(&self, event: &str) -> HookStatus {
        status(&self.hooks(), &self.binary()).into_iter().find(|status| status.event == event).unwrap()
    }

    fn snapshot(&self) -> Snapshot {
        let mut files = Snapshot::new();
        for entry in fs::read_dir(self.hooks()).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let bytes = if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                target.as_os_str().as_encoded_bytes().to_vec()
            } else if metadata.is_dir() {
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            files.insert(path, (metadata.permissions().mode(), bytes));
        }
        files
    }

    /// A clean environment in which `program` will record what it is called with.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("repo"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.root.path())
            .env("CALLS", self.path("calls"));
        command
    }

    /// Returns the calls that were recorded and forgets them.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        content::remove(&self.path("calls")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// What the program that records as `who` found on its standard input.
    fn stdin_of(&self, who: &str) -> Option<Vec<u8>> {
        fs::read(self.path(&format!("calls.{who}"))).ok()
    }
}

/// A program that records its arguments, keeps its input where there is one, and
/// exits as the variable `<who>_exit` says.
fn recorder(who: &str) -> String {
    format!(
        r#"#!/bin/sh
{{
  printf %s {who}
  for arg; do printf ' [%s]' "$arg"; done
  echo
}} | tr '\n' '~' | sed 's/~$//' >>"$CALLS"
echo >>"$CALLS"
case $0$* in
*pre-push* | *post-rewrite*) cat >"$CALLS.{who}" ;;
esac
exit "${{{who}_exit-0}}"
"#
    )
}

#[track_caller]
fn run(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that does not read its input closes it early.
        input.write_all(&stdin).ok();
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn whats(changes: Vec<Change>) -> Vec<What> {
    changes.into_iter().map(|change| change.what).collect()
}
