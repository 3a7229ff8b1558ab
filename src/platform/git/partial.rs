//! What a partial clone left out of the state.
//!
//! A fetch of such a clone leaves files out, also those of our streams, and git fetches each when it is
//! first asked for. We read objects without asking anybody, so that what was left out of the tips is
//! fetched along with them, in one go; what older commits held is never read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::transport::{Transport, TransportError, classify, silent};
use super::{Error, Repo};
use crate::platform::process::{self, Limits};

/// A commit leads to its tree, that to its folders, those to their files; each may be left out.
const MAX_ROUNDS: usize = 6;

impl Repo {
    /// Whether fetches from `remote` leave objects out.
    pub fn is_partial(&self, remote: &str) -> bool {
        ["promisor", "partialCloneFilter"]
            .iter()
            .any(|key| !self.config_all("remote", remote, key).is_empty())
    }

    /// Fetches what is missing of the trees and files of the commits that `refspecs` brought here.
    pub(super) fn fetch_left_out(
        &self,
        remote: &str,
        refspecs: &[String],
        how: Transport,
        mut on_progress: impl FnMut(&str),
    ) -> Result<(), TransportError> {
        if !self.is_partial(remote) {
            return Ok(());
        }
        let mut tips = String::new();
        for folder in refspecs.iter().filter_map(|spec| spec.rsplit_once(':')?.1.strip_suffix('*')) {
            for (_, oid) in self.refs(folder)? {
                writeln!(tips, "{oid}").ok();
            }
        }
        let mut before = BTreeSet::new();
        for _ in 0..MAX_ROUNDS {
            let missing = self.left_out(&tips)?;
            if missing.is_empty() || missing == before {
                break;
            }
            let mut git = self.transport_git(how);
            // As git itself fetches what is missing.
            git.args([
                "-c",
                "fetch.negotiationAlgorithm=noop",
                "fetch",
                "--no-tags",
                "--no-write-fetch-head",
            ]);
            git.args([
                "--no-auto-maintenance",
                "--recurse-submodules=no",
                "--filter=blob:none",
                "--progress",
            ]);
            git.args(self.upload_option(remote)).args(["--stdin", "--", remote]);
            let wanted: Vec<&str> = missing.iter().map(String::as_str).collect();
            let output =
                process::run(&mut git, Some(wanted.join("\n").as_bytes()), how.limits(), &mut on_progress);
            let output = output.map_err(|err| silent(remote, err))?;
            if !output.status.success() {
                return Err(classify(remote, &output.stderr));
            }
            before = missing;
        }
        Ok(())
    }

    /// Returns the ids of the objects of these commits, one a line, that are not here.
    fn left_out(&self, tips: &str) -> Result<BTreeSet<String>, Error> {
        let args = ["rev-list", "--objects", "--missing=print", "--no-walk", "--stdin"];
        let mut git = self.git();
        git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
        let output = process::run(git.args(args), Some(tips.as_bytes()), Limits::default(), |_| ())?;
        if !output.status.success() {
            return Err(super::run::failed(&args, &output.stderr));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(said.lines().filter_map(|line| line.strip_prefix('?').map(str::to_owned)).collect())
    }
}
