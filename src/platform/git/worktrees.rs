//! The worktrees of a repository, as git's own files list them: no program is run, and a path may hold
//! any bytes.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;

use super::{Error, Repo};
use crate::domain::id::Oid;

/// One worktree, whether its folder is there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Its folder.
    pub dir: PathBuf,
    /// Where git keeps its `HEAD` and its index.
    pub admin: PathBuf,
    pub is_main: bool,
    /// What is checked out, or is being rebased; `None` if `HEAD` is detached.
    pub branch: Option<String>,
    /// The commit that is checked out; `None` if there is none yet.
    pub head: Option<Oid>,
    /// Why it is locked, if it is; the reason may be empty.
    pub locked: Option<String>,
    /// What git is in the middle of, as `git` calls it.
    pub amid: Option<&'static str>,
}

/// What git leaves in the folder of a worktree while it is in the middle of something.
const AMID: &[(&str, &str)] = &[
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick"),
    ("BISECT_LOG", "bisect"),
];

impl Worktree {
    /// Whether its folder is there.
    pub fn is_there(&self) -> bool {
        self.dir.join(".git").symlink_metadata().is_ok()
    }

    /// Whether submodules have their repositories among the files that git keeps of it: these would go
    /// with it.
    pub fn has_submodules(&self) -> bool {
        fs::read_dir(self.admin.join("modules")).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Returns when git last wrote its index, in milliseconds since 1970; `None` if it has none.
    pub fn used_at_ms(&self) -> Option<u64> {
        let written = fs::metadata(self.admin.join("index")).and_then(|meta| meta.modified()).ok()?;
        let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }

    /// Returns the repository as it is seen from there.
    pub fn open(&self) -> Option<Repo> {
        let by_config = || Repo::open(&self.admin).ok().filter(|it| it.work_dir() == Some(&self.dir));
        let found = Repo::at(&self.dir).or_else(|| by_config().filter(|_| self.is_main));
        found.filter(|repo| is_same(repo.git_dir(), &self.admin))
    }
}

impl Repo {
    /// Returns the path of the worktrees that have a branch checked out, with the branch; the main one too.
    pub fn worktrees(&self) -> Vec<(PathBuf, String)> {
        let admins = self.worktree_admins();
        let mut found: Vec<(PathBuf, String)> =
            admins.into_iter().filter_map(|(dir, admin, _)| Some((dir, branch_of(&admin)?))).collect();
        found.sort();
        found
    }

    /// Returns all worktrees, the main one first, the others by path.
    pub fn all_worktrees(&self) -> Vec<Worktree> {
        let mut found: Vec<Worktree> = self
            .worktree_admins()
            .into_iter()
            .map(|(dir, admin, is_main)| self.worktree(dir, admin, is_main))
            .collect();
        found.sort_by(|one, other| (!one.is_main, &one.dir).cmp(&(!other.is_main, &other.dir)));
        found
    }

    /// Returns the folder of every worktree that is there, the main one first, whatever is checked out.
    pub fn worktree_folders(&self) -> Vec<PathBuf> {
        self.all_worktrees().into_iter().filter(Worktree::is_there).map(|worktree| worktree.dir).collect()
    }

    fn worktree_admins(&self) -> Vec<(PathBuf, PathBuf, bool)> {
        let main = self.main_work_dir().map(|main| (main, self.common_dir.clone(), true));
        let entries = fs::read_dir(self.common_dir.join("worktrees")).into_iter().flatten().flatten();
        let linked = entries.filter_map(|entry| {
            let admin = entry.path();
            let said = fs::read(admin.join("gitdir")).ok()?;
            let file = admin.join(gix::path::from_bstr(said.trim_end().as_bstr()).ok()?);
            Some((plain(file.parent()?), admin, false))
        });
        main.into_iter().chain(linked).collect()
    }

    fn worktree(&self, dir: PathBuf, admin: PathBuf, is_main: bool) -> Worktree {
        let head = fs::read(admin.join("HEAD")).unwrap_or_default();
        let head = head.trim_end().to_str_lossy().into_owned();
        let target = head.strip_prefix("ref: ");
        let rebased = || rebased_branch(&admin);
        Worktree {
            branch: branch_of(&admin).or_else(rebased),
            head: match target {
                Some(target) => self.find_ref(target.trim()).ok().flatten(),
                None => head.parse().ok(),
            },
            locked: fs::read(admin.join("locked")).ok().map(|why| why.trim().to_str_lossy().into_owned()),
            amid: AMID.iter().find(|(file, _)| admin.join(file).exists()).map(|(_, what)| *what),
            dir,
            admin,
            is_main,
        }
    }

    /// Returns what `git status` shows of this worktree, with folders that are not tracked as one: a quick
    /// look that believes the index.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot look.
    pub fn dirty_paths(&self) -> Result<Vec<String>, Error> {
        let mut git = self.git();
        for filter in self.local_filters() {
            git.args(["-c", &filter]);
        }
        // In a submodule git would ask the settings of that.
        git.args(["status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"]);
        let said = super::run::output(&mut git, &["--no-renames"])?;
        let entries = said.split(|byte| *byte == 0).filter(|entry| entry.len() > 3);
        Ok(entries.map(|entry| entry[3..].to_str_lossy().into_owned()).collect())
    }

    /// Makes git forget a worktree whose folder is gone.
    ///
    /// # Errors
    ///
    /// [`Error`] if git does not.
    pub fn forget_worktree(&self, worktree: &Worktree) -> Result<(), Error> {
        if !worktree.admin.join("gitdir").exists() {
            return Ok(());
        }
        let mut git = self.git();
        git.args(["worktree", "remove", "--force", "--"]).arg(&worktree.dir);
        super::run::output(&mut git, &[]).map(drop)
    }
}

/// Returns the branch that a `HEAD` points to.
fn branch_of(admin: &Path) -> Option<String> {
    let head = fs::read_to_string(admin.join("HEAD")).ok()?;
    Some(head.trim().strip_prefix("ref: refs/heads/")?.to_owned())
}

fn rebased_branch(admin: &Path) -> Option<String> {
    let names = ["rebase-merge", "rebase-apply"].map(|dir| admin.join(dir).join("head-name"));
    let said = names.iter().find_map(|path| fs::read_to_string(path).ok())?;
    Some(said.trim().strip_prefix("refs/heads/")?.to_owned())
}

/// Returns a path without `..`, where what it leads through is there.
fn plain(dir: &Path) -> PathBuf {
    if !dir.components().any(|part| part == std::path::Component::ParentDir) {
        return dir.to_owned();
    }
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
