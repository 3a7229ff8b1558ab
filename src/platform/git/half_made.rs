//! A worktree that `git worktree add` began for us and did not live to finish.
//!
//! Git locks what it adds until all files are there, and writes the index after them. So without an index nobody
//! has worked there with git; what lies there was checked out, cut off by the end of the process, or written by a
//! person since. It is finished without writing over anything.

use std::fs;
use std::path::Path;

use super::{Error, Repo, Worktree, run};
use crate::platform::fs as files;

/// Why git locks what it adds. Ours does not speak other languages.
const ADDING: &str = "initializing";

impl Worktree {
    /// Whether git has not finished adding it; it may still be at work.
    pub fn is_half_made(&self) -> bool {
        !self.is_main && self.locked.as_deref() == Some(ADDING)
    }
}

impl Repo {
    /// Finishes a worktree that is half made, for a branch. If there was nothing in it yet, nothing of it is left,
    /// so that it can be added again.
    ///
    /// # Errors
    ///
    /// [`Error`] if git cannot, or something lies there that is not its own; then all stays as it is.
    pub fn finish_worktree(&self, half: &Worktree, branch: &str) -> Result<(), Error> {
        let there = half.open().filter(|_| half.is_there() && half.branch.as_deref() == Some(branch));
        let Some(repo) = there else { return remove(half) };
        let index = half.admin.join("index");
        if !index.exists() {
            repo.remove_cut_off(&half.dir)?;
            // With this name it counts, and all that it names is there.
            let draft = half.admin.join("index.godzilla");
            let failed = || Error::io("finish the index of a worktree");
            files::remove_if_there(&draft).map_err(failed())?;
            for args in [&["read-tree", "HEAD"][..], &["checkout-index", "--all", "--quiet", "--index"]] {
                let mut git = repo.git();
                for filter in repo.local_filters() {
                    git.args(["-c", &filter]);
                }
                // What is there already is no error.
                let done = run::output(git.env("GIT_INDEX_FILE", &draft), args);
                done.map(drop).or_else(|err| if args[0] == "checkout-index" { Ok(()) } else { Err(err) })?;
            }
            fs::rename(&draft, &index).map_err(failed())?;
            files::remove_if_there(&half.admin.join("index.lock")).map_err(failed())?;
        }
        files::remove_if_there(&half.admin.join("locked")).map_err(Error::io("unlock a worktree"))
    }

    /// Removes the files that are no more than the beginning of what is committed.
    fn remove_cut_off(&self, dir: &Path) -> Result<(), Error> {
        let listed = self.git_output(&["ls-tree", "-r", "-z", "--long", "--full-tree", "HEAD"])?;
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let Some(at) = entry.iter().position(|byte| *byte == b'\t') else { continue };
            let facts = String::from_utf8_lossy(&entry[..at]);
            let mut facts = facts.split_whitespace().skip(2);
            let (Some(oid), Some(size)) = (facts.next(), facts.next()) else { continue };
            let (Ok(oid), Ok(size)) = (oid.parse(), size.parse::<u64>()) else { continue };
            let Some(path) = files::path_of_bytes(&entry[at + 1..]).map(|path| dir.join(path)) else {
                continue;
            };
            let is_short = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() < size);
            if is_short
                && fs::read(&path)
                    .is_ok_and(|bytes| self.blob(oid).is_ok_and(|blob| blob.starts_with(&bytes)))
            {
                fs::remove_file(&path).map_err(Error::io("remove a file that was cut off"))?;
            }
        }
        Ok(())
    }
}

/// Removes what git has made of a worktree before it checked anything out.
fn remove(half: &Worktree) -> Result<(), Error> {
    let failed = || Error::io(format!("remove `{}`, which is half made", half.dir.display()));
    if !half.admin.join("index").exists() {
        files::remove_if_there(&half.dir.join(".git")).map_err(failed())?;
        match fs::remove_dir(&half.dir) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(failed()(err)),
            _ => fs::remove_dir_all(&half.admin).map_err(failed())?,
        }
    }
    Ok(())
}
