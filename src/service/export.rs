//! `export`: everything that is known of all streams, as JSON lines.

use std::io::Write;
use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::streams::Streams;
use crate::platform::fs::WholeFile;
use crate::store::content::Content;
use crate::store::{exported, stream};

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The project's included.
    pub streams: usize,
    pub events: usize,
    /// What is not in it, and why, a line each.
    pub left_out: Vec<String>,
}

/// Writes what is known of every protocol and of the project: local refs, copies of remotes, archives, drop
/// boxes, and what waits to be written. Equal knowledge gives equal bytes. One stream after the other is held
/// in memory. Records nothing.
///
/// # Errors
///
/// [`Error`] if refs cannot be listed, or `out` cannot be written to. A stream that cannot be read is left out
/// and told.
pub fn write(ctx: &Context, out: &mut dyn Write) -> Result<Exported, Error> {
    let streams = Streams::read_all(ctx)?;
    let done = Exported { left_out: streams.inventory.set_aside.clone(), ..Exported::default() };
    let mut exporter = Exporter { ctx, out, done };
    exporter.line(&exported::header_line(ctx.repo.object_format()))?;
    for name in streams.inventory.streams.keys() {
        match streams.view(name) {
            Ok(view) => {
                exporter.left_out(name.as_str(), &view.set_aside);
                exporter.line(&exported::stream_line(Some(name), view.content.format))?;
                exporter.content(name.as_str(), &view.content)?;
            }
            Err(err) => exporter.left_out(name.as_str(), &[super::error_chain(&err)]),
        }
    }
    match stream::project_view(&ctx.repo, &streams.inventory.project) {
        Ok(view) => {
            exporter.left_out("the project", &view.set_aside);
            let mut project = view.content;
            let unknown = streams.unknown_names().into_iter().map(Some).chain([None]);
            for part in unknown.filter_map(|name| streams.routed(name.as_ref())) {
                project.unite(part);
            }
            if !project.is_empty() {
                exporter.line(&exported::stream_line(None, project.format))?;
                exporter.content("the project", &project)?;
            }
        }
        Err(err) => exporter.left_out("the project", &[super::error_chain(&err)]),
    }
    let Exported { streams, events, .. } = exporter.done;
    exporter.line(&exported::end_line(streams, events))?;
    exporter.out.flush().map_err(Error::io("write the export"))?;
    Ok(exporter.done)
}

/// Writes the same to a file that is not there yet, whole or not at all. Returns also whether it was written:
/// one with the very same bytes may be there.
///
/// # Errors
///
/// [`Error::State`] (`export.exists`) if there is another file; else as [`write()`].
pub fn to_file(ctx: &Context, path: &Path) -> Result<(Exported, bool), Error> {
    let mut file = WholeFile::new(path).map_err(Error::io(format!("write to `{}`", path.display())))?;
    let exported = write(ctx, &mut file)?;
    match file.finish() {
        Ok(written) => Ok((exported, written)),
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("`{}` is there already, and holds something else", path.display());
            Err(Error::state("export.exists", message, "name a file that is not there yet"))
        }
        Err(err) => Err(Error::io(format!("write `{}`", path.display()))(err)),
    }
}

struct Exporter<'a> {
    ctx: &'a Context,
    out: &'a mut dyn Write,
    done: Exported,
}

impl Exporter<'_> {
    fn left_out(&mut self, name: &str, why: &[String]) {
        self.done.left_out.extend(why.iter().map(|why| format!("{name}: {why}")));
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(Error::io("write the export"))
    }

    fn content(&mut self, name: &str, content: &Content) -> Result<(), Error> {
        self.done.streams += 1;
        // Before the events that name them, so that whoever reads line by line knows them.
        for text in content.specs.values() {
            self.line(&exported::spec_line(text))?;
        }
        for line in content.lines() {
            self.line(&exported::event_line(line))?;
            self.done.events += 1;
        }
        for (line, marker) in &content.rejects {
            self.line(&exported::reject_line(*line, marker))?;
        }
        for (path, (mode, oid)) in &content.unknown {
            let bytes = self.ctx.repo.blob(*oid).ok();
            if let Some(line) = bytes.and_then(|bytes| exported::file_line(path, *mode, &bytes)) {
                self.line(&line)?;
            } else {
                let path = String::from_utf8_lossy(path).into_owned();
                self.left_out(name, &[format!("the file {path} of a newer version cannot be exported")]);
            }
        }
        Ok(())
    }
}
