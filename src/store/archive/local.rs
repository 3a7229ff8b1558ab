//! The archive of this clone: what is put in, and what others have put in, as one move of one ref.

use std::time::Instant;

use super::{Archive, FoldOf, United, contains, drops, unite, with};
use crate::domain::id::{Name, Oid};
use crate::platform::git::{Error as GitError, Move, MoveError, NewCommit, Repo};
use crate::platform::{clock, fail};
use crate::store::inventory::{archives, shared_remotes};
use crate::store::refs;
use crate::store::stream::{Error, Writer, carrier, take_guard};

/// The name of its lock, and in messages.
const NAME: &str = "archive";

/// What is put into the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addition {
    /// Tip trees by protocol.
    pub entries: Vec<(Name, Oid)>,
    /// The subject of the commit.
    pub subject: String,
}

/// What the archive is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Its tree; `None` if there is no archive.
    pub tree: Option<Oid>,
    pub moved: bool,
    /// What was left as it is, and why.
    pub set_aside: Vec<String>,
}

/// Puts `addition` into the archive here, with all that is known of those of remotes. Nothing is
/// written if it is all there; where a remote's archive has all of it, that one is followed.
///
/// # Errors
///
/// [`Error`] if the archive here cannot be read or written. That of a remote is set aside alone.
pub fn update(
    repo: &Repo,
    writer: &Writer<'_>,
    addition: &Addition,
    fold: FoldOf<'_>,
) -> Result<Updated, Error> {
    let read = |source| Error::Read { name: NAME.to_owned(), source };
    let start = Instant::now();
    loop {
        let mut guard = take_guard(repo, NAME, writer.limit.saturating_sub(start.elapsed()))?;
        let found = archives(repo).map_err(read)?;
        let mut set_aside = found.set_aside;
        let local = found.archives.iter().find(|archive| archive.holder.is_none());
        if local.is_none() && repo.find_ref(refs::ARCHIVE).map_err(read)?.is_some() {
            return Err(read(GitError::Damaged("its tip holds no archive".to_owned())));
        }
        let wanted = wanted(repo, &found.archives, addition, fold).map_err(read)?;
        set_aside.extend(wanted.set_aside);
        let Some(tree) = wanted.tree else {
            return Ok(Updated { tree: None, moved: false, set_aside });
        };
        let new = match wanted.held_by {
            Some(tip) => tip,
            None => write(repo, writer, tree, wanted.parent, &addition.subject)
                .map_err(|source| Error::Write { name: NAME.to_owned(), source })?,
        };
        let expected = local.map(|archive| archive.tip);
        if expected == Some(new) {
            return Ok(Updated { tree: Some(tree), moved: false, set_aside });
        }
        fail::point("archive.commit");
        let who = writer.identity.clone().unwrap_or_else(carrier);
        let message = if addition.entries.is_empty() { "take over the archive" } else { &addition.subject };
        let step = Move { name: refs::ARCHIVE, expected, new, who: &who, message };
        let is_late = start.elapsed() > writer.limit;
        match repo.move_ref(step, &mut guard) {
            Ok(()) => {
                fail::point("archive.moved");
                return Ok(Updated { tree: Some(tree), moved: true, set_aside });
            }
            Err(MoveError::Lost { .. }) if is_late => return Err(Error::Busy { name: NAME.to_owned() }),
            Err(MoveError::Locked { path }) if is_late => {
                return Err(Error::Locked { name: NAME.to_owned(), path });
            }
            Err(MoveError::Lost { .. } | MoveError::Locked { .. }) => {
                drop(guard);
                std::thread::sleep(clock::jitter(8));
            }
            Err(source) => return Err(Error::Move { name: NAME.to_owned(), source }),
        }
    }
}

/// What the archive is to be.
struct Wanted {
    /// `None` if there is nothing to keep.
    tree: Option<Oid>,
    /// The commit that has it already.
    held_by: Option<Oid>,
    /// The parent of a new one.
    parent: Option<Oid>,
    set_aside: Vec<String>,
}

/// On top of the home remote's, if that is not known to be behind the one here, as with any stream. Those of
/// other remotes have commits of their own, and to follow now one and now another would never end. Where
/// something of the one here could not be united with it, it stays on top of the one here.
fn wanted(
    repo: &Repo,
    archives: &[Archive],
    addition: &Addition,
    fold: FoldOf<'_>,
) -> Result<Wanted, GitError> {
    let local = archives.iter().find(|archive| archive.holder.is_none());
    let tracked = || archives.iter().filter(|archive| archive.holder.is_some());
    let remotes = shared_remotes(&repo.remotes());
    let home = tracked().find(|archive| archive.holder.as_ref() == remotes.first());
    let ahead = home.filter(|home| local.is_none_or(|local| !repo.is_ancestor(home.tip, local.tip)));
    let onto = ahead.or(local);
    let mut united = all_on(repo, onto, archives, addition, fold)?;
    let mut parent = onto;
    if !united.set_aside.is_empty() && ahead.is_some() && local.is_some() {
        parent = local;
        united = all_on(repo, local, archives, addition, fold)?;
    }
    let United { tree, set_aside } = united;
    // Nobody is led to a line whose text was taken out, but by what the remote has already.
    if let Some(onto) = parent.filter(|onto| onto.holder.is_none() && drops(repo, onto.tree, tree)) {
        parent = home.filter(|home| set_aside.is_empty() && home.tip != onto.tip);
    }
    let is_empty = archives.is_empty() && addition.entries.is_empty();
    let holder = parent.into_iter().chain(tracked()).find(|archive| archive.tree == tree);
    Ok(Wanted {
        tree: (!is_empty).then_some(tree),
        held_by: holder.map(|archive| archive.tip),
        parent: parent.map(|archive| archive.tip),
        set_aside,
    })
}

/// Returns the tree of all archives and of the addition, on top of `onto`.
fn all_on(
    repo: &Repo,
    onto: Option<&Archive>,
    archives: &[Archive],
    addition: &Addition,
    fold: FoldOf<'_>,
) -> Result<United, GitError> {
    let mut tree = onto.map(|archive| archive.tree);
    let mut set_aside = Vec::new();
    for archive in archives {
        let Some(so_far) = tree else {
            tree = Some(archive.tree);
            continue;
        };
        if archive.tree != so_far && !contains(repo, so_far, archive.tree)? {
            let united = unite(repo, so_far, archive.tree, fold)?;
            tree = Some(united.tree);
            set_aside.extend(united.set_aside);
        }
    }
    let mut united = with(repo, tree, &addition.entries, fold)?;
    united.set_aside.extend(set_aside);
    Ok(united)
}

fn write(
    repo: &Repo,
    writer: &Writer<'_>,
    tree: Oid,
    parent: Option<Oid>,
    subject: &str,
) -> Result<Oid, GitError> {
    let who = writer.identity.clone().unwrap_or_else(carrier);
    let subject = if subject.is_empty() { "take over what was archived" } else { subject };
    let message = format!("{}\n\nGodzilla-Op: {}\n", subject.trim_end(), writer.author.op);
    fail::point("archive.tree");
    repo.write_commit(&NewCommit {
        tree,
        parents: parent.into_iter().collect(),
        message,
        author: &who,
        committer: &who,
        for_people: false,
    })
}
