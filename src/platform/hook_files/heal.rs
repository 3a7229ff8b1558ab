//! [`heal`](super::heal()): hook managers install themselves again, in the middle of a commit too.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::found::{self, Found};
use super::journal::{Journal, Section};
use super::{EVENTS, Error, LEGACY_SUFFIX, Report, install, place};

pub(super) fn run(binary: &Path, journal_path: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    let Some(looked_at) = modified(journal_path) else { return Ok(report) };
    let journal = Journal::load(journal_path)?;
    // Files are replaced, or written to where they are.
    let is_newer = |path: &Path| modified(path).is_some_and(|changed| changed >= looked_at);
    let has_news = |section: &&Section| {
        is_newer(&section.dir) || EVENTS.iter().any(|event| is_newer(&place(&section.dir, event, "")))
    };
    let changed: Vec<_> = journal.sections.iter().filter(has_news).collect();
    if changed.is_empty() {
        return Ok(report);
    }
    for section in changed {
        let binaries: Vec<&Path> = section.binaries().chain([binary]).collect();
        let mut displaced = false;
        for event in EVENTS {
            displaced |= is_displaced(section, event, &binaries)?;
        }
        if displaced {
            let ours = |event: &&str| section.entry(event).is_some();
            let events: Vec<&'static str> = EVENTS.into_iter().filter(ours).collect();
            report.changed.extend(install::run(&events, &section.dir, binary, journal_path)?.changed);
        }
    }
    // The next look is at what changes from now on.
    Journal::load(journal_path)?.save(journal_path)?;
    Ok(report)
}

/// Whether a manager has the place that was ours and does not call us.
fn is_displaced(section: &Section, event: &str, binaries: &[&Path]) -> Result<bool, Error> {
    let found = |suffix| Found::at(&place(&section.dir, event, suffix), binaries);
    Ok(match found("")? {
        Found::Link(_) => true,
        Found::Foreign(top) => {
            section.entry(event).is_some()
                && found::manager_of(&top).is_some()
                && !found::calls_us(&top)
                && !(found::runs_legacy(&top) && found(LEGACY_SUFFIX)?.is_ours())
        }
        Found::Absent | Found::Shim(_) | Found::Cut => false,
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
