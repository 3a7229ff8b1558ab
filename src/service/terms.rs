//! What a repository says about an engine, as somebody has to agree to it: which program, with which
//! bytes where the repository brings them, at which address, with which key.

use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::context::Context;
use super::error::Error;
use super::settings::{Origin, Settings};
use crate::domain::id::Digest;
use crate::domain::text;
use crate::platform::fs::{self, Bounded};

/// The longest program of a repository.
const MAX_PROGRAM: u64 = 64 << 20;

/// What a repository says about one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub name: String,
    /// One thing a line, for people.
    pub lines: Vec<String>,
    /// Of the lines.
    pub digest: Digest,
}

impl Terms {
    /// Returns the folders in which files lie that are agreed to: what else lies there is not, though a program
    /// may use it.
    pub fn folders(&self) -> Vec<String> {
        let files = self.lines.iter().filter_map(|line| line.strip_prefix("file ")?.rsplit_once(' '));
        let folder = |(path, _)| Some(Path::new(path).parent()?.to_string_lossy().into_owned());
        let mut folders: Vec<String> = files.filter_map(folder).filter(|folder| !folder.is_empty()).collect();
        folders.sort();
        folders.dedup();
        folders
    }
}

/// Returns what the repository says about an engine; `None` if that is nothing, so that nobody needs to
/// agree to anything but what they set themselves.
///
/// # Errors
///
/// [`Error`] if a file of the repository that would be run cannot be read.
pub fn of(ctx: &Context, name: &str) -> Result<Option<Terms>, Error> {
    let settings = &ctx.settings;
    let is_ours = |key: &str, value: &str| match key.split_once('.') {
        Some(("engines", rest)) => rest.rsplit_once('.').is_some_and(|(named, _)| named == name),
        Some(("phases", _)) => value == name,
        _ => false,
    };
    let by_repository = settings
        .entries
        .iter()
        .filter(|entry| matches!(entry.origin, Origin::File | Origin::Commit(_)))
        .filter(|entry| is_ours(&entry.key, &entry.value()));
    let mut lines: Vec<String> =
        by_repository.map(|entry| format!("{} = {}", entry.key, typed(entry))).collect();
    for (path, bytes) in programs(ctx, settings, name)? {
        lines.push(format!("file {path} {}", Digest(Sha256::digest(&bytes).into())));
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let digest = Digest(Sha256::digest(lines.join("\n")).into());
    Ok(Some(Terms { name: name.to_owned(), lines, digest }))
}

/// Returns what the repository says about every engine that it speaks of, by name.
///
/// # Errors
///
/// As [`of`].
pub fn all(ctx: &Context) -> Result<Vec<Terms>, Error> {
    let engines = &ctx.settings.engines;
    let phases = &engines.phases;
    let used = [&phases.planning, &phases.decompose, &phases.exec, &phases.qa, &phases.discovery];
    let mut names: Vec<&String> = engines.named.keys().chain(used.into_iter().flatten()).collect();
    names.sort();
    names.dedup();
    let without_model = crate::engine::WITHOUT_MODEL;
    names.retain(|name| !without_model.contains(&name.as_str()));
    names.into_iter().filter_map(|name| of(ctx, name).transpose()).collect()
}

/// A list with its borders: two arguments are not one with a comma.
fn typed(entry: &super::settings::Entry) -> String {
    match &entry.typed {
        Some(super::settings::Value::List(items)) => {
            let items: Vec<String> = items.iter().map(|item| format!("{:?}", text::one_line(item))).collect();
            format!("[{}]", items.join(", "))
        }
        _ => entry.value(),
    }
}

/// Returns the files of the work tree that the command of an engine names.
fn programs(ctx: &Context, settings: &Settings, name: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let Some(root) = ctx.repo.work_dir() else { return Ok(Vec::new()) };
    let argv = settings.engines.named.get(name).map(|set| set.argv.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    for arg in argv {
        let Some(path) = within(root, arg) else { continue };
        match fs::read_bounded(&root.join(&path), MAX_PROGRAM) {
            Ok(Bounded::Bytes(bytes)) => found.push((text::one_line(&path.to_string_lossy()), bytes)),
            Ok(Bounded::TooLong) => {
                let message = format!("`{}` is too long for a program of an engine", path.display());
                return Err(Error::state("engine.program", message, ""));
            }
            Ok(Bounded::Missing | Bounded::NotAFile) => (),
            Err(err) => return Err(Error::io(format!("read `{}`", path.display()))(err)),
        }
    }
    Ok(found)
}

/// Returns an argument as a path within the work tree, if it can be one.
fn within(root: &Path, arg: &str) -> Option<PathBuf> {
    let path = Path::new(arg);
    let relative = if path.is_absolute() { path.strip_prefix(root).ok()? } else { path };
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (plain && relative.components().next().is_some()).then(|| relative.to_owned())
}
