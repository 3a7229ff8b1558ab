//! [`install`](super::install()): look at everything, then change it.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::{self, Access, Content};
use super::found::{self, Found};
use super::journal::{Entry, Journal, Section, Trace};
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
        /// The hook that is at `path` and has to be kept.
        keep: Option<Content>,
        /// What is of no more use: before it is kept, and after ours is there.
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
        let kept_path = place(self.dir, event, KEPT_SUFFIX);
        let kept = Content::read(&kept_path)?;

        match self.find(&top)? {
            Found::Absent => {
                // Kept, but ours in front of it is gone: somebody removed what
                // they saw. Their own hook was not meant.
                let what = match kept {
                    Some(_) => What::Chained { kept: kept_path },
                    None => What::Installed,
                };
                let content = self.ours(event);
                Ok(self.write(event, top, content, kept.as_ref(), what))
            }
            Found::Link(target) => {
                let is = Content::Link(target);
                Ok(self.refresh(event, top, &is, self.ours(event), kept.as_ref()))
            }
            Found::Shim(shim) => {
                let is = Content::read(&top)?;
                let content = Content::File(shim.render(event, self.binary));
                Ok(match is {
                    Some(is) => self.refresh(event, top, &is, content, kept.as_ref()),
                    None => self.write(event, top, content, kept.as_ref(), What::Installed),
                })
            }
            Found::Cut => Ok((Plan::Tell(cut(top)), None)),
            Found::Foreign(foreign) => self.plan_beside(event, foreign, kept),
        }
    }

    /// The same where `foreign` has the place that git looks at.
    fn plan_beside(
        &self,
        event: &'static str,
        foreign: Content,
        kept: Option<Content>,
    ) -> Result<(Plan, Option<Entry>), Error> {
        let side = place(self.dir, event, LEGACY_SUFFIX);
        match self.find(&side)? {
            Found::Link(target) => {
                let is = Content::Link(target);
                return Ok(self.refresh(event, side, &is, self.ours(event), kept.as_ref()));
            }
            Found::Shim(shim) => {
                let content = Content::File(shim.render(event, self.binary));
                let is = Content::read(&side)?.unwrap_or_else(|| content.clone());
                return Ok(self.refresh(event, side, &is, content, kept.as_ref()));
            }
            Found::Cut => return Ok((Plan::Tell(cut(side)), None)),
            Found::Absent | Found::Foreign(_) => (),
        }
        if found::calls_us(&foreign) {
            return Ok((Plan::Nothing, None));
        }

        let kept_path = place(self.dir, event, KEPT_SUFFIX);
        let old_path = place(self.dir, event, OLD_SUFFIX);
        // Ours in `.old` is never run again, and would be in lefthook's way the next time.
        let (content, drop) = match self.find(&old_path)? {
            Found::Shim(shim) => (Content::File(shim.render(event, self.binary)), vec![old_path]),
            Found::Link(_) => (self.ours(event), vec![old_path]),
            Found::Cut => return Ok((Plan::Tell(cut(old_path)), None)),
            Found::Absent | Found::Foreign(_) => (self.ours(event), Vec::new()),
        };
        let is_other = |kept: &Content| *kept != foreign && !found::are_generations_of_one(&foreign, kept);
        if kept.as_ref().is_some_and(is_other) {
            return Err(Error::KeptTwice { path: kept_path });
        }
        let supersedes = kept.is_some_and(|kept| kept != foreign).then(|| kept_path.clone());
        let drop = supersedes.into_iter().chain(drop).collect();
        let entry = Entry {
            event: event.to_owned(),
            was: Trace::of(Some(&foreign)),
            wrote: Trace::of(Some(&content)),
        };
        let plan = Plan::Write {
            path: place(self.dir, event, ""),
            content,
            keep: Some(foreign),
            drop,
            what: What::Chained { kept: kept_path },
        };
        Ok((plan, Some(entry)))
    }

    /// Removes ours from where a manager put it aside, if it is back in its place: who put it back may have
    /// been killed before.
    fn finish(&self, event: &str) -> Result<(), Error> {
        let old_path = place(self.dir, event, OLD_SUFFIX);
        if self.find(&old_path)?.is_ours() && self.find(&place(self.dir, event, ""))?.is_ours() {
            content::remove(&old_path)?;
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
                let (superseded, aside) = drop.into_iter().partition::<Vec<_>, _>(|path| path == kept);
                for path in superseded {
                    content::remove(&path)?;
                    fail::point("hooks.superseded_removed");
                }
                if let Some(previous) = keep {
                    previous.keep(&path, kept)?;
                    fail::point("hooks.previous_kept");
                }
                content.put(&path, &Access::Run)?;
                fail::point("hooks.hook_written");
                for path in aside {
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
