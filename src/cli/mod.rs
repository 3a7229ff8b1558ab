//! The command line: parse, call one service, show the result.

mod commands;
mod complete;
pub mod error;
mod json;
mod pager;
mod pages;
mod parse;
mod told;
mod ui;

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueHint::DirPath;
use clap::{CommandFactory as _, ValueEnum as _};

use self::commands::{
    act, archive, budget, ci_report, completions, config, demo, doctor, engines, explain, export, hooks,
    import, init, list, log, man, notes, overlaps, plan, prompt, push, qa, ready, redact, renumber, restore,
    run, runs, show, spec, status, sync, trust, undo, uninstall, verify, worktrees,
};
use self::error::CliError;
use self::ui::{Color, Ui};
use crate::platform::git::Repo;
use crate::service::context::Context;
use crate::service::settings::Settings;

/// Ship work in parallel streams with strict, explicit protocols, inside Git
///
/// A protocol is one task: a number and a name, a branch and a worktree of that name, a plan that is
/// a contract, and ordered steps. Its state lives in refs of this repository; plain `git push` and
/// `git pull` share it.
#[derive(clap::Parser, Debug)]
#[command(name = "git-godzilla", bin_name = "git godzilla", version, max_term_width = 100)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Print JSON with a versioned schema on stdout
    #[arg(long, global = true)]
    json: bool,

    /// Run as if started in this folder
    #[arg(short = 'C', value_name = "PATH", value_hint = DirPath, global = true)]
    directory: Option<PathBuf>,

    /// The repository's git folder
    #[arg(long, value_name = "PATH", value_hint = DirPath, global = true)]
    git_dir: Option<PathBuf>,

    /// When to use colours; `NO_COLOR` and `CLICOLOR_FORCE` are honoured
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    color: Color,

    /// Show long text as it is, without a pager
    #[arg(long, global = true)]
    no_pager: bool,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Init(init::Args),
    Plan(plan::Args),
    Prompt(prompt::Args),
    List(list::Args),
    Status(status::Args),
    Show(show::Args),
    Log(log::Args),
    Ready(ready::Args),
    Explain(explain::Args),
    Budget(budget::Args),
    Spec(spec::Args),
    Overlaps(overlaps::Args),
    Start(act::StartArgs),
    Done(act::DoneArgs),
    Next(act::NextArgs),
    Block(act::BlockArgs),
    Unblock(act::UnblockArgs),
    Skip(act::SkipArgs),
    Approve(act::ApproveArgs),
    Retry(act::RetryArgs),
    Pause(act::PauseArgs),
    Resume(act::ResumeArgs),
    Cancel(act::CancelArgs),
    Complete(act::CompleteArgs),
    Comment(act::CommentArgs),
    Archive(archive::Args),
    Unarchive(act::UnarchiveArgs),
    Redact(redact::Args),
    Renumber(renumber::Args),
    Undo(undo::UndoArgs),
    Redo(undo::RedoArgs),
    Run(run::Args),
    Runs(runs::Args),
    Logs(runs::LogsArgs),
    Artifacts(runs::ArtifactsArgs),
    Qa(qa::Args),
    Verify(verify::Args),
    Trust(trust::Args),
    CiReport(ci_report::Args),
    Sync(sync::Args),
    Push(push::Args),
    Worktrees(worktrees::Args),
    Restore(restore::Args),
    Hooks(hooks::Args),
    Hook(hooks::HookArgs),
    Notes(notes::Args),
    Export(export::Args),
    Import(import::Args),
    Engines(engines::Args),
    Config(config::Args),
    Doctor(doctor::Args),
    Uninstall(uninstall::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(name = "__complete", hide = true)]
    OfferWords(completions::CompleteArgs),
}

/// Returns the definition of the command line, of which help, manual and completion are made.
pub fn definition() -> clap::Command {
    let mut definition = Cli::command();
    definition.build();
    definition
}

/// Runs the command line and returns the exit code.
pub fn run() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let wants_json = args.iter().any(|arg| arg == "--json");
    let cli = match parse::parse(&args) {
        Ok(cli) => cli,
        Err(err) => return usage(&err, wants_json, color_of(&args)),
    };
    let mut ui = Ui::new(cli.global.json, cli.global.color);
    ui.git_dir.clone_from(&cli.global.git_dir);
    ui.no_pager = cli.global.no_pager;
    trace_if_asked(&ui);
    let done = enter(&cli.global).and_then(|()| dispatch(&mut ui, cli.command));
    let shown = ui.finish();
    match done.and_then(|code| shown.map(|()| code)) {
        Ok(code) => code,
        Err(err) => {
            ui.error(&err);
            ExitCode::from(u8::try_from(err.exit as i32).unwrap_or(70))
        }
    }
}

/// Shows on stderr what happens inside, as `GODZILLA_LOG` asks (`debug`, `git_godzilla::store=trace`).
fn trace_if_asked(ui: &Ui) {
    use tracing_subscriber::EnvFilter;

    if let Some(wanted) = crate::platform::env::var("GODZILLA_LOG") {
        let filter = EnvFilter::new(wanted);
        let tracing = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        tracing.with_ansi(ui.stderr_has_colors()).without_time().init();
    }
}

/// Help goes to stdout; a mistake is shown as any other error.
fn usage(err: &clap::Error, wants_json: bool, color: Color) -> ExitCode {
    if wants_json && err.use_stderr() {
        let text = err.to_string();
        let said: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let first = said.join(" ").trim_start_matches("error: ").to_owned();
        Ui::new(true, color)
            .error(&CliError::new(error::Exit::Usage, "usage", first).hint("git godzilla -h"));
        return ExitCode::from(2);
    }
    if err.use_stderr() {
        // It repeats what was typed, or pasted.
        // Git answers `git godzilla --help` itself, with a manual page.
        let said = err.render().ansi().to_string();
        let advice = |line: &str| {
            if line.contains("For more information") { line.replace("--help", "-h") } else { line.to_owned() }
        };
        let said: Vec<String> = said.trim_end().lines().map(advice).collect();
        Ui::new(false, color).note(said.join("\n"));
        return ExitCode::from(2);
    }
    drop(Ui::new(false, color).line(err.render().ansi().to_string().trim_end()));
    ExitCode::SUCCESS
}

/// Returns what `--color` says, also in a command line that ends with the help.
fn color_of(args: &[std::ffi::OsString]) -> Color {
    let mut args = args.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
    let mut said = None;
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--color") {
            Some("") => said = args.next().map(Cow::into_owned),
            Some(rest) => said = rest.strip_prefix('=').map(str::to_owned).or(said),
            None => {}
        }
    }
    said.and_then(|word| Color::from_str(&word, false).ok()).unwrap_or_default()
}

/// Changes to the folder that `-C` names.
fn enter(global: &Global) -> Result<(), CliError> {
    if let Some(directory) = &global.directory {
        std::env::set_current_dir(directory).map_err(|err| {
            let message = format!("cannot change to `{}`: {err}", directory.display());
            CliError::new(error::Exit::Usage, "directory", message)
        })?;
    }
    Ok(())
}

fn open(ui: &Ui) -> Result<Repo, CliError> {
    match &ui.git_dir {
        Some(dir) => Ok(Repo::open(dir)?),
        None => Ok(Repo::discover(std::path::Path::new("."))?),
    }
}

/// Opens the repository with its settings, and settles what an interrupted `plan` has left.
fn context(ui: &mut Ui) -> Result<Context, CliError> {
    let ctx = context_as_is(ui)?;
    match crate::service::plan::recover(&ctx) {
        Ok(completed) => {
            for plan in completed {
                ui.note(format!("completed the plan of {}, which had been interrupted", plan.name));
                for warning in &plan.warnings {
                    ui.warn(warning);
                }
            }
        }
        // It can wait, as in a repository that is only read.
        Err(err) => tracing::debug!(err = crate::service::error_chain(&err), "an interrupted plan stays"),
    }
    crate::service::upkeep::maintain(&ctx.repo);
    if let Err(err) = crate::service::planner::settle_unrecorded(&ctx) {
        tracing::debug!(err = crate::service::error_chain(&err), "what was used is not recorded yet");
    }
    match crate::service::worktrees::recover(&ctx) {
        Ok(settled) => settled.into_iter().for_each(|said| ui.note(said)),
        Err(err) => tracing::debug!(err = crate::service::error_chain(&err), "an interrupted removal stays"),
    }
    match crate::service::hooks::heal(&ctx.repo) {
        Ok(healed) => healed.changed.iter().for_each(|change| ui.note(format!("hooks: {change}"))),
        Err(err) => tracing::debug!(err = crate::service::error_chain(&err), "hooks stay as they are"),
    }
    Ok(ctx)
}

/// Opens the repository with its settings, and says what of them cannot be understood.
fn context_as_is(ui: &mut Ui) -> Result<Context, CliError> {
    let ctx = context_unwarned(ui)?;
    for warning in &ctx.settings.warnings {
        ui.warn(warning);
    }
    Ok(ctx)
}

/// Opens the repository with its settings, once what runs left behind that were cut off is put back: an engine
/// may have written these settings.
fn context_unwarned(ui: &mut Ui) -> Result<Context, CliError> {
    let mut repo = open(ui)?;
    match crate::service::guard::settle(&repo) {
        Ok(told) if told.is_empty() => (),
        Ok(told) => {
            for line in told {
                ui.warn(line);
            }
            repo = open(ui)?;
        }
        Err(err) => ui.warn(crate::service::error_chain(&err)),
    }
    let settings = Settings::load(&repo);
    Ok(Context::of_command(repo, settings))
}

/// Whether a command decides something in the name of the person at the keyboard.
fn is_for_people(command: &Command) -> bool {
    match command {
        Command::Plan(args) if args.amend => return true,
        Command::Spec(args) if args.decides() => return true,
        Command::Worktrees(args) if args.removes() => return true,
        _ => (),
    }
    matches!(
        command,
        Command::Start(_)
            | Command::Done(_)
            | Command::Next(_)
            | Command::Block(_)
            | Command::Unblock(_)
            | Command::Skip(_)
            | Command::Approve(_)
            | Command::Retry(_)
            | Command::Pause(_)
            | Command::Resume(_)
            | Command::Cancel(_)
            | Command::Complete(_)
            | Command::Archive(_)
            | Command::Unarchive(_)
            | Command::Redact(_)
            | Command::Renumber(_)
            | Command::Undo(_)
            | Command::Redo(_)
            | Command::Run(_)
            | Command::Qa(_)
            | Command::Trust(_)
            | Command::Restore(_)
            | Command::Import(_)
            | Command::Uninstall(_)
    )
}

/// Refuses what decides for a person, where a gate or an engine does it.
fn not_within() -> Result<(), CliError> {
    use crate::platform::env::var;

    let (code, message) = if let Some(gate) = var("GODZILLA_GATE") {
        ("gate.inside", format!("this runs within the gate {gate}, which judges and decides nothing"))
    } else if let Some(run) = var("GODZILLA_RUN") {
        (
            "run.inside",
            format!("this runs within the run {run} of an engine, which decides nothing for people"),
        )
    } else {
        return Ok(());
    };
    Err(CliError::new(error::Exit::Policy, code, message))
}

fn dispatch(ui: &mut Ui, command: Command) -> Result<ExitCode, CliError> {
    if is_for_people(&command) {
        not_within()?;
    }
    match command {
        Command::Init(args) => init::run(ui, &args),
        Command::Plan(args) => plan::run(ui, &args),
        Command::Prompt(args) => prompt::run(ui, &args),
        Command::List(args) => list::run(ui, &args),
        Command::Status(args) => status::run(ui, &args),
        Command::Show(args) => show::run(ui, &args),
        Command::Log(args) => log::run(ui, &args),
        Command::Ready(args) => ready::run(ui, &args),
        Command::Explain(args) => explain::run(ui, &args),
        Command::Budget(args) => budget::run(ui, &args),
        Command::Spec(args) => spec::run(ui, &args),
        Command::Overlaps(args) => overlaps::run(ui, &args),
        Command::Start(args) => act::start(ui, &args),
        Command::Done(args) => act::done(ui, &args),
        Command::Next(args) => act::next(ui, &args),
        Command::Block(args) => act::block(ui, args),
        Command::Unblock(args) => act::unblock(ui, &args),
        Command::Skip(args) => act::skip(ui, args),
        Command::Approve(args) => act::approve(ui, args),
        Command::Retry(args) => act::retry(ui, &args),
        Command::Pause(args) => act::pause(ui, args),
        Command::Resume(args) => act::resume(ui, &args),
        Command::Cancel(args) => act::cancel(ui, args),
        Command::Complete(args) => act::complete(ui, args),
        Command::Comment(args) => act::comment(ui, args),
        Command::Archive(args) => archive::run(ui, args),
        Command::Unarchive(args) => act::unarchive(ui, args),
        Command::Redact(args) => redact::run(ui, &args),
        Command::Renumber(args) => renumber::run(ui, &args),
        Command::Undo(args) => undo::undo(ui, &args),
        Command::Redo(args) => undo::redo(ui, &args),
        Command::Run(args) => run::run(ui, &args),
        Command::Runs(args) => runs::run(ui, &args),
        Command::Logs(args) => runs::logs(ui, &args),
        Command::Artifacts(args) => runs::artifacts(ui, &args),
        Command::Qa(args) => qa::run(ui, &args),
        Command::Verify(args) => verify::run(ui, &args),
        Command::Trust(args) => trust::run(ui, &args),
        Command::CiReport(args) => ci_report::run(ui, args),
        Command::Sync(args) => sync::run(ui, &args),
        Command::Push(args) => push::run(ui, &args),
        Command::Worktrees(args) => worktrees::run(ui, &args),
        Command::Restore(args) => restore::run(ui, &args),
        Command::Hooks(args) => hooks::run(ui, &args),
        Command::Hook(args) => Ok(crate::hooks::run(&args.name, &args.args)),
        Command::Notes(args) => notes::run(ui, &args),
        Command::Export(args) => export::run(ui, &args),
        Command::Import(args) => import::run(ui, &args),
        Command::Engines(args) => engines::run(ui, &args),
        Command::Config(args) => config::run(ui, &args),
        Command::Doctor(args) => doctor::run(ui, &args),
        Command::Uninstall(args) => uninstall::run(ui, &args),
        Command::Demo(args) => demo::run(ui, args),
        Command::Completions(args) => completions::run(ui, &args),
        Command::Man(args) => man::run(ui, &args),
        Command::OfferWords(args) => completions::complete(ui, &args),
    }
}
