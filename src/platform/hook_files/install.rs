//! [`install`](super::install()): look at everything, then change it.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::{self, Access, Content};
use super::found::{self, Found};
use super::journal::{Entry, Journal, Section, Trace};
use super::kept::{Keep, Kept};
use super::shim::Shim;
use super::{Change, Error, KEPT_SUFFIX, LEGACY_SUFFIX, OLD_SUFFIX, Report, What};
use super::{io_error, place};
use crate::platform::fail;
use crate::platform::fs::is_executable;

/// What every event is planned against.
struct Request<'a> {
    dir: &'a Path,
    binary: &'a Path,
    earlier: Option<&'a Section>,
}

/// What to do for one event.
enum Plan {
    Nothing,
    Tell(What),
    Write {
        path: PathBuf,
        content: Content,
        /// How the hook that is at `path` is kept.
        keep: Option<Box<Keep>>,
        /// Ours where nobody runs it, of no more use once it is in its place.
        drop: Vec<PathBuf>,
        what: What,
    },
}

pub(super) fn run(
    events: &[&'static str],
    dir: &Path,
    binary: &Path,
    journal_path: &Path,
) -> Result<Report, Error> {
    let n_missing = n_missing(dir)?;
    let mut journal = Journal::load(journal_path)?;
    let earlier = journal.section(dir).cloned();
    let request = Request { dir, binary, earlier: earlier.as_ref() };

    let mut entries = Vec::new();
    let mut plans = Vec::new();
    for &event in events {
        let (plan, entry) = request.plan(event)?;
        plans.push((event, plan));
        entries.extend(entry);
    }
    let n_made = n_missing.max(earlier.as_ref().map_or(0, |section| section.n_made));
    let section = Section { dir: dir.to_owned(), n_made, entries };
    if earlier.as_ref() != Some(&section) {
        journal.set(section);
        journal.save(journal_path)?;
    }
    fail::point("hooks.journal_written");

    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    fail::point("hooks.dir_made");
    let mut report = Report::default();
    for (event, plan) in plans {
        if let Some(what) = plan.carry_out(&place(dir, event, KEPT_SUFFIX))? {
            report.changed.push(Change { event, what });
        }
        request.finish(event)?;
    }
    if !report.changed.is_empty() {
        content::remove_drafts(dir)?;
    }
    Ok(report)
}

impl Request<'_> {
    /// Decides what to do for `event`, and what the journal has to say then.
    fn plan(&self, event: &'static str) -> Result<(Plan, Option<Entry>), Error> {
        let top = place(self.dir, event, "");
        let kept = Kept::read(self.dir, event)?;

        match self.find(&top)? {
            Found::Absent => {
                // Kept, but ours in front of it is gone: somebody removed what
                // they saw. Their own hook was not meant.
                let what = match kept.newest() {
                    Some(_) => What::Chained { kept: kept.path.clone() },
                    None => What::Installed,
                };
                let content = self.ours(event);
                Ok(self.write(event, top, content, kept.newest(), what))
            }
            Found::Link(target) => {
                let is = Content::Link(target);
                Ok(self.refresh(event, top, &is, self.ours(event), kept.newest()))
            }
            Found::Shim(shim) => {
                let is = Content::read(&top)?;
                let content = Content::File(shim.render(event, self.binary));
                Ok(match is {
                    Some(is) => self.refresh(event, top, &is, content, kept.newest()),
                    None => self.write(event, top, content, kept.newest(), What::Installed),
                })
            }
            Found::Cut => Ok((Plan::Tell(cut(top)), None)),
            Found::Foreign(foreign) => self.plan_beside(event, foreign, &kept),
        }
    }

    /// The same where `foreign` has the place that git looks at.
    fn plan_beside(
        &self,
        event: &'static str,
        foreign: Content,
        kept: &Kept,
    ) -> Result<(Plan, Option<Entry>), Error> {
        let side = place(self.dir, event, LEGACY_SUFFIX);
        match self.find(&side)? {
            _ if !found::runs_legacy(&foreign) => (),
            Found::Link(target) => {
                let is = Content::Link(target);
                return Ok(self.refresh(event, side, &is, self.ours(event), kept.newest()));
            }
            Found::Shim(shim) => {
                let content = Content::File(shim.render(event, self.binary));
                let is = Content::read(&side)?.unwrap_or_else(|| content.clone());
                return Ok(self.refresh(event, side, &is, content, kept.newest()));
            }
            Found::Cut => return Ok((Plan::Tell(cut(side)), None)),
            Found::Absent | Found::Foreign(_) => (),
        }
        if found::calls_us(&foreign) {
            return Ok((Plan::Nothing, None));
        }

        // Ours where nobody runs it would be in the way of who put it there the next time.
        let (mut content, mut drop) = (self.ours(event), Vec::new());
        for suffix in [LEGACY_SUFFIX, OLD_SUFFIX] {
            let aside = place(self.dir, event, suffix);
            match self.find(&aside)? {
                Found::Shim(shim) => content = Content::File(shim.render(event, self.binary)),
                Found::Link(_) => (),
                Found::Cut => return Ok((Plan::Tell(cut(aside)), None)),
                Found::Absent | Found::Foreign(_) => continue,
            }
            drop.push(aside);
        }
        let entry = Entry {
            event: event.to_owned(),
            was: Trace::of(Some(&foreign)),
            wrote: Trace::of(Some(&content)),
        };
        let is_run_already = kept.runs_legacy() && Content::read(&side)?.as_ref() == Some(&foreign);
        let (keep, what) = if is_run_already {
            (None, What::Refreshed)
        } else {
            // What was put over ours comes after what ours had kept. Of one that was kept and never by us
            // nobody knows whether it should run.
            let was_ours = self.earlier.is_some_and(|section| section.entry(event).is_some());
            let keep = kept.keep(event, foreign, was_ours)?;
            let what = What::Chained { kept: keep.at.clone() };
            (Some(Box::new(keep)), what)
        };
        let plan = Plan::Write { path: place(self.dir, event, ""), content, keep, drop, what };
        Ok((plan, Some(entry)))
    }

    /// Removes ours from where a manager put it aside, if it is back in its place: who put it back may have
    /// been killed before.
    fn finish(&self, event: &str) -> Result<(), Error> {
        if self.find(&place(self.dir, event, ""))?.is_ours() {
            for suffix in [LEGACY_SUFFIX, OLD_SUFFIX] {
                let aside = place(self.dir, event, suffix);
                if self.find(&aside)?.is_ours() {
                    content::remove(&aside)?;
                }
            }
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> Result<Found, Error> {
        let mut binaries = vec![self.binary];
        binaries.extend(self.earlier.into_iter().flat_map(Section::binaries));
        Found::at(path, &binaries)
    }

    /// Our hook as it should be where nobody has added lines to it.
    fn ours(&self, event: &str) -> Content {
        Content::File(Shim::new().render(event, self.binary))
    }

    /// Replaces ours at `path`, unless it is right already.
    fn refresh(
        &self,
        event: &str,
        path: PathBuf,
        is: &Content,
        content: Content,
        kept: Option<&Content>,
    ) -> (Plan, Option<Entry>) {
        let is_right = is_executable(&path) && *is == content;
        let (plan, entry) = self.write(event, path, content, kept, What::Refreshed);
        (if is_right { Plan::Nothing } else { plan }, entry)
    }

    fn write(
        &self,
        event: &str,
        path: PathBuf,
        content: Content,
        kept: Option<&Content>,
        what: What,
    ) -> (Plan, Option<Entry>) {
        let earlier = self.earlier.and_then(|section| section.entry(event));
        let entry = Entry {
            event: event.to_owned(),
            was: earlier.map_or_else(|| Trace::of(kept), |entry| entry.was.clone()),
            wrote: Trace::of(Some(&content)),
        };
        let plan = Plan::Write { path, content, keep: None, drop: Vec::new(), what };
        (plan, Some(entry))
    }
}

impl Plan {
    /// Does it and returns what there is to tell.
    ///
    /// The earlier hook gets its second name first. Only then does ours take
    /// over the first one, in one step, so that the event is never without.
    fn carry_out(self, kept: &Path) -> Result<Option<What>, Error> {
        match self {
            Self::Nothing => Ok(None),
            Self::Tell(what) => Ok(Some(what)),
            Self::Write { path, content, keep, drop, what } => {
                if let Some(keep) = keep {
                    keep.carry_out(&path, kept)?;
                }
                content.put(&path, &Access::Run)?;
                fail::point("hooks.hook_written");
                for path in drop {
                    content::remove(&path)?;
                    fail::point("hooks.aside_removed");
                }
                Ok(Some(what))
            }
        }
    }
}

fn cut(path: PathBuf) -> What {
    What::Left { path, reason: "it was ours, but its last line is missing" }
}

/// Returns how many directories must be made for `dir` to exist.
fn n_missing(dir: &Path) -> Result<usize, Error> {
    for (n_missing, ancestor) in dir.ancestors().enumerate() {
        match fs::metadata(ancestor) {
            Ok(metadata) if metadata.is_dir() => return Ok(n_missing),
            Ok(_) => {
                return Err(Error::NotADirectory { path: ancestor.to_owned() });
            }
            Err(err) if content::is_absent(&err) => (),
            Err(err) => return Err(io_error("look at", ancestor)(err)),
        }
    }
    Ok(0)
}
