//! Reads and folds every stream of a repository, for the benchmarks: `fold DIR`.

#![expect(clippy::print_stdout, reason = "it is a program for a person")]

use std::error::Error;
use std::path::Path;

use git_godzilla::platform::git::Repo;
use git_godzilla::platform::memory;
use git_godzilla::service::streams::folded;
use git_godzilla::store::{refs, tip};

fn main() -> Result<(), Box<dyn Error>> {
    memory::keep_freed();
    let dir = std::env::args().nth(1).ok_or("usage: fold DIR")?;
    let repo = Repo::discover(Path::new(&dir))?;
    let (mut n_events, mut n_accepted) = (0, 0);
    for (_, oid) in repo.refs(refs::PROTOCOLS)? {
        let content = tip::read(&repo, repo.tree_of(oid)?)?;
        let folded = folded(&content, None);
        n_events += content.lines().len();
        n_accepted += folded.protocol.map_or(0, |protocol| protocol.counts.accepted);
    }
    println!("{n_events} events, {n_accepted} accepted");
    Ok(())
}
