//! Clones: folders that git would take for repositories, and the processes that work in them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git_godzilla::domain::event::ActorKind;
use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::Repo;
use git_godzilla::service::context::Context;
use git_godzilla::service::settings::{Settings, WorktreeMode};
use git_godzilla::store::refs;

/// Not more than this many processes work in one clone at once.
const MAX_PROCESSES: usize = 2;

/// One clone.
pub(crate) struct Clone {
    pub(super) git_dir: PathBuf,
    /// What a server is called here, the home remote first.
    pub(super) remotes: Vec<(String, usize)>,
    /// How far its clock is wrong.
    pub(super) skew_ms: i64,
    /// The step from which on it is online again.
    pub(super) offline_until: u64,
    /// Whether it has the release before: another fold, and types of events that it does not know.
    pub(super) is_older: bool,
    /// Whether something was fetched that no command has taken over yet.
    pub(super) has_unadopted: bool,
    idle: Vec<Context>,
    n_running: usize,
}

impl Clone {
    /// Makes a clone in `dir` that shares `objects`.
    pub(super) fn make(
        dir: &Path,
        objects: &Path,
        label: &str,
        remotes: Vec<(String, usize)>,
        main: Oid,
    ) -> Self {
        let git_dir = dir.join(".git");
        fs::create_dir_all(git_dir.join("refs/heads")).unwrap();
        fs::create_dir_all(git_dir.join("godzilla")).unwrap();
        std::os::unix::fs::symlink(objects, git_dir.join("objects")).unwrap();
        fs::write(git_dir.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(git_dir.join("godzilla/clone"), format!("{label}\n")).unwrap();
        let mut config = format!(
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = true\n[user]\n\tname = {label}\n\temail = {label}@example.org\n"
        );
        for (name, server) in &remotes {
            write!(config, "[remote \"{name}\"]\n\turl = server-{server}\n").unwrap();
            for refspec in refs::fetch_refspecs(name) {
                writeln!(config, "\tfetch = {refspec}").unwrap();
            }
        }
        fs::write(git_dir.join("config"), config).unwrap();
        let clone = Self {
            git_dir,
            remotes,
            skew_ms: 0,
            offline_until: 0,
            is_older: false,
            has_unadopted: false,
            idle: Vec::new(),
            n_running: 0,
        };
        clone.write_ref("refs/heads/main", Some(main));
        for (name, _) in &clone.remotes {
            clone.write_ref(&format!("refs/remotes/{name}/main"), Some(main));
        }
        clone
    }

    pub(super) fn write_ref(&self, name: &str, value: Option<Oid>) {
        write_ref(&self.git_dir, name, value);
    }

    /// Whether one more process may be started.
    pub(super) fn has_room(&self) -> bool {
        self.n_running < MAX_PROCESSES
    }

    /// Returns a process that waits to be used again.
    pub(super) fn take_idle(&mut self) -> Option<Context> {
        self.idle.pop()
    }

    /// Makes a process.
    pub(super) fn open(git_dir: &Path) -> Context {
        let mut settings = Settings::defaults();
        settings.worktree_mode = WorktreeMode::InPlace;
        // For some clocks everything has been over for a day.
        settings.archive_after_days = 1;
        Context::of_command(Repo::open(git_dir).unwrap(), settings)
    }

    /// Starts a process. One that is not alone waits for nobody, since whoever it would wait for goes on
    /// only after it.
    pub(super) fn start(&mut self, ctx: &mut Context) {
        ctx.actor = ActorKind::Human;
        ctx.limit = if self.n_running == 0 { Duration::from_secs(5) } else { Duration::ZERO };
        self.n_running += 1;
    }

    pub(super) fn is_running(&self) -> bool {
        self.n_running > 0
    }

    /// Ends a process; `None` for one that was killed.
    pub(super) fn end(&mut self, ctx: Option<Context>) {
        self.n_running -= 1;
        self.idle.extend(ctx);
    }
}

/// Moves a ref as git would, without asking anybody.
pub(super) fn write_ref(git_dir: &Path, name: &str, value: Option<Oid>) {
    let path = git_dir.join(name);
    match value {
        Some(oid) => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{oid}\n")).unwrap();
        }
        None => drop(fs::remove_file(path)),
    }
}
