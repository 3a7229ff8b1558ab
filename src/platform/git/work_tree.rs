//! What lies in a worktree, as a tree.
//!
//! Nothing of the repository is believed on the way: not the index with its marks and times, not the
//! settings that let git look less closely, and no filter that only its own configuration names.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use gix::bstr::ByteSlice as _;

use super::as_checked_out::Unlike;
use super::run::{failed, output};
use super::{Error, Repo};
use crate::domain::id::Oid;
use crate::platform::env;
use crate::platform::fs::DraftFolder;
use crate::platform::process::{self, Limits};

/// How deep submodules may nest.
const MAX_DEPTH: usize = 8;

/// What became of what was seen.
#[derive(Debug, Default)]
pub struct Since {
    /// Paths that are not as they were.
    pub changed: Vec<String>,
    /// Files that somebody wrote to or put in place, with what they held before.
    pub rewritten: Vec<String>,
}

/// What was seen in a worktree.
#[derive(Debug)]
pub struct Look {
    /// The tree of what lies there but for one folder; `None` if all is as the commit has it.
    pub tree: Option<Oid>,
    /// Submodules that hold what none of their commits does.
    pub submodules: Vec<String>,
    /// Files that have other bytes than a checkout gives; with them `tree` is the tree of no commit.
    pub unlike: Vec<String>,
    index: gix::index::File,
    unlike_bytes: Unlike,
    /// Holds the private index and the objects that the repository has not.
    draft: DraftFolder,
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
        self.refuse_pipes()?;
        let drafted = || Error::io("make a private index");
        let draft = DraftFolder::new(&self.state_dir()).map_err(drafted())?;
        fs::create_dir(draft.path().join("objects")).map_err(drafted())?;
        let git = |args: &[&str]| output(&mut self.private(draft.path()), args);
        let damaged =
            |err: &dyn std::fmt::Display| Error::Damaged(format!("tree {commit} cannot be read: {err}"));
        let mut index = self.gix.index_from_tree(&super::to_gix(commit)).map_err(|err| damaged(&err))?;
        index.set_path(draft.path().join("index"));
        index.write(gix::index::write::Options::default()).map_err(|err| damaged(&err))?;
        git(&["add", "--all", "--sparse", "--", "."])?;
        let index = self.private_index(draft.path())?;
        let mut unlike = self.unlike_checkout(draft.path(), &index)?;
        if let Some(without) = without {
            unlike.retain(|path, _| !is_below(path, without));
        }
        // The index that later looks are compared with stays as git made it.
        let name = if unlike.is_empty() { "index" } else { "raw" };
        let git = |args: &[&str], stdin: &[u8]| {
            let output = process::run(
                self.private(draft.path()).env("GIT_INDEX_FILE", draft.path().join(name)).args(args),
                Some(stdin).filter(|stdin| !stdin.is_empty()),
                Limits::default(),
                |_| (),
            )?;
            if output.status.success() { Ok(output.stdout) } else { Err(failed(args, &output.stderr)) }
        };
        if !unlike.is_empty() {
            fs::copy(draft.path().join("index"), draft.path().join(name)).map_err(drafted())?;
            let mut stdin = Vec::new();
            for (path, (mode, oid)) in &unlike {
                stdin.extend_from_slice(format!("{mode:o} {oid}\t").as_bytes());
                stdin.extend_from_slice(path);
                stdin.push(0);
            }
            git(&["update-index", "-z", "--index-info"], &stdin)?;
        }
        let write_tree = || -> Result<Oid, Error> {
            // There are no objects of raw bytes: only their ids count.
            let tree = git(&["write-tree", "--missing-ok"], b"")?;
            let tree = String::from_utf8_lossy(&tree);
            tree.trim().parse().map_err(|_| Error::Damaged("git wrote no tree".to_owned()))
        };
        let mut tree = Some(write_tree()?).filter(|tree| *tree != commit);
        if let Some(without) = without.filter(|_| tree.is_some()) {
            let remove = ["rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--sparse", "--"];
            git(&[&remove[..], &[without]].concat(), b"")?;
            tree = Some(write_tree()?);
        }
        let submodules = self.changed_submodules(&index, depth);
        let named = unlike.keys().map(|path| path.to_str_lossy().into_owned()).collect();
        Ok(Look { tree, submodules, unlike: named, index, unlike_bytes: unlike, draft })
    }

    /// Returns what happened since `look` to what it saw, but for what lies below `without`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the worktree cannot be read.
    pub fn since(&self, look: &Look, without: &str) -> Result<Since, Error> {
        self.refuse_pipes()?;
        let args = ["ls-files", "-z", "--modified", "--others", "--exclude-standard", "--deduplicate"];
        let said = output(&mut self.private(look.draft.path()), &args)?;
        let paths = said.split(|byte| *byte == 0);
        let outside = paths.filter(|path| !path.is_empty() && !is_below(path, without));
        let name = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let mut changed: Vec<String> = outside.map(name).collect();
        let mut touched = self.touched(&look.index);
        touched.retain(|path| !is_below(path, without));
        if !touched.is_empty() {
            let mut now = self.unlike_checkout(look.draft.path(), &look.index)?;
            now.retain(|path, _| !is_below(path, without));
            let both = now.keys().chain(look.unlike_bytes.keys());
            let is_other = |path: &&gix::bstr::BString| now.get(*path) != look.unlike_bytes.get(*path);
            changed.extend(both.filter(is_other).map(|path| name(path)));
        }
        changed.extend(self.changed_submodules(&look.index, 0));
        changed.sort();
        changed.dedup();
        let mut rewritten: Vec<String> = touched.iter().map(|path| name(path)).collect();
        rewritten.retain(|path| changed.binary_search(path).is_err());
        Ok(Since { changed, rewritten })
    }

    /// Returns the files that are no longer the ones that were read for an index, or that were written
    /// to or renamed since: no program of a user can set back the time at which that happened.
    fn touched(&self, index: &gix::index::File) -> Vec<gix::bstr::BString> {
        use gix::index::entry::{Mode, Stat};

        let Some(root) = self.work_dir() else { return Vec::new() };
        let is_same = |entry: &gix::index::Entry| {
            let meta =
                gix::index::fs::Metadata::from_path_no_follow(&root.join(entry.path(index).to_path_lossy()));
            // What is gone has changed, which is told elsewhere.
            let Some(stat) = meta.ok().and_then(|meta| Stat::from_fs(&meta).ok()) else { return true };
            let nsecs_are_kept = entry.stat.ctime.nsecs != 0;
            stat.ino == entry.stat.ino
                && stat.ctime.secs == entry.stat.ctime.secs
                && (!nsecs_are_kept || stat.ctime.nsecs == entry.stat.ctime.nsecs)
        };
        let files = index.entries().iter().filter(|entry| entry.mode != Mode::COMMIT);
        files.filter(|entry| !is_same(entry)).map(|entry| entry.path(index).to_owned()).collect()
    }

    pub(super) fn private_index(&self, draft: &Path) -> Result<gix::index::File, Error> {
        let path = draft.join("index");
        let options = gix::index::decode::Options::default();
        gix::index::File::at(path, self.gix.object_hash(), true, options)
            .map_err(|err| Error::Damaged(format!("the index cannot be read: {err}")))
    }

    /// Returns the submodules below which something lies that none of their commits holds.
    fn changed_submodules(&self, index: &gix::index::File, depth: usize) -> Vec<String> {
        use gix::index::entry::Mode;

        let mut changed = Vec::new();
        for entry in index.entries().iter().filter(|entry| entry.mode == Mode::COMMIT) {
            let path = entry.path(index).to_str_lossy().into_owned();
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
        changed
    }

    /// Returns the tree of what lies in this worktree, tracked or not, but none that is ignored. Its
    /// objects are in the repository when this returns; its index is as it was.
    ///
    /// # Errors
    ///
    /// [`Error`] if a file cannot be read or the disk is full.
    pub fn work_as_tree(&self, commit_tree: Oid) -> Result<Oid, Error> {
        self.refuse_pipes()?;
        let draft = DraftFolder::new(&self.state_dir()).map_err(Error::io("make a private index"))?;
        let damaged =
            |err: &dyn std::fmt::Display| Error::Damaged(format!("tree {commit_tree} cannot be read: {err}"));
        let mut index = self.gix.index_from_tree(&super::to_gix(commit_tree)).map_err(|err| damaged(&err))?;
        let path = draft.path().join("index");
        index.set_path(path.clone());
        index.write(gix::index::write::Options::default()).map_err(|err| damaged(&err))?;
        // What a sparse checkout leaves out is not gone: only the index knows which files these are.
        let is_sparse = self.config_bool("core.sparseCheckout").unwrap_or(false);
        if is_sparse {
            fs::copy(self.git_dir().join("index"), &path).map_err(Error::io("copy the index"))?;
        }
        let git = |args: &[&str]| {
            let mut git = if is_sparse { self.git() } else { self.closely() };
            output(git.env("GIT_INDEX_FILE", &path), args)
        };
        // Also what somebody made outside of a sparse checkout.
        git(&["add", "--all", "--sparse", "--", "."])?;
        let tree = git(&["write-tree"])?;
        let tree = String::from_utf8_lossy(&tree);
        tree.trim().parse().map_err(|_| Error::Damaged("git wrote no tree".to_owned()))
    }

    /// Makes the index what `tree` has, without a look at any file's content.
    ///
    /// # Errors
    ///
    /// [`Error`] if somebody holds the index.
    pub fn index_as(&self, tree: Oid) -> Result<(), Error> {
        // With what is there the files need not be read again, and a sparse checkout stays one.
        let tree = tree.to_string();
        let merged = output(&mut self.git(), &["read-tree", "-m", &tree]);
        merged.or_else(|_| output(&mut self.git(), &["read-tree", &tree])).map(drop)
    }

    /// Lets git know the files again that the index has, so that its next look is a short one.
    pub fn refresh_index(&self) {
        if let Err(err) = output(&mut self.closely(), &["update-index", "-q", "--refresh"]) {
            tracing::debug!(%err, "the index is not refreshed");
        }
    }

    /// Returns mode, object and path of each file below `folder` in the index that git is about to commit,
    /// which within a hook may be another one than the repository's.
    ///
    /// # Errors
    ///
    /// [`Error`] if the index cannot be read.
    pub fn staged_below(&self, folder: &str) -> Result<Vec<(u32, Oid, String)>, Error> {
        let mut git = self.git();
        if let Some(index) = env::var_os("GIT_INDEX_FILE") {
            git.env("GIT_INDEX_FILE", index);
        }
        let said =
            output(&mut git, &["ls-files", "--stage", "-z", "--", &format!(":(top,literal){folder}")])?;
        let read = |line: &str| {
            let (facts, path) = line.split_once('\t')?;
            let mut facts = facts.split(' ');
            let mode = u32::from_str_radix(facts.next()?, 8).ok()?;
            Some((mode, facts.next()?.parse().ok()?, path.to_owned()))
        };
        Ok(String::from_utf8_lossy(&said).split('\0').filter_map(read).collect())
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
        self.refuse_pipes()?;
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
    pub(super) fn private(&self, draft: &Path) -> Command {
        let mut git = self.closely();
        git.env("GIT_INDEX_FILE", draft.join("index")).env("GIT_OBJECT_DIRECTORY", draft.join("objects"));
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.common_dir().join("objects")));
        git.env("GIT_OPTIONAL_LOCKS", "0");
        git
    }

    /// Returns a git that reads files without the filters that only the repository's own configuration
    /// names, and does not let it look less closely.
    pub(super) fn closely(&self) -> Command {
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
        // Attributes that only this machine has say nothing about a checkout elsewhere.
        git.env("GIT_ATTR_NOSYSTEM", "1");
        for setting in CLOSELY {
            git.args(["-c", setting]);
        }
        for filter in self.local_filters() {
            git.args(["-c", &filter]);
        }
        git
    }

    /// Whether the filter of this name is one that the user configured, and not the repository.
    pub(super) fn is_filter_of_user(&self, name: &str) -> bool {
        let lines = self.config_section("filter");
        let mut named =
            lines.iter().filter(|line| line.key.rsplit_once('.').is_some_and(|(of, _)| of == name));
        let mut others = named.clone();
        others.next().is_some() && named.all(|line| !matches!(line.scope, "local" | "worktree"))
    }

    /// Returns settings that switch off the filters of the repository's own configuration.
    pub(super) fn local_filters(&self) -> Vec<String> {
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

fn is_below(path: &[u8], folder: &str) -> bool {
    path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// Returns a path as git reads one in a list of paths.
fn quoted(path: &Path) -> OsString {
    let text = path.as_os_str();
    let Some(plain) = text.to_str().filter(|text| text.contains([':', '"'])) else { return text.to_owned() };
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")).into()
}
