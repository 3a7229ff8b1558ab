//! `git godzilla man`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::home;
use crate::cli::error::{CliError, Exit};
use crate::cli::pages::{self, Page};
use crate::cli::ui::{CYAN, Ui, counted, styled};
use crate::platform::process::{self, Limits};
use crate::platform::{foreground, fs};

/// Show the manual, or put it where `git godzilla --help` finds it
///
/// Git answers `git godzilla --help` and `git help godzilla` with a manual page, so these work once the
/// pages are installed.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// The command to read about, as in `man hooks install`
    #[arg(value_name = "COMMAND", conflicts_with_all = ["install", "uninstall"])]
    page: Vec<String>,

    /// Print the page's source instead of showing it
    #[arg(long, conflicts_with_all = ["install", "uninstall"])]
    print: bool,

    /// Write the pages of all commands into your folder of manuals
    #[arg(long)]
    install: bool,

    /// Remove them from there
    #[arg(long, conflicts_with = "install")]
    uninstall: bool,

    /// The folder that holds `man1`; by default `man` in `$XDG_DATA_HOME` or `~/.local/share`
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

/// A page that is there, or no longer.
struct Kept {
    page: Page,
    file: PathBuf,
    result: &'static str,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    if args.install || args.uninstall {
        let dir = match &args.dir {
            Some(dir) => std::path::absolute(dir)?,
            None => home::data_dir()?.join("man"),
        };
        return if args.install { install(ui, &dir) } else { uninstall(ui, &dir) };
    }
    let page = find(&args.page)?;
    if ui.json {
        let page = json!({
            "name": page.name, "summary": page.summary, "file": null, "result": "printed", "text": page.roff,
        });
        answer(ui, None, &[page], None, None)?;
    } else if args.print {
        ui.verbatim(&page.roff)?;
    } else {
        return show(ui, &page, &args.page);
    }
    Ok(ExitCode::SUCCESS)
}

fn find(words: &[String]) -> Result<Page, CliError> {
    // Also as `man` itself names it.
    let words = words.join("-");
    let words =
        words.strip_prefix("git-godzilla").map_or(words.as_str(), |rest| rest.trim_start_matches('-'));
    let name = if words.is_empty() { "git-godzilla".to_owned() } else { format!("git-godzilla-{words}") };
    pages::all().into_iter().find(|page| page.name == name).ok_or_else(|| {
        let message = format!("there is no command `{}`", crate::domain::text::one_line(words));
        CliError::new(Exit::Unknown, "command.unknown", message).hint("git godzilla -h")
    })
}

/// Shows a page with `man`, or the help if there is no `man`.
fn show(ui: &mut Ui, page: &Page, words: &[String]) -> Result<ExitCode, CliError> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join(format!("{}.1", page.name));
    fs::replace_file(&file, page.roff.as_bytes(), false)?;
    // With a slash in it, it is a file for every `man` there is.
    match foreground::run(process::command("man").arg(&file)) {
        Ok(ended) if ended.exit_code == 0 || ended.interrupted => Ok(ExitCode::SUCCESS),
        Ok(ended) => {
            let message = format!("`man` ended with {}", ended.exit_code);
            let hint = format!("git godzilla {} -h", words.join(" "));
            Err(CliError::new(Exit::Program, "man.failed", message).hint(hint.replace("  ", " ")))
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            let mut command = crate::cli::definition();
            for word in words {
                command = command.find_subcommand(word).cloned().unwrap_or(command);
            }
            ui.line(command.render_long_help())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(err) => Err(err.into()),
    }
}

fn install(ui: &mut Ui, dir: &Path) -> Result<ExitCode, CliError> {
    let mut kept = Vec::new();
    for page in pages::all() {
        let file = file_of(dir, &page);
        let is_there = home::ours(&file)?.is_some_and(|bytes| bytes == page.roff.as_bytes());
        if !is_there {
            fs::replace_file(&file, page.roff.as_bytes(), false)?;
        }
        kept.push(Kept { page, file, result: if is_there { "unchanged" } else { "written" } });
    }
    let found = is_found(&kept[0].file);
    let next = match found {
        Some(false) => format!("export MANPATH=\"{}:$MANPATH\"", dir.display()),
        _ => "git godzilla --help".to_owned(),
    };
    if ui.json {
        answer(ui, Some(dir), &documents(&kept), found, Some(&next))?;
        return Ok(ExitCode::SUCCESS);
    }
    let n_written = kept.iter().filter(|kept| kept.result == "written").count();
    let place = dir.join("man1");
    if n_written == 0 {
        ui.line(format!("the {} in {} are as they should be", counted(kept.len(), "page"), place.display()))?;
    } else {
        ui.line(format!("{} written to {}", counted(n_written, "page"), place.display()))?;
    }
    match found {
        Some(true) => {}
        Some(false) => ui.warn("`man` does not look there; put this into the file that starts your shell"),
        None => ui.warn("there is no `man` here that could show them"),
    }
    ui.line(format!("next: {}", styled(CYAN, next)))?;
    Ok(ExitCode::SUCCESS)
}

fn uninstall(ui: &mut Ui, dir: &Path) -> Result<ExitCode, CliError> {
    let mut kept = Vec::new();
    for page in pages::all() {
        let file = file_of(dir, &page);
        let is_there = home::ours(&file)?.is_some();
        fs::remove_if_there(&file)?;
        kept.push(Kept { page, file, result: if is_there { "removed" } else { "unchanged" } });
    }
    if ui.json {
        answer(ui, Some(dir), &documents(&kept), None, None)?;
        return Ok(ExitCode::SUCCESS);
    }
    let n_removed = kept.iter().filter(|kept| kept.result == "removed").count();
    ui.line(format!("{} removed from {}", counted(n_removed, "page"), dir.join("man1").display()))?;
    Ok(ExitCode::SUCCESS)
}

fn file_of(dir: &Path, page: &Page) -> PathBuf {
    dir.join("man1").join(format!("{}.1", page.name))
}

/// Whether `man` finds a page of ours; `None` without a `man`.
pub(super) fn is_there() -> Option<bool> {
    Some(!found()?.trim().is_empty())
}

/// Whether `man` finds the page at `file` by its name; `None` without a `man`.
fn is_found(file: &Path) -> Option<bool> {
    Some(found()?.lines().any(|line| fs::is_same_file(Path::new(line.trim()), file)))
}

/// Returns where `man` has our page; `None` without a `man`.
fn found() -> Option<String> {
    let limits = Limits { total: Some(Duration::from_secs(10)), ..Limits::default() };
    let output =
        process::run(process::command("man").args(["-w", "git-godzilla"]), None, limits, |_| {}).ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn documents(kept: &[Kept]) -> Vec<Value> {
    let document = |kept: &Kept| {
        json!({
            "name": kept.page.name,
            "summary": kept.page.summary,
            "file": kept.file.to_string_lossy(),
            "result": kept.result,
            "text": null,
        })
    };
    kept.iter().map(document).collect()
}

fn answer(
    ui: &mut Ui,
    dir: Option<&Path>,
    pages: &[Value],
    found: Option<bool>,
    next: Option<&str>,
) -> Result<(), CliError> {
    ui.json(&json!({
        "schema": "git-godzilla/man@1",
        "dir": dir.map(Path::to_string_lossy),
        "pages": pages,
        "found": found,
        "next": next,
    }))
}
