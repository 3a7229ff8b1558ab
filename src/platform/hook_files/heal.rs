//! [`heal`](super::heal()): hook managers install themselves again, in the middle of a commit too.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::content::Content;
use super::found::{self, Found};
use super::journal::Journal;
use super::{EVENTS, Error, KEPT_SUFFIX, OLD_SUFFIX, Report, install, place};

pub(super) fn run(binary: &Path, journal_path: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    let Some(looked_at) = modified(journal_path) else { return Ok(report) };
    let journal = Journal::load(journal_path)?;
    let is_newer = |dir: &Path| modified(dir).is_some_and(|changed| changed > looked_at);
    let changed: Vec<_> = journal.sections.iter().filter(|section| is_newer(&section.dir)).collect();
    if changed.is_empty() {
        return Ok(report);
    }
    for section in changed {
        let binaries: Vec<&Path> = section.binaries().chain([binary]).collect();
        let mut displaced = false;
        for event in EVENTS {
            displaced |= is_displaced(&section.dir, event, &binaries)?;
        }
        if displaced {
            report.changed.extend(install::run(&section.dir, binary, journal_path)?.changed);
        }
    }
    // The next look is at what changes from now on.
    Journal::load(journal_path)?.save(journal_path)?;
    Ok(report)
}

fn is_displaced(dir: &Path, event: &str, binaries: &[&Path]) -> Result<bool, Error> {
    Ok(match Found::at(&place(dir, event, ""), binaries)? {
        Found::Link(_) => true,
        Found::Foreign(top) => {
            found::manager_of(&top).is_some()
                && (Found::at(&place(dir, event, OLD_SUFFIX), binaries)?.is_ours()
                    || Content::read(&place(dir, event, KEPT_SUFFIX))?
                        .is_some_and(|kept| found::are_generations_of_one(&top, &kept)))
                && !found::calls_us(&top)
        }
        Found::Absent | Found::Shim(_) | Found::Cut => false,
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
