//! What lies in a worktree, as a tree.
//!
//! Nothing of the repository is believed on the way: not the index with its marks and times, not the
//! settings that let git look less closely, and no filter that only its own configuration names.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use gix::bstr::ByteSlice as _;

use super::run::output;
use super::{Error, Repo};
use crate::domain::id::Oid;

/// How the folder for the private index begins; one that a dead process left is no longer of use.
const DRAFT_PREFIX: &str = ".godzilla-draft-tree-";

/// How deep submodules may nest.
const MAX_DEPTH: usize = 8;

/// What was seen in a worktree.
#[derive(Debug)]
pub struct Look {
    /// The tree of what lies there but for one folder; `None` if all is as the commit has it.
    pub tree: Option<Oid>,
    /// Submodules that hold what none of their commits does.
    pub submodules: Vec<String>,
    /// Holds the private index and the objects that the repository has not.
    draft: tempfile::TempDir,
}

impl Repo {
    /// Looks at what lies in this worktree, committed or not: tracked and untracked files, but none that
    /// are ignored, and nothing below `without`. Every file is read; `commit` is the tree to compare with.
    ///
    /// Neither the index nor the objects of the repository change: what is not in them goes to a
    /// private folder, which goes with the look.
    ///
    /// # Errors
    ///
    /// [`Error`] if there is no worktree, a file cannot be read, or the disk is full.
    pub fn look(&self, commit: Oid, without: &str) -> Result<Look, Error> {
        self.look_below(commit, Some(without), 0)
    }

    fn look_below(&self, commit: Oid, without: Option<&str>, depth: usize) -> Result<Look, Error> {
        let drafted = || Error::io("make a private index");
        fs::create_dir_all(self.state_dir()).map_err(drafted())?;
        let draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempdir_in(self.state_dir());
        let draft = draft.map_err(drafted())?;
        fs::create_dir(draft.path().join("objects")).map_err(drafted())?;
        let git = |args: &[&str]| output(&mut self.private(draft.path()), args);
        let damaged =
            |err: &dyn std::fmt::Display| Error::Damaged(format!("tree {commit} cannot be read: {err}"));
        let mut index = self.gix.index_from_tree(&super::to_gix(commit)).map_err(|err| damaged(&err))?;
        index.set_path(draft.path().join("index"));
        index.write(gix::index::write::Options::default()).map_err(|err| damaged(&err))?;
        git(&["add", "--all", "--sparse", "--", "."])?;
        let write_tree = || -> Result<Oid, Error> {
            let tree = git(&["write-tree"])?;
            let tree = String::from_utf8_lossy(&tree);
            tree.trim().parse().map_err(|_| Error::Damaged("git wrote no tree".to_owned()))
        };
        let mut tree = Some(write_tree()?).filter(|tree| *tree != commit);
        if let Some(without) = without.filter(|_| tree.is_some()) {
            git(&[
                "rm",
                "-r",
                "--cached",
                "--quiet",
                "--force",
                "--ignore-unmatch",
                "--sparse",
                "--",
                without,
            ])?;
            tree = Some(write_tree()?);
        }
        let submodules = self.changed_submodules(draft.path(), depth)?;
        Ok(Look { tree, submodules, draft })
    }

    /// Returns the paths that are not as they were at `look`, but for those below `without`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the worktree cannot be read.
    pub fn changed_since(&self, look: &Look, without: &str) -> Result<Vec<String>, Error> {
        let args = ["ls-files", "-z", "--modified", "--others", "--exclude-standard", "--deduplicate"];
        let said = output(&mut self.private(look.draft.path()), &args)?;
        let below = format!("{without}/");
        let paths = said.split(|byte| *byte == 0);
        let outside = paths.filter(|path| !path.is_empty() && !path.starts_with(below.as_bytes()));
        let mut changed: Vec<String> =
            outside.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        changed.extend(self.changed_submodules(look.draft.path(), 0)?);
        Ok(changed)
    }

    /// Returns the submodules below which something lies that none of their commits holds.
    fn changed_submodules(&self, draft: &Path, depth: usize) -> Result<Vec<String>, Error> {
        use gix::index::entry::Mode;

        let unreadable =
            |err: &dyn std::fmt::Display| Error::Damaged(format!("the index cannot be read: {err}"));
        let index = gix::index::File::at(
            draft.join("index"),
            self.gix.object_hash(),
            true,
            gix::index::decode::Options::default(),
        )
        .map_err(|err| unreadable(&err))?;
        let mut changed = Vec::new();
        for entry in index.entries().iter().filter(|entry| entry.mode == Mode::COMMIT) {
            let path = entry.path(&index).to_str_lossy().into_owned();
            let Some(dir) =
                self.work_dir().map(|dir| dir.join(&path)).filter(|dir| dir.join(".git").exists())
            else {
                continue;
            };
            // One that cannot be looked at could hold anything.
            let is_clean = depth < MAX_DEPTH
                && Self::at(&dir).is_some_and(|module| {
                    let head = module.head().ok().and_then(|head| head.commit());
                    let tree = head.and_then(|head| module.tree_of(head).ok());
                    let look = tree.and_then(|tree| module.look_below(tree, None, depth + 1).ok());
                    look.is_some_and(|look| look.tree.is_none() && look.submodules.is_empty())
                });
            if !is_clean {
                changed.push(path);
            }
        }
        Ok(changed)
    }

    /// Opens the repository whose worktree begins at exactly `dir`.
    pub fn at(dir: &Path) -> Option<Self> {
        let repo = Self::discover(dir).ok()?;
        let same = fs::canonicalize(repo.work_dir()?).ok()? == fs::canonicalize(dir).ok()?;
        same.then_some(repo)
    }

    /// Returns what differs between two trees as a patch; without `old`, all that `new` holds. Nothing
    /// that the repository says lets it show less.
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
        let new = new.to_string();
        let plain = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--text", "--no-renames"];
        let args =
            [&plain[..], &["--unified=3", "--src-prefix=a/", "--dst-prefix=b/", "-O/dev/null", &old, &new]];
        let said = output(&mut self.closely(), &args.concat())?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Returns a git with the private index of a look.
    fn private(&self, draft: &Path) -> Command {
        let mut git = self.closely();
        git.env("GIT_INDEX_FILE", draft.join("index")).env("GIT_OBJECT_DIRECTORY", draft.join("objects"));
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.common_dir().join("objects")));
        git.env("GIT_OPTIONAL_LOCKS", "0");
        git
    }

    /// Returns a git that reads files without the filters that only the repository's own configuration
    /// names, and does not let it look less closely.
    fn closely(&self) -> Command {
        const CLOSELY: &[&str] = &[
            "core.trustctime=true",
            "core.checkStat=default",
            "core.ignoreStat=false",
            "core.fileMode=true",
            "core.symlinks=true",
            "core.sparseCheckout=false",
            "core.untrackedCache=false",
        ];
        let mut git = self.git();
        for setting in CLOSELY {
            git.args(["-c", setting]);
        }
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

/// Returns a path as git reads one in a list of paths.
fn quoted(path: &Path) -> OsString {
    let text = path.as_os_str();
    let Some(plain) = text.to_str().filter(|text| text.contains([':', '"'])) else { return text.to_owned() };
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")).into()
}
