//! Which branch is the base when nobody said so.

use crate::platform::git::Repo;

/// Returns the names to try, best first: the remote's `HEAD`, `init.defaultBranch`, the usual ones.
pub fn candidates(repo: &Repo, home: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    let remotes =
        home.map(str::to_owned).into_iter().chain(repo.remotes().into_iter().map(|remote| remote.name));
    for remote in remotes {
        let path = repo.common_dir().join("refs/remotes").join(&remote).join("HEAD");
        let prefix = format!("ref: refs/remotes/{remote}/");
        let head = std::fs::read_to_string(path).unwrap_or_default();
        names.extend(head.trim().strip_prefix(prefix.as_str()).map(str::to_owned));
    }
    names.extend(repo.config("init.defaultBranch"));
    names.extend(["main".to_owned(), "master".to_owned()]);
    let head = repo.head().ok().and_then(|head| head.branch().map(str::to_owned));
    names.extend(head.filter(|branch| branch.parse::<crate::domain::id::Name>().is_err()));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
