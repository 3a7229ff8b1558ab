//! `info/exclude`: what git is not to show, without touching a committed file.

use super::context::Context;
use super::error::Error;
use crate::platform::{fail, fs};

/// Adds a line if it is not there. Returns whether it was added.
///
/// # Errors
///
/// [`Error`] if the file cannot be written.
pub fn add(ctx: &Context, line: &str) -> Result<bool, Error> {
    let path = ctx.repo.common_dir().join("info").join("exclude");
    let mut bytes = fs::read_if_there(&path).map_err(Error::io("read info/exclude"))?.unwrap_or_default();
    if bytes.split(|byte| *byte == b'\n').any(|known| known.trim_ascii_end() == line.as_bytes()) {
        return Ok(false);
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    fs::replace_file(&path, &bytes, false).map_err(Error::io("write info/exclude"))?;
    fail::point("exclude.added");
    Ok(true)
}
