//! [`uninstall`](super::uninstall()): one event after the other, each in one step
//! that either happens or does not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::content::{self, Access, Content};
use super::found::{self, Found};
use super::journal::{Journal, Section, Trace};
use super::kept::{self, Kept};
use super::shim::{self, Shim};
use super::{Change, EVENTS, Error, LEGACY_SUFFIX, OLD_SUFFIX, Report, What};
use super::{io_error, place};
use crate::platform::fail;

/// Where lines go that somebody added to a shim, if they cannot be run.
const LINES_SUFFIX: &str = ".godzilla-lines";

pub(super) fn run(dir: &Path, journal_path: &Path) -> Result<Report, Error> {
    let mut journal = Journal::load(journal_path)?;
    let section = journal.section(dir).cloned();
    let section = section.as_ref();

    let mut report = Report::default();
    for event in EVENTS {
        for what in remove_event(dir, event, section)? {
            report.changed.push(Change { event, what });
        }
    }
    content::remove_drafts(dir)?;
    if let Some(section) = section {
        remove_made_dirs(section)?;
        journal.remove(dir);
        journal.save(journal_path)?;
        fail::point("hooks.journal_removed");
    }
    Ok(report)
}

fn remove_event(dir: &Path, event: &str, section: Option<&Section>) -> Result<Vec<What>, Error> {
    let binaries: Vec<_> = section.into_iter().flat_map(Section::binaries).collect();
    let places = ["", LEGACY_SUFFIX, OLD_SUFFIX].map(|suffix| place(dir, event, suffix));
    let mut found = Vec::new();
    for path in &places {
        found.push(Found::at(path, &binaries)?);
    }
    let mut kept = Earlier::read(dir, event, section)?;

    let moved_aside = found[1..].iter().any(Found::is_ours);
    if let Found::Foreign(top) = &found[0]
        && kept.is_superseded_by(top, moved_aside)
    {
        kept.drop_it()?;
    }
    if let Found::Foreign(top) = &found[0]
        && moved_aside
    {
        kept.drop_older(top)?;
    }
    if found[0].is_ours() && matches!(found[2], Found::Absent) {
        kept.hand_over(&places[2])?;
    }
    let mut done = Vec::new();
    for (path, found) in places.iter().zip(&found) {
        match found {
            Found::Shim(shim) if shim.has_more() => done.push(kept.give_back_with(shim, path)?),
            Found::Link(_) | Found::Shim(_) => done.push(kept.give_back(path)?),
            Found::Cut => {
                kept.leave();
                done.push(left(path, "it was ours, but its last line is missing"));
            }
            Found::Foreign(content) if found::calls_us(content) => {
                done.push(left(path, "a line in it calls git-godzilla"));
            }
            Found::Absent | Found::Foreign(_) => (),
        }
    }
    if let Some((path, _)) = &kept.newest {
        // Ours in front of it is gone already.
        done.push(match found[0] {
            Found::Absent => kept.give_back(&places[0])?,
            _ => left(path, "another hook has taken its place"),
        });
    }
    done.extend(kept.settle(&places[0])?);
    Ok(done)
}

/// The hooks that ours has replaced, until they are given back.
struct Earlier {
    /// The one that takes the place of ours again, and where it is.
    newest: Option<(PathBuf, Content)>,
    /// What was there before that one.
    older: Vec<(PathBuf, Content)>,
    /// What ours ran, and whether it is the script that runs several.
    path: PathBuf,
    is_script: bool,
    /// There was one, and somebody else has removed it.
    is_lost: bool,
}

impl Earlier {
    fn read(dir: &Path, event: &str, section: Option<&Section>) -> Result<Self, Error> {
        let mut kept = Kept::read(dir, event)?;
        let newest = kept.hooks.pop();
        let entry = section.and_then(|section| section.entry(event));
        let is_lost = newest.is_none() && entry.is_some_and(|entry| entry.was != Trace::Absent);
        Ok(Self { newest, older: kept.hooks, path: kept.path, is_script: kept.is_numbered, is_lost })
    }

    /// Whether `top`, which somebody else has put in our place, makes the newest
    /// useless: a killed process had given it back already, or its manager has
    /// written `top` in its stead and would take fright at both.
    fn is_superseded_by(&self, top: &Content, ours_was_moved_aside: bool) -> bool {
        self.newest.as_ref().is_some_and(|(_, newest)| {
            newest.is_start_of(top) || (ours_was_moved_aside && found::are_generations_of_one(top, newest))
        })
    }

    fn drop_it(&mut self) -> Result<(), Error> {
        if let Some((path, _)) = self.newest.take() {
            content::remove(&path)?;
            fail::point("hooks.previous_dropped");
        }
        self.newest = self.older.pop();
        Ok(())
    }

    /// Removes earlier scripts of the manager that wrote `top`, which has put ours aside.
    fn drop_older(&mut self, top: &Content) -> Result<(), Error> {
        let is_useless = |hook: &Content| found::are_generations_of_one(top, hook);
        for (path, _) in self.older.iter().filter(|(_, hook)| is_useless(hook)) {
            content::remove(path)?;
            fail::point("hooks.previous_dropped");
        }
        self.older.retain(|(_, hook)| !is_useless(hook));
        Ok(())
    }

    /// Puts what lefthook would have found without us where it would have kept that, at `old`.
    fn hand_over(&mut self, old: &Path) -> Result<(), Error> {
        let is_of_lefthook = |(_, newest): &(PathBuf, Content)| found::manager_of(newest) == Some("lefthook");
        if self.newest.as_ref().is_some_and(is_of_lefthook)
            && let [(older, _)] = &self.older[..]
        {
            fs::rename(older, old).map_err(io_error("restore", old))?;
            self.older.clear();
            fail::point("hooks.older_handed_over");
        }
        Ok(())
    }

    /// Touches nothing of it.
    fn leave(&mut self) {
        self.newest = None;
        self.older.clear();
        self.is_script = false;
    }

    /// Removes what is ours beside the hook at `top`. What was there before the one that is back stays where
    /// it was kept, for a person to look at.
    fn settle(self, top: &Path) -> Result<Vec<What>, Error> {
        if !self.is_script {
            // What a killed process had begun to number.
            let whole = [Content::read(top)?, Content::read(&self.path)?];
            for (path, hook) in kept::read_numbered(&self.path)? {
                if whole.iter().flatten().any(|whole| hook.is_start_of(whole)) {
                    content::remove(&path)?;
                }
            }
            return Ok(Vec::new());
        }
        content::remove(&self.path)?;
        fail::point("hooks.kept_parted");
        let reason = "it was there before the hook that now has its place";
        Ok(self.older.iter().map(|(path, _)| left(path, reason)).collect())
    }

    /// Puts it at `path` in place of ours; if there is none, `path` is removed.
    fn give_back(&mut self, path: &Path) -> Result<What, Error> {
        let what = if let Some((kept, _)) = self.newest.take() {
            fs::rename(&kept, path).map_err(io_error("restore", path))?;
            What::Restored
        } else {
            content::remove(path)?;
            if self.is_lost { What::PreviousGone } else { What::Removed }
        };
        fail::point("hooks.hook_removed");
        Ok(what)
    }

    /// The same, but the lines that somebody has added to ours stay.
    fn give_back_with(&mut self, shim: &Shim, path: &Path) -> Result<What, Error> {
        let lines_path = match self.newest.take() {
            None => {
                Content::File(shim.rest_as_script()).put(path, &access_of(path)?)?;
                path.to_owned()
            }
            Some((kept, Content::File(script))) if shim::is_shell_script(&script) => {
                let both = Content::File(shim.rest_appended_to(&script));
                both.put(path, &access_of(&kept)?)?;
                fail::point("hooks.lines_kept");
                content::remove(&kept)?;
                path.to_owned()
            }
            Some((kept, _)) => {
                let lines_path = put_aside(&Content::File(shim.rest_as_script()), path)?;
                fail::point("hooks.lines_kept");
                fs::rename(&kept, path).map_err(io_error("restore", path))?;
                lines_path
            }
        };
        fail::point("hooks.hook_removed");
        Ok(What::KeptLines { path: lines_path })
    }
}

/// Writes `lines` to a new file beside the hook at `path`, which nobody runs.
fn put_aside(lines: &Content, path: &Path) -> Result<PathBuf, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(LINES_SUFFIX);
    let aside = PathBuf::from(name);
    match Content::read(&aside)? {
        None => lines.put(&aside, &access_of(path)?)?,
        Some(there) if there == *lines => (),
        Some(_) => return Err(Error::KeptTwice { path: aside }),
    }
    Ok(aside)
}

fn access_of(path: &Path) -> Result<Access, Error> {
    let metadata = fs::metadata(path).map_err(io_error("look at", path))?;
    Ok(Access::Exactly(metadata.permissions()))
}

/// Removes the directories that were made for `section`, as far as they are
/// empty.
fn remove_made_dirs(section: &Section) -> Result<(), Error> {
    for dir in section.dir.ancestors().take(section.n_made) {
        match fs::remove_dir(dir) {
            Err(err) if err.kind() == io::ErrorKind::DirectoryNotEmpty => break,
            Err(err) if !content::is_absent(&err) => return Err(io_error("remove", dir)(err)),
            _ => fail::point("hooks.dir_removed"),
        }
    }
    Ok(())
}

fn left(path: &Path, reason: &'static str) -> What {
    What::Left { path: path.to_owned(), reason }
}
