//! The tree that a commit of everything in a worktree would have.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::run::failed;
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::process::{self, Limits};

/// How the folder for the private index begins; one that a dead process left is no longer of use.
const DRAFT_PREFIX: &str = ".godzilla-draft-tree-";

impl Repo {
    /// Returns what `git status` says of each path that is not as `HEAD` has it, but for paths below
    /// `without`: two letters, a space, and the path. Ignored files are as good as absent.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no worktree or it cannot be read.
    pub fn work_changes(&self, without: &str) -> Result<Vec<String>, Error> {
        let args = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"];
        let mut git = self.hardened();
        git.env("GIT_OPTIONAL_LOCKS", "0").args(args).arg("--ignore-submodules=dirty");
        let said = output(&mut git, &args)?;
        let lines = said.split(|byte| *byte == 0).filter(|line| line.len() > 3);
        let below = format!("{without}/");
        let is_outside = |line: &&[u8]| !line[3..].starts_with(below.as_bytes());
        Ok(lines.filter(is_outside).map(|line| String::from_utf8_lossy(line).into_owned()).collect())
    }

    /// Returns the tree of what lies in this worktree, committed or not: tracked and untracked files,
    /// but none that are ignored, and nothing below `without`.
    ///
    /// Neither the index nor the objects of the repository change: what is not in them goes to a
    /// private folder, which is removed.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no worktree, a file cannot be read, or the disk is full.
    pub fn work_tree(&self, without: &str) -> Result<Oid, Error> {
        let drafted = || Error::io("make a private index");
        fs::create_dir_all(self.state_dir()).map_err(drafted())?;
        let draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempdir_in(self.state_dir());
        let draft = draft.map_err(drafted())?;
        let (index, objects) = (draft.path().join("index"), draft.path().join("objects"));
        fs::create_dir(&objects).map_err(drafted())?;
        match fs::copy(self.git_dir().join("index"), &index) {
            Ok(_) => (),
            // Nothing was ever added.
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => (),
            Err(err) => return Err(drafted()(err)),
        }
        let git = |args: &[&str]| {
            let mut git = self.hardened();
            git.args(args).env("GIT_INDEX_FILE", &index).env("GIT_OBJECT_DIRECTORY", &objects);
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.common_dir().join("objects")));
            output(&mut git, args)
        };
        git(&["add", "--all", "--sparse", "--", "."])?;
        git(&["rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--sparse", "--", without])?;
        let tree = git(&["write-tree"])?;
        let tree = String::from_utf8_lossy(&tree);
        tree.trim().parse().map_err(|_| Error::Damaged("git wrote no tree".to_owned()))
    }

    /// Returns what differs between two trees as a patch; without `old`, all that `new` holds. Programs
    /// that would show it in another way do not run.
    ///
    /// # Errors
    ///
    /// [`Error`] if a tree is not here.
    pub fn tree_diff(&self, old: Option<Oid>, new: Oid) -> Result<String, Error> {
        // Git knows the empty tree without having it.
        let empty = match new.as_bytes().len() {
            20 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            _ => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        };
        let old = old.map_or_else(|| empty.to_owned(), |old| old.to_string());
        let args = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", &old, &new.to_string()];
        let said = output(self.hardened().args(args), &args)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Returns a git that runs nothing for reading files that only the repository's own configuration
    /// names: no filters, no hooks, no file system monitor.
    fn hardened(&self) -> Command {
        let mut git = self.git();
        git.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
        for filter in self.local_filters() {
            git.args(["-c", &filter]);
        }
        git
    }

    /// Returns settings that switch off the filters of the repository's own configuration.
    fn local_filters(&self) -> Vec<String> {
        let mut off = Vec::new();
        for line in self.config_section("filter") {
            let is_own = matches!(line.scope, "local" | "worktree");
            let Some((name, key)) = line.key.rsplit_once('.').filter(|_| is_own) else { continue };
            match key.to_ascii_lowercase().as_str() {
                "clean" | "smudge" | "process" => off.push(format!("filter.{name}.{key}=")),
                "required" => off.push(format!("filter.{name}.{key}=false")),
                _ => (),
            }
        }
        off
    }
}

fn output(git: &mut Command, args: &[&str]) -> Result<Vec<u8>, Error> {
    let output = process::run(git, None, Limits::default(), |_| ())?;
    if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
}

/// Returns a path as git reads one in a list of paths.
fn quoted(path: &Path) -> OsString {
    let text = path.as_os_str();
    let Some(plain) = text.to_str().filter(|text| text.contains([':', '"'])) else { return text.to_owned() };
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")).into()
}
