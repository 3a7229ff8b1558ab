//! `git godzilla completions` and, for the scripts that it prints, `git godzilla __complete`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::home;
use crate::cli::complete::{Kind, Paths, Typed};
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{CYAN, Ui, styled};
use crate::platform::{env, fs};
use crate::service::complete;
use crate::service::complete::Named;
use crate::service::context::Context;
use crate::service::settings::Settings;

/// Complete commands, options and names in your shell, as `git godzilla <TAB>`
///
/// Prints the script, or puts it where the shell finds it by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  git godzilla completions bash --install
  git godzilla completions zsh > DIR/_git-godzilla   # a folder of $fpath")]
pub(in crate::cli) struct Args {
    /// The shell; that of `$SHELL` if left out
    shell: Option<Shell>,

    /// Write it into your own folder for such scripts
    #[arg(long)]
    install: bool,

    /// Remove it from there
    #[arg(long, conflicts_with = "install")]
    uninstall: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Called by the scripts: tells what can follow the words
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct CompleteArgs {
    /// What was typed after the program's name; the last word is to be completed
    #[arg(last = true)]
    words: Vec<OsString>,
}

impl Shell {
    const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../../completions/git-godzilla.bash"),
            Self::Zsh => include_str!("../../../completions/_git-godzilla"),
            Self::Fish => include_str!("../../../completions/git-godzilla.fish"),
        }
    }

    /// Where a person's own scripts go.
    fn path(self) -> Result<PathBuf, CliError> {
        Ok(match self {
            Self::Bash => match home::absolute("BASH_COMPLETION_USER_DIR")? {
                Some(dir) => dir.join("completions/git-godzilla"),
                None => home::data_dir()?.join("bash-completion/completions/git-godzilla"),
            },
            Self::Zsh => home::data_dir()?.join("zsh/site-functions/_git-godzilla"),
            Self::Fish => home::config_dir()?.join("fish/conf.d/git-godzilla.fish"),
        })
    }

    /// Where packages put it, below a folder `share`.
    fn packaged(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["bash-completion/completions/git-godzilla"],
            Self::Zsh => &["zsh/site-functions/_git-godzilla", "zsh/vendor-completions/_git-godzilla"],
            Self::Fish => {
                &["fish/vendor_conf.d/git-godzilla.fish", "fish/vendor_completions.d/git-godzilla.fish"]
            }
        }
    }

    /// What is left to do once the script is there.
    fn next(self) -> &'static str {
        match self {
            Self::Bash => {
                "open a new shell; the package bash-completion must be there, as most systems have it"
            }
            Self::Zsh => {
                "put this before `compinit` into ~/.zshrc: \
                 fpath=(${XDG_DATA_HOME:-~/.local/share}/zsh/site-functions $fpath)"
            }
            Self::Fish => "open a new shell",
        }
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let shell = match args.shell {
        Some(shell) => shell,
        None => shell_of_user()?,
    };
    if args.uninstall {
        return uninstall(ui, shell);
    }
    if args.install {
        return install(ui, shell);
    }
    if ui.json {
        answer(ui, shell, "printed", None, Some(shell.script()))?;
    } else {
        ui.verbatim(shell.script())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the name of the person's shell, if it is one of those that have a script of ours and has none.
pub(super) fn missing() -> Option<&'static str> {
    let shell = shell_of_user().ok()?;
    let beside = env::current_exe().and_then(|exe| Some(exe.parent()?.parent()?.join("share")));
    let shares = beside.into_iter().chain(["/usr/local/share", "/usr/share"].map(PathBuf::from));
    let mut packaged = shares.flat_map(|share| shell.packaged().iter().map(move |name| share.join(name)));
    let is_own = shell.path().is_ok_and(|path| path.exists());
    (!is_own && !packaged.any(|path| path.exists())).then(|| shell.name())
}

fn shell_of_user() -> Result<Shell, CliError> {
    let path = env::var_os("SHELL").map(PathBuf::from).unwrap_or_default();
    let name = path.file_name().unwrap_or_default();
    Shell::ALL.into_iter().find(|shell| name == shell.name()).ok_or_else(|| {
        CliError::new(Exit::Usage, "usage", "say for which shell: bash, zsh or fish")
            .hint("git godzilla completions bash")
    })
}

fn install(ui: &mut Ui, shell: Shell) -> Result<ExitCode, CliError> {
    let path = shell.path()?;
    let there = home::ours(&path)?;
    let result = if there.as_deref() == Some(shell.script().as_bytes()) { "unchanged" } else { "written" };
    if result == "written" {
        fs::replace_file(&path, shell.script().as_bytes(), false)?;
    }
    if ui.json {
        answer(ui, shell, result, Some(path), None)?;
        return Ok(ExitCode::SUCCESS);
    }
    let said = if result == "written" { "is written" } else { "is as it should be" };
    ui.line(format!("{} {said}", path.display()))?;
    ui.line(format!("next: {}", styled(CYAN, shell.next())))?;
    Ok(ExitCode::SUCCESS)
}

fn uninstall(ui: &mut Ui, shell: Shell) -> Result<ExitCode, CliError> {
    let path = shell.path()?;
    let was_there = home::ours(&path)?.is_some();
    fs::remove_if_there(&path)?;
    let result = if was_there { "removed" } else { "unchanged" };
    if ui.json {
        answer(ui, shell, result, Some(path), None)?;
    } else {
        let said = if was_there { "is removed" } else { "is not there" };
        ui.line(format!("{} {said}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(
    ui: &mut Ui,
    shell: Shell,
    result: &str,
    path: Option<PathBuf>,
    script: Option<&str>,
) -> Result<(), CliError> {
    ui.json(&json!({
        "schema": "git-godzilla/completions@1",
        "shell": shell.name(),
        "result": result,
        "path": path.map(|path| path.to_string_lossy().into_owned()),
        "script": script,
        "next": matches!(result, "written" | "unchanged").then(|| shell.next()),
    }))
}

/// Answers the scripts; whatever goes wrong, there is just nothing to offer.
pub(in crate::cli) fn complete(ui: &mut Ui, args: &CompleteArgs) -> Result<ExitCode, CliError> {
    let words: Vec<String> = args.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let root = crate::cli::definition();
    let typed = Typed::new(&root, &words);
    if let Some(dir) = typed.value("directory") {
        // A folder that is not there holds no names.
        drop(std::env::set_current_dir(dir));
    }
    if let Some(dir) = typed.value("git_dir") {
        ui.git_dir = Some(dir.into());
    }
    let answer = typed.answer(&|kind| names(ui, kind, typed.value("protocol").or(typed.value("name"))));
    let mut said = String::new();
    for Named { name, about } in answer.candidates {
        // Writing to a string does not fail.
        writeln!(said, "{name}\t{about}").ok();
    }
    said.push_str(match answer.paths {
        Some(Paths::Any) => ":paths\n",
        Some(Paths::Folders) => ":folders\n",
        None => ":none\n",
    });
    ui.verbatim(&said)?;
    Ok(ExitCode::SUCCESS)
}

fn names(ui: &Ui, kind: Kind, protocol: Option<&str>) -> Vec<Named> {
    let Ok(repo) = crate::cli::open(ui) else { return Vec::new() };
    let found = match kind {
        Kind::Protocol => complete::protocols(&repo),
        Kind::Remote => Ok(complete::remotes(&repo)),
        Kind::Branch => complete::branches(&repo),
        Kind::Step => {
            let settings = Settings::load(&repo);
            complete::steps(&Context::of_command(repo, settings), protocol)
        }
    };
    found.unwrap_or_default()
}
