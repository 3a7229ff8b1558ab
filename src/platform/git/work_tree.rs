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
        let said = output(&mut git, &args, None)?;
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
        let hidden = self.hidden()?;
        let git_with = |args: &[&str], stdin: Option<&[u8]>| {
            let mut git = self.hardened();
            git.args(args).env("GIT_INDEX_FILE", &index).env("GIT_OBJECT_DIRECTORY", &objects);
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.common_dir().join("objects")));
            output(&mut git, args, stdin)
        };
        let git = |args: &[&str]| git_with(args, None);
        for (clear, paths) in
            [("--no-assume-unchanged", hidden.assumed), ("--no-skip-worktree", hidden.skipped)]
        {
            if !paths.is_empty() {
                git_with(&["update-index", clear, "-z", "--stdin"], Some(&paths))?;
            }
        }
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
        let said = output(self.hardened().args(args), &args, None)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Whether the index has paths at which git does not look, though they may have changed.
    ///
    /// # Errors
    ///
    /// [`Error`] if the index is damaged.
    pub fn hides_changes(&self) -> Result<bool, Error> {
        self.hidden().map(|hidden| !hidden.assumed.is_empty() || !hidden.skipped.is_empty())
    }

    fn hidden(&self) -> Result<Hidden, Error> {
        use gix::index::entry::Flags;

        let index = match self.gix.open_index() {
            Ok(index) => index,
            Err(_) if !self.git_dir().join("index").exists() => return Ok(Hidden::default()),
            Err(err) => return Err(Error::Damaged(format!("the index cannot be read: {err}"))),
        };
        let mut hidden = Hidden::default();
        for entry in index.entries() {
            let is_skipped = entry.flags.contains(Flags::SKIP_WORKTREE);
            if !is_skipped && !entry.flags.contains(Flags::ASSUME_VALID) {
                continue;
            }
            let path = entry.path(&index);
            if !is_skipped {
                hidden.assumed.extend_from_slice(path);
                hidden.assumed.push(0);
            } else if self.work_dir.as_ref().is_some_and(|dir| is_there(dir, path)) {
                hidden.skipped.extend_from_slice(path);
                hidden.skipped.push(0);
            }
        }
        Ok(hidden)
    }

    /// Returns a git that reads files without the filters that only the repository's own configuration
    /// names.
    fn hardened(&self) -> Command {
        let mut git = self.git();
        // What the repository says may not make git look less closely either.
        git.args([
            "-c",
            "core.trustctime=true",
            "-c",
            "core.checkStat=default",
            "-c",
            "core.ignoreStat=false",
        ]);
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

/// Paths of the index that git does not look at in the worktree, each ended by a zero byte.
#[derive(Default)]
struct Hidden {
    assumed: Vec<u8>,
    /// Only those that are there all the same.
    skipped: Vec<u8>,
}

fn output(git: &mut Command, args: &[&str], stdin: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let output = process::run(git, stdin, Limits::default(), |_| ())?;
    if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
}

#[cfg(unix)]
fn is_there(dir: &Path, path: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt as _;

    dir.join(std::ffi::OsStr::from_bytes(path)).symlink_metadata().is_ok()
}

#[cfg(not(unix))]
fn is_there(dir: &Path, path: &[u8]) -> bool {
    dir.join(String::from_utf8_lossy(path).as_ref()).symlink_metadata().is_ok()
}

/// Returns a path as git reads one in a list of paths.
fn quoted(path: &Path) -> OsString {
    let text = path.as_os_str();
    let Some(plain) = text.to_str().filter(|text| text.contains([':', '"'])) else { return text.to_owned() };
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")).into()
}
