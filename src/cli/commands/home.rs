//! A person's own folders, and files of ours in them.

use std::path::{Path, PathBuf};

use crate::cli::error::{CliError, Exit};
use crate::platform::{env, fs};

/// What every file says that is written there.
const MARK: &[u8] = b"written by `git godzilla";

/// Returns `$XDG_DATA_HOME`, or `~/.local/share`.
///
/// # Errors
///
/// [`CliError`] if there is no home, or one with a relative path.
pub(super) fn data_dir() -> Result<PathBuf, CliError> {
    xdg("XDG_DATA_HOME", ".local/share")
}

/// Returns `$XDG_CONFIG_HOME`, or `~/.config`.
///
/// # Errors
///
/// [`CliError`] if there is no home, or one with a relative path.
pub(super) fn config_dir() -> Result<PathBuf, CliError> {
    xdg("XDG_CONFIG_HOME", ".config")
}

fn xdg(variable: &str, below_home: &str) -> Result<PathBuf, CliError> {
    // The standard wants relative paths to be passed over.
    let named = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    match named {
        Some(dir) => Ok(dir),
        None => Ok(absolute("HOME")?.ok_or_else(no_home)?.join(below_home)),
    }
}

fn no_home() -> CliError {
    CliError::new(Exit::Refused, "home.missing", "there is no home folder").hint("set HOME")
}

/// Returns the folder that a variable names, if it names one.
///
/// # Errors
///
/// [`CliError`] if its path is relative: it would mean another folder wherever this runs.
pub(super) fn absolute(variable: &str) -> Result<Option<PathBuf>, CliError> {
    let Some(dir) = env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    if dir.is_absolute() {
        return Ok(Some(dir));
    }
    let message = format!("{variable} is `{}`, which is no absolute path", dir.display());
    let hint = format!("set {variable} to a path that begins with a slash; nothing was written");
    Err(CliError::new(Exit::Refused, "home.relative", message).hint(hint))
}

/// Returns what is in a file that this program wrote, and `None` if there is no file.
///
/// # Errors
///
/// [`CliError`] if somebody else wrote it, or it cannot be read.
pub(super) fn ours(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    let Some(bytes) = fs::read_if_there(path)? else { return Ok(None) };
    let n_head = bytes.len().min(1024);
    if bytes[..n_head].windows(MARK.len()).any(|window| window == MARK) {
        return Ok(Some(bytes));
    }
    let message = format!("`{}` was not written by this program", path.display());
    Err(CliError::new(Exit::Refused, "file.foreign", message).hint("move it away, then run this again"))
}
