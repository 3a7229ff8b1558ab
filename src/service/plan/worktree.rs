//! Where the worktree of a protocol lies, and adding it.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::domain::id::Name;
use crate::platform::git::Worktree;
use crate::platform::lock::Lock;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::exclude;
use crate::service::settings::WorktreeMode;

/// Returns the folder that worktrees are added to; `None` if there are to be none, or the repository
/// is bare.
///
/// # Errors
///
/// [`Error::State`] if `worktree.root`, which a committed file may set, leads out of the repository's
/// own folder: by `..`, as an absolute path, into `.git`, or through a symbolic link.
pub fn root(ctx: &Context) -> Result<Option<PathBuf>, Error> {
    let Some(main) = ctx.repo.main_work_dir() else { return Ok(None) };
    if ctx.settings.worktree_mode != WorktreeMode::Protocol {
        return Ok(None);
    }
    let wanted = Path::new(&ctx.settings.worktree_root);
    let path: PathBuf = wanted.components().filter(|part| *part != Component::CurDir).collect();
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_own = path.components().next().is_some_and(|part| !part.as_os_str().eq_ignore_ascii_case(".git"));
    let path = main.join(path);
    if is_plain && is_own && stays_in(&main, &path) {
        return Ok(Some(path));
    }
    let shown = crate::domain::text::one_line(&ctx.settings.worktree_root);
    Err(Error::state(
        "worktree.root",
        format!("worktree.root is `{shown}`, which leads out of the repository's own folder"),
        "git config godzilla.worktree.root worktrees",
    ))
}

/// Whether `path`, as far as it exists, lies in `main` with all links followed.
fn stays_in(main: &Path, path: &Path) -> bool {
    let there = path.ancestors().find(|part| part.symlink_metadata().is_ok());
    let real = there.and_then(|part| part.canonicalize().ok());
    real.is_some_and(|real| real.starts_with(main) && !real.starts_with(main.join(".git")))
}

/// Whether a worktree can be added at `path`: nothing is there, and it lies in the repository's own folder.
pub fn is_place(ctx: &Context, path: &Path) -> bool {
    let is_plain = path.components().all(|part| !matches!(part, Component::ParentDir));
    let is_own = ctx.repo.main_work_dir().is_some_and(|main| stays_in(&main, path));
    is_plain && is_own && path.is_absolute() && path.symlink_metadata().is_err()
}

/// Who wants a worktree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The user, who gets what `git worktree add` gives: hooks run, and filters too.
    User,
    /// A note in the repository, for which no program runs that the repository names.
    Note,
    /// What was kept comes back with the bytes that it had: without hooks, and without the repository's own
    /// filters.
    Back,
}

/// Adds the worktree and returns warnings. One that is there already is left alone.
pub(in crate::service) fn add(
    ctx: &Context,
    name: &Name,
    path: Option<&Path>,
    wish: Wish,
) -> Result<Vec<String>, Error> {
    let Some(path) = path else {
        let is_wanted = ctx.settings.worktree_mode == WorktreeMode::Protocol;
        let warning =
            "the repository is bare, so there is no worktree; commit on the branch in a clone of it";
        return Ok(is_wanted.then(|| warning.to_owned()).into_iter().collect());
    };
    if let Some(warning) = finish(ctx, name, path, wish)? {
        return Ok(vec![warning]);
    }
    let is_there = ctx.repo.worktrees().iter().any(|(_, branch)| branch == name.as_str());
    if is_there {
        return Ok(Vec::new());
    }
    exclude::add(ctx, &format!("/{}/", ctx.settings.worktree_root.trim_matches('/')))?;
    let Some(text) = path.to_str() else {
        return Ok(vec!["the path of the worktree is not UTF-8, so none was added".to_owned()]);
    };
    // A path that holds something else, or a full disk: the protocol stands, and `worktree add` can
    // be repeated by hand.
    if wish == Wish::Note && !ctx.repo.main_work_dir().is_some_and(|main| stays_in(&main, path)) {
        return Ok(vec![format!("no worktree: `{text}` leads out of the repository's own folder")]);
    }
    let args = ["worktree", "add", "--quiet", "--", text, name.as_str()];
    // Git holds it as long as it is at work, also if we are not there any more. If somebody has it, a hook of the
    // last one has left something behind.
    let at_work = Lock::acquire(&adding(ctx), Duration::ZERO).ok();
    let _shared = at_work.as_ref().map(Lock::share);
    let added = match wish {
        Wish::User => ctx.repo.git_for_user(&args),
        Wish::Note if ctx.repo.names_filters() => {
            return Ok(vec![format!(
                "no worktree, since this repository's own filters would run; add it with `git worktree add {text} {name}`"
            )]);
        }
        Wish::Note => ctx.repo.git_text(&args).map(drop),
        Wish::Back => ctx.repo.git_unfiltered(&args),
    };
    match added {
        Ok(()) => Ok(Vec::new()),
        Err(err) => Ok(vec![format!("no worktree: {}", crate::service::error_chain(&err))]),
    }
}

fn adding(ctx: &Context) -> PathBuf {
    ctx.repo.state_dir().join("locks").join("adding")
}

/// Finishes the worktree at `path`, or of the branch `name`, if a process that died left it half made. Returns why it
/// is not.
///
/// # Errors
///
/// [`Error`] if git cannot.
pub(in crate::service) fn finish(
    ctx: &Context,
    name: &Name,
    path: &Path,
    wish: Wish,
) -> Result<Option<String>, Error> {
    let find = || {
        let is_it = |it: &Worktree| it.branch.as_deref() == Some(name.as_str()) || it.dir == path;
        ctx.repo.all_worktrees().into_iter().find(|it| it.is_half_made() && is_it(it))
    };
    if find().is_none() {
        return Ok(None);
    }
    // The git that began it may have outlived who called it.
    let _alone = Lock::acquire(&adding(ctx), ctx.limit)?;
    let Some(half) = find() else { return Ok(None) };
    if wish == Wish::Note && ctx.repo.names_filters() {
        let dir = half.dir.display();
        return Ok(Some(format!(
            "`{dir}` is half made, and this repository's own filters would run; make it anew with `git worktree remove \
             --force --force {dir} && git worktree add {dir} {name}`"
        )));
    }
    ctx.repo.finish_worktree(&half, name.as_str())?;
    Ok(None)
}
