//! Worktrees that are not where git or their protocol has them, and what is kept for too long.

use super::{Checkup, Severity};
use crate::platform::git::Worktree;
use crate::service::list::Listing;
use crate::service::settings::WorktreeMode;
use crate::service::{kept, worktrees};
use crate::store::cache::Row;

impl Checkup<'_> {
    pub(super) fn worktrees(&mut self, listing: &Listing) {
        let ctx = self.ctx;
        for name in worktrees::interrupted(ctx) {
            let message = format!("removing the worktree of {name} was interrupted");
            self.mend("worktree.interrupted", message, || worktrees::recover(ctx).map(drop));
        }
        let all = ctx.repo.all_worktrees();
        for worktree in all.iter().filter(|it| !it.is_there() && it.locked.is_none()) {
            self.missing(worktree, listing);
        }
        if ctx.settings.worktree_mode == WorktreeMode::Protocol && !ctx.repo.is_bare() {
            for row in listing.rows.iter().filter(|row| is_worked_on(row)) {
                self.nowhere(row, &all);
            }
        }
        let n_expired = kept::expired(ctx).map_or(0, |expired| expired.len());
        if n_expired > 0 {
            let message = format!("{n_expired} kept worktrees are older than 30 days");
            self.mend("kept.expired", message, || kept::upkeep(ctx).map(drop));
        }
    }

    fn missing(&mut self, worktree: &Worktree, listing: &Listing) {
        let dir = worktree.dir.display();
        let message = format!("git knows a worktree at {dir}, and the folder is gone");
        let branch = worktree.branch.as_deref().unwrap_or_default();
        let is_of_protocol = listing.rows.iter().any(|row| row.branch_here == branch);
        let fix = if is_of_protocol {
            format!(
                "git worktree repair, if it was moved; else: git godzilla worktrees remove {branch} --keep-branch"
            )
        } else {
            "git worktree repair, if it was moved; else: git worktree prune".to_owned()
        };
        self.say("worktree.stale", Severity::Warning, message, Some(fix));
    }

    /// The branch of a protocol that somebody works on, and nobody can here.
    fn nowhere(&mut self, row: &Row, all: &[Worktree]) {
        let (name, branch) = (&row.name, &row.branch_here);
        let is_here = matches!(self.ctx.repo.find_ref(&format!("refs/heads/{branch}")), Ok(Some(_)));
        let is_checked_out = all.iter().any(|it| it.branch.as_deref() == Some(branch));
        if is_here && !is_checked_out {
            let message = format!("{name} is {}, and no worktree here has its branch", row.status);
            let root = &self.ctx.settings.worktree_root;
            let fix = Some(format!("git worktree add {root}/{name} {branch}"));
            self.say("worktree.missing", Severity::Info, message, fix);
        }
    }
}

fn is_worked_on(row: &Row) -> bool {
    !row.name.contains('~') && matches!(row.status.as_str(), "running" | "blocked" | "failed")
}
