//! `import jsonl`: takes in what an export holds.
//!
//! Taking in is uniting: what is known stays, and doing it again changes nothing. The file is read twice. If
//! any line of it is wrong, nothing is imported; then one stream after the other moves by one compare-and-swap,
//! so that an import that was cut off is completed by running it again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use super::{initialised, run};
use crate::domain::id::Name;
use crate::domain::ledger::Ledger;
use crate::domain::text;
use crate::platform::fail;
use crate::store::content::{Content, FORMAT, sha256};
use crate::store::exported::{self, MAX_LINE, Record};
use crate::store::inventory::{Inventory, Tips};
use crate::store::stream;

/// More mistakes than this are not told.
const MAX_PROBLEMS: usize = 20;

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Imported(Vec<Taken>),
    /// What is wrong with the file; nothing was imported.
    Refused(Vec<Problem>),
}

/// What was taken in of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// `None` for the project's.
    pub name: Option<Name>,
    /// How many events of it were new here.
    pub new_events: usize,
}

/// A line that cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from one.
    pub line: usize,
    pub message: String,
}

/// Takes in the streams of a file that `export` wrote. When this returns, they are in the local refs; nothing
/// is pushed.
///
/// # Errors
///
/// [`Error`] if the file cannot be read, an engine works on one of the protocols, or a stream cannot be
/// written; streams before that one are taken in then.
pub fn import(ctx: &Context, path: &Path) -> Result<Outcome, Error> {
    initialised(ctx)?;
    let mut check = Check::new(ctx.repo.object_format());
    each(path, &mut |line_no, read| Ok(check.take(line_no, read)))?;
    let (names, problems) = check.finish();
    if !problems.is_empty() {
        return Ok(Outcome::Refused(problems));
    }
    for name in &names {
        run::not_during(ctx, name)?;
    }
    let streams = Streams::read(ctx)?;
    let mut take = Take { streams: &streams, open: None, taken: Vec::new() };
    each(path, &mut |_, read| {
        let record = read.map_err(|err| changed(path, &err.to_string()))?;
        take.take(record)?;
        Ok(true)
    })?;
    Ok(Outcome::Imported(take.taken))
}

fn changed(path: &Path, why: &str) -> Error {
    let message = format!("`{}` changed while it was read: {why}", path.display());
    Error::state("import.changed", message, "run it again; what was taken in is no less true")
}

/// Gives each line of a file to `take`, with its number, until that says that it has had enough.
fn each(
    path: &Path,
    take: &mut dyn FnMut(usize, Result<Record, exported::Error>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let failed = |err: std::io::Error| Error::io(format!("read `{}`", path.display()))(err);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            let text = path.display().to_string();
            return Err(Error::Unknown { what: "file", text, near: Vec::new() });
        }
        Err(err) => return Err(failed(err)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        let message = format!("`{}` is no file, which an import reads twice", path.display());
        return Err(Error::Usage { message, hint: Some("write it to a file first".to_owned()) });
    }
    let mut reader = BufReader::new(file);
    let (mut line, mut line_no) = (Vec::new(), 0);
    loop {
        line.clear();
        let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        let n_read = reader.by_ref().take(limit).read_until(b'\n', &mut line).map_err(failed)?;
        if n_read == 0 {
            return Ok(());
        }
        line_no += 1;
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        let is_long = !is_whole && n_read > MAX_LINE;
        let read = if is_long {
            Err(exported::Error::Json(format!("the line has more than {} MiB", MAX_LINE >> 20)))
        } else {
            Record::decode(&line)
        };
        // What follows a line that was not read to its end is no line.
        if !take(line_no, read)? || is_long {
            return Ok(());
        }
    }
}

/// Looks whether a file is whole, and every line of it can be taken in.
struct Check {
    object_format: &'static str,
    has_header: bool,
    /// Whether a stream has begun.
    is_open: bool,
    names: BTreeSet<Option<Name>>,
    n_events: u64,
    end: Option<usize>,
    last_line: usize,
    problems: Vec<Problem>,
}

impl Check {
    fn new(object_format: &'static str) -> Self {
        Self {
            object_format,
            has_header: false,
            is_open: false,
            names: BTreeSet::new(),
            n_events: 0,
            end: None,
            last_line: 0,
            problems: Vec::new(),
        }
    }

    /// Returns whether it is worth going on.
    fn take(&mut self, line_no: usize, read: Result<Record, exported::Error>) -> bool {
        self.last_line = line_no;
        let said = match read {
            Ok(record) => self.fits(&record),
            Err(err) => Err(err.to_string()),
        };
        if let Err(message) = said {
            self.problems.push(Problem { line: line_no, message });
        }
        // Without a header it is some other file.
        self.has_header && self.problems.len() < MAX_PROBLEMS
    }

    fn fits(&mut self, record: &Record) -> Result<(), String> {
        if self.end.is_some() {
            return Err("this follows the end".to_owned());
        }
        if let Record::Header { object_format } = record {
            if std::mem::replace(&mut self.has_header, true) {
                return Err("this is a second header".to_owned());
            }
            if object_format != self.object_format {
                let (theirs, ours) = (text::clip(object_format, 20), self.object_format);
                return Err(format!("it is of a repository with {theirs}, and this one has {ours}"));
            }
            return Ok(());
        }
        if !self.has_header {
            return Err(format!("no header of the form `{}` comes first", exported::SCHEMA));
        }
        match record {
            Record::Stream { name, format } => {
                self.is_open = true;
                if format.min_read > FORMAT.format || format.min_write > FORMAT.format {
                    return Err("the stream was written by a newer version of this program".to_owned());
                }
                if !self.names.insert(name.clone()) {
                    return Err("the stream is there twice".to_owned());
                }
                Ok(())
            }
            Record::End { streams, events } => {
                self.end = Some(self.last_line);
                let n_streams = u64::try_from(self.names.len()).unwrap_or(u64::MAX);
                if (*streams, *events) != (n_streams, self.n_events) {
                    return Err(format!(
                        "the file has {n_streams} streams and {} events, and should have {streams} and {events}",
                        self.n_events
                    ));
                }
                Ok(())
            }
            _ if !self.is_open => Err("this is of no stream".to_owned()),
            Record::Event(_) => {
                self.n_events += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns the protocols that the file is about, and what is wrong with it.
    fn finish(mut self) -> (Vec<Name>, Vec<Problem>) {
        if self.problems.is_empty() && self.end.is_none() {
            let message = "the file ends before its end: it was cut".to_owned();
            self.problems.push(Problem { line: self.last_line.max(1), message });
        }
        (self.names.into_iter().flatten().collect(), self.problems)
    }
}

/// Takes a file in, stream by stream.
struct Take<'a> {
    streams: &'a Streams<'a>,
    open: Option<(Option<Name>, Content)>,
    taken: Vec<Taken>,
}

impl Take<'_> {
    fn take(&mut self, record: Record) -> Result<(), Error> {
        match (record, &mut self.open) {
            (Record::Stream { name, format }, _) => {
                self.close()?;
                self.open = Some((name, Content::in_format(format)));
            }
            (Record::End { .. }, _) => self.close()?,
            (Record::Event(line), Some((_, content))) => content.add(*line),
            (Record::Spec(text), Some((_, content))) => {
                content.specs.insert(sha256(text.as_bytes()), text);
            }
            (Record::Reject { line, marker }, Some((_, content))) => {
                content.rejects.insert(line, marker);
            }
            (Record::File { path, mode, bytes }, Some((_, content))) => {
                let oid = self.streams.ctx.repo.write_blob(&bytes)?;
                let mut file = Content::in_format(content.format);
                file.unknown.insert(path, (mode, oid));
                content.unite(&file);
            }
            (Record::Header { .. } | Record::Event(_) | Record::Spec(_), _)
            | (Record::Reject { .. } | Record::File { .. }, _) => (),
        }
        Ok(())
    }

    /// Unites the stream that was read with what is known of it.
    fn close(&mut self) -> Result<(), Error> {
        let Some((name, mut content)) = self.open.take() else { return Ok(()) };
        content.normalize();
        let new_events = match &name {
            Some(name) => self.unite(name, content)?,
            None => self.unite_project(&content)?,
        };
        fail::point("import.stream");
        self.taken.push(Taken { name, new_events });
        Ok(())
    }

    /// Returns how many events were new.
    fn unite(&self, name: &Name, content: Content) -> Result<usize, Error> {
        let Streams { ctx, inventory, .. } = self.streams;
        let repo = &ctx.repo;
        let known = inventory.tips(repo, name);
        let before = stream::view(repo, name, &known, self.streams.routed(Some(name)))?.content;
        if before.contains(&content) {
            return Ok(0);
        }
        let mut all = content;
        all.unite(&before);
        let tips = || Ok(Tips { archived: known.archived.clone(), ..Inventory::of_stream(repo, name)? });
        // Nothing is decided: to take over is all that there is to do.
        let mut decide = |_: &mut Ledger<'_>, _: &mut Content| Ok::<_, Error>(String::new());
        let appended = stream::append(repo, name, &ctx.writer(), Some(&all), &tips, &mut decide)?;
        super::after_write(ctx, &appended);
        Ok(all.lines().len().saturating_sub(before.lines().len()))
    }

    fn unite_project(&self, content: &Content) -> Result<usize, Error> {
        let ctx = self.streams.ctx;
        let tips = || Inventory::of_project(&ctx.repo);
        let said = "take over what was exported";
        Ok(stream::append_project(&ctx.repo, &ctx.writer(), &tips, said, &mut |known| known.unite(content))?)
    }
}
