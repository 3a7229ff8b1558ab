//! How the repository was while an engine works, on disk, so that an engine which kills us gains nothing by it.
//!
//! ```text
//! <git-common-dir>/godzilla/guards/<run>/
//!   lock       held by the process that looks after the run
//!   where      the git directory of the worktree, relative to the common one; then the branch that may move
//!   files      hooks, configuration, consent as they were
//!   refs       where refs stood
//!   looked-at  there once the process has looked at what the run did
//! ```
//!
//! The record is there before the beginning of a run is, and goes after its end is recorded. What is found
//! without a living process is settled by the next command, before it reads any configuration.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use crate::domain::id::{Oid, Ulid};
use crate::domain::text;
use crate::platform::fs::{self, Bounded};
use crate::platform::git::{Guarded, RefMoved, Repo, Tampered};
use crate::platform::lock::Lock;
use crate::platform::{clock, env};

/// How many names are told in one line.
const MAX_NAMED: usize = 10;

/// How long a command is waited for that looks whether we are alive.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The longest record that is read.
const MAX_RECORD: u64 = 1 << 30;

/// What is looked after while an engine works.
pub struct Watched<'a> {
    pub repo: &'a Repo,
    pub guarded: &'a RefCell<Guarded>,
    /// The branch that may move, or nothing.
    pub own: &'a str,
}

/// The record of one run.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    _lock: Lock,
}

impl Record {
    /// Writes down how the repository was before a run; durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be written: then nothing may be run.
    pub fn write(watched: &Watched<'_>, run: Ulid) -> Result<Self, Error> {
        let Watched { repo, guarded, own } = watched;
        let failed = || Error::io("write down how the repository is");
        let dir = guards(repo).join(run.to_string());
        fs::make_private_dir(&dir).map_err(failed())?;
        let record = Self { _lock: Lock::acquire(&dir.join("lock"), LOCK_WAIT)?, dir };
        let git_dir = repo.git_dir().strip_prefix(repo.common_dir()).unwrap_or(Path::new(""));
        let place = [git_dir.as_os_str().as_encoded_bytes(), own.as_bytes()].join(&0);
        let write = || {
            fs::write_new_file(&record.dir.join("where"), &place, false)?;
            let draft = record.dir.join("files.new");
            let mut file = fs::create_private(&draft)?;
            file.write_all(&guarded.borrow().files_as_bytes(repo))?;
            file.sync_all()?;
            // With this name the record counts.
            std::fs::rename(draft, record.dir.join("files"))
        };
        write().map_err(failed())?;
        Ok(record)
    }

    /// Writes down where refs stand, once the beginning of the run is recorded.
    ///
    /// # Errors
    ///
    /// [`Error`] if they cannot be read or written.
    pub fn note_refs(&self, watched: &Watched<'_>) -> Result<(), Error> {
        let mut guarded = watched.guarded.borrow_mut();
        watched.repo.note_refs(&mut guarded)?;
        // An engine can kill processes, and not the cache of the disk.
        fs::write_new_file(&self.dir.join("refs"), &guarded.refs_as_bytes(), false)
            .map_err(Error::io("write down where refs are"))
    }

    /// Says that somebody has looked at what the run did, and all is as it was.
    pub fn looked_at(&self) {
        if let Err(err) = fs::replace_file(&self.dir.join("looked-at"), b"", false) {
            tracing::warn!(%err, "the next command looks at what this run did once more");
        }
    }

    /// Removes the record: the end of the run is recorded, or the run did not begin.
    pub fn forget(self) {
        if let Err(err) = std::fs::remove_dir_all(&self.dir) {
            tracing::debug!(%err, "the record of a run stays");
        }
    }
}

/// What came of putting the repository back.
#[derive(Debug, Default)]
pub struct Restored {
    /// What somebody moved or wrote that nobody may who works in a worktree: files and refs.
    pub names: Vec<String>,
    /// The same as sentences, with what became of it.
    pub faults: Vec<String>,
    /// Branches and tags that moved; these stay.
    pub moved: Vec<RefMoved>,
    /// What else somebody should know, one sentence each.
    pub notices: Vec<String>,
    /// Whether all is as it was.
    pub is_complete: bool,
}

/// Puts the repository back as it was, and tells what `who`, as in `the run`, had changed. What lies there in
/// the place of it is kept, and it is told where.
pub fn restore(watched: &Watched<'_>, who: &str) -> Restored {
    let Watched { repo, guarded, own } = watched;
    match repo.tampered(&guarded.borrow(), own) {
        Ok(tampered) => put_back(repo, &guarded.borrow(), tampered, who),
        Err(err) => Restored {
            names: vec!["*".to_owned()],
            faults: vec![format!("nobody knows what {who} changed in the git directory: {err}")],
            ..Restored::default()
        },
    }
}

fn put_back(repo: &Repo, guarded: &Guarded, tampered: Tampered, who: &str) -> Restored {
    let mut restored = Restored { is_complete: true, ..Restored::default() };
    let id = clock::new_id();
    // Files first: with the configuration of an engine git may move nothing.
    let files: Vec<String> = tampered.files.iter().map(|path| shown(repo, path)).collect();
    if !files.is_empty() {
        let keep = repo.state_dir().join("tampered").join(id.to_string());
        let put = repo.put_back(guarded, &tampered, &keep);
        restored.is_complete = put.is_ok();
        let how = match put {
            Ok(()) if keep.exists() => format!("put back; what it wrote is kept in {}", keep.display()),
            Ok(()) => "put back".to_owned(),
            Err(err) => format!("and could not be put back: {}", text::one_line(&err.to_string())),
        };
        restored.faults.push(format!("{who} changed {} in the git directory: {how}", some(&files)));
    }
    let refs: Vec<String> = tampered.ours.iter().map(|(name, ..)| text::one_line(name)).collect();
    if !refs.is_empty() {
        let keep = format!("refs/godzilla-local/tampered/{id}");
        let put = repo.put_back_refs(&tampered, &keep);
        restored.is_complete &= put.is_ok();
        let how = match put {
            Ok(()) => format!("put back; where they were is kept below {keep}"),
            Err(err) => format!("and could not be put back: {}", text::one_line(&err.to_string())),
        };
        restored.faults.push(format!("{who} moved refs that are ours, {}: {how}", some(&refs)));
    }
    restored.names = files.into_iter().chain(refs).collect();
    if !tampered.remote.is_empty() {
        let names: Vec<String> = tampered.remote.iter().map(|name| text::one_line(name)).collect();
        let what = "branches of remotes moved meanwhile: somebody pushed or fetched, perhaps";
        restored.notices.push(format!("{what} {who}: {}", some(&names)));
    }
    if !tampered.unstashed.is_empty() {
        let oids: Vec<String> = tampered.unstashed.iter().take(MAX_NAMED).map(Oid::to_string).collect();
        let back: Vec<String> = oids.iter().map(|oid| format!("git stash store {oid}")).collect();
        let n = tampered.unstashed.len();
        restored
            .notices
            .push(format!("{n} stashed away meanwhile no more; to have it back: {}", back.join("; ")));
    }
    restored.moved = tampered.refs;
    restored
}

fn shown(repo: &Repo, path: &Path) -> String {
    text::one_line(&path.strip_prefix(repo.common_dir()).unwrap_or(path).to_string_lossy())
}

/// Settles what runs left behind whose process is gone: the repository is put back as it was before each.
/// Returns what to tell, one sentence each; nothing if there was nothing to settle, so that nothing that was
/// read of the repository is outdated.
///
/// # Errors
///
/// [`Error`] if a record cannot be read or removed. Then it stays, and [`is_open`].
pub fn settle(repo: &Repo) -> Result<Vec<String>, Error> {
    let mut told = Vec::new();
    // What a run calls is not who comes after it.
    if env::var("GODZILLA_RUN").is_some() {
        return Ok(told);
    }
    for (run, dir) in records(repo) {
        // Whoever looks after it lives.
        let Ok(lock) = Lock::acquire(&dir.join("lock"), Duration::ZERO) else { continue };
        let record = Record { dir, _lock: lock };
        if record.dir.join("looked-at").exists() {
            mark_settled(repo, run)?;
            record.forget();
            continue;
        }
        let (mut said, is_complete) = settle_one(repo, run, &record.dir)?;
        told.append(&mut said);
        if is_complete {
            mark_settled(repo, run)?;
            record.forget();
        }
    }
    Ok(told)
}

fn settle_one(repo: &Repo, run: Ulid, dir: &Path) -> Result<(Vec<String>, bool), Error> {
    let who = format!("the run {run}, which was cut off, or somebody since");
    let read = |name: &str| -> Result<Option<Vec<u8>>, Error> {
        let path = dir.join(name);
        let bytes =
            fs::read_bounded(&path, MAX_RECORD).map_err(Error::io(format!("read `{}`", path.display())))?;
        Ok(if let Bounded::Bytes(bytes) = bytes { Some(bytes) } else { None })
    };
    let place = read("where")?.unwrap_or_default();
    let place = String::from_utf8_lossy(&place);
    let (git_dir, own) = place.split_once('\0').unwrap_or_default();
    // Its own worktree, if that is still there: it has files of its own in the git directory.
    let of_worktree = repo.common_dir().join(git_dir);
    let is_worktree = !git_dir.is_empty() && git_dir.starts_with("worktrees/") && !git_dir.contains("..");
    let opened = if is_worktree { Repo::open(&of_worktree).ok() } else { None };
    let opened = opened.map_or_else(|| Repo::open(repo.common_dir()), Ok);
    let opened = opened
        .map_err(|err| Error::state("repository.open", super::error_chain(&err), "git godzilla doctor"))?;
    let guarded = match read("files")? {
        Some(files) => Guarded::from_bytes(&opened, &files, read("refs")?.as_deref()),
        None => None,
    };
    let Some(guarded) = guarded else {
        let kept = consent_aside(repo)?;
        let what = "the record of how the repository was before it cannot be read";
        return Ok((
            vec![format!("the run {run} was cut off, and {what}; {}", what_to_do(kept.as_deref()))],
            true,
        ));
    };
    let watched = Watched { repo: &opened, guarded: &RefCell::new(guarded), own };
    let restored = restore(&watched, &who);
    let mut said = restored.faults;
    said.extend(restored.notices);
    if !restored.moved.is_empty() {
        let names: Vec<String> = restored.moved.iter().map(|(name, ..)| text::one_line(name)).collect();
        said.push(format!("moved since the run {run} began, by it or by somebody else: {}", some(&names)));
    }
    if !restored.is_complete {
        let dir = dir.display();
        said.push(format!(
            "nothing of the repository is run until that is done; to give up on it, remove {dir}"
        ));
    }
    Ok((said, restored.is_complete))
}

/// Whether the repository may not be what it was before a run that was cut off.
pub fn is_open(repo: &Repo) -> bool {
    let is_dead = |dir: &Path| {
        !dir.join("looked-at").exists() && Lock::acquire(&dir.join("lock"), Duration::ZERO).is_ok()
    };
    records(repo).iter().any(|(_, dir)| is_dead(dir))
}

/// Whether a process of this machine looks after a run.
pub fn is_watched(repo: &Repo, run: Ulid) -> bool {
    let lock = guards(repo).join(run.to_string()).join("lock");
    lock.is_file() && Lock::acquire(&lock, Duration::ZERO).is_err()
}

/// Whether it is known of a run that was cut off what it did to the repository. An engine can remove the record
/// before it kills us.
pub fn is_known(repo: &Repo, run: Ulid) -> bool {
    settled_mark(repo, run).exists() || guards(repo).join(run.to_string()).exists()
}

/// Fails closed where nobody knows what a run did: consent is to be given again. Returns what to tell.
///
/// # Errors
///
/// [`Error`] if what is trusted cannot be put aside.
pub fn unknown(repo: &Repo, run: Ulid) -> Result<String, Error> {
    let kept = consent_aside(repo)?;
    mark_settled(repo, run)?;
    let what = "the record of how the repository was before it is gone";
    Ok(format!("the run {run} was cut off, and {what}; {}", what_to_do(kept.as_deref())))
}

fn what_to_do(kept: Option<&Path>) -> String {
    let look = "look at the hooks and the configuration in the git directory";
    kept.map_or_else(
        || look.to_owned(),
        |kept| format!("{look}; what was agreed to here counts no longer, and is kept in {}", kept.display()),
    )
}

/// Puts aside what was agreed to. Returns where it is kept, if there was anything.
fn consent_aside(repo: &Repo) -> Result<Option<PathBuf>, Error> {
    let file = repo.state_dir().join("trust.json");
    if std::fs::symlink_metadata(&file).is_err() {
        return Ok(None);
    }
    let keep = repo.state_dir().join("tampered").join(clock::new_id().to_string());
    let aside = || {
        fs::make_private_dir(&keep)?;
        std::fs::rename(&file, keep.join("trust.json"))
    };
    aside().map_err(Error::io("put aside what is trusted"))?;
    Ok(Some(keep.join("trust.json")))
}

fn guards(repo: &Repo) -> PathBuf {
    repo.state_dir().join("guards")
}

/// Returns the records that are whole, the oldest first.
fn records(repo: &Repo) -> Vec<(Ulid, PathBuf)> {
    let entries = std::fs::read_dir(guards(repo)).into_iter().flatten().flatten();
    let is_there = |path: &Path| path.join("files").exists();
    let named = entries.filter_map(|entry| {
        let run = entry.file_name().to_str()?.parse().ok()?;
        Some((run, entry.path())).filter(|(_, path)| is_there(path))
    });
    let mut found: Vec<(Ulid, PathBuf)> = named.collect();
    // Of several runs that were cut off the first one knows how it was: it is put back last.
    found.sort_by(|one, other| other.cmp(one));
    found
}

fn settled_mark(repo: &Repo, run: Ulid) -> PathBuf {
    super::ask::runs_dir(repo).join(run.to_string()).join("settled")
}

fn mark_settled(repo: &Repo, run: Ulid) -> Result<(), Error> {
    fs::replace_file(&settled_mark(repo, run), b"", false).map_err(Error::io("note what is settled"))
}

/// Returns the first names and how many more there are.
pub fn some(names: &[String]) -> String {
    let named = names.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMED { format!("{named} and {} more", names.len() - MAX_NAMED) } else { named }
}
