//! The verbs of the life cycle: `start`, `done`, `next`, `block`, `unblock`, `skip`, `approve`,
//! `retry`, `pause`, `resume`, `cancel`, `complete`, `comment`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{CYAN, Ui, status_look, styled};
use crate::domain::event::Body;
use crate::domain::id::StepId;
use crate::domain::status::StepStatus;
use crate::service::act::{self, Acted, Verb};
use crate::service::run as runs;

/// Which protocol and step are meant
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct StepTarget {
    /// The step's id or number; the current one if left out
    step: Option<String>,

    /// The protocol's name or number; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,
}

impl StepTarget {
    /// Returns the protocol and the step that are named.
    pub(in crate::cli) fn names(&self) -> (Option<&str>, Option<&str>) {
        (self.protocol.as_deref(), self.step.as_deref())
    }
}

/// Which protocol is meant
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Target {
    /// The protocol's name or number; that of the current branch if left out
    name: Option<String>,

    /// The same
    #[arg(short, long = "protocol", value_name = "NAME", conflicts_with = "name")]
    protocol: Option<String>,
}

impl Target {
    /// Returns the protocol that is named.
    pub(in crate::cli) fn name(&self) -> Option<&str> {
        self.name.as_deref().or(self.protocol.as_deref())
    }
}

/// Begin a step
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct StartArgs {
    #[command(flatten)]
    target: StepTarget,
}

/// Begin the next step whose turn it is, and run it if an engine does it
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct NextArgs {
    /// The protocol's name or number; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,

    #[command(flatten)]
    going: Going,
}

/// Whether to go on with an engine
#[derive(clap::Args, Debug)]
struct Going {
    /// Run nothing, also if an engine does the step
    #[arg(long)]
    no_run: bool,

    #[command(flatten)]
    with: super::run::With,
}

/// End the work on a step: it needs QA next, or is completed if its plan asks for none
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct DoneArgs {
    #[command(flatten)]
    target: StepTarget,

    /// The step has no commit, and that is meant
    #[arg(long)]
    no_commit: bool,
}

/// Say that a step cannot go on
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct BlockArgs {
    #[command(flatten)]
    target: StepTarget,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Let a blocked step go on where it was
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct UnblockArgs {
    #[command(flatten)]
    target: StepTarget,
}

/// Give a step up; the next one's turn comes
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct SkipArgs {
    #[command(flatten)]
    target: StepTarget,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Complete a step that needs QA, on your word
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct ApproveArgs {
    #[command(flatten)]
    target: StepTarget,

    /// Why; needed for a step that failed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Sign it with the key that git signs your commits with; `git godzilla verify` checks it
    #[arg(long)]
    sign: bool,
}

/// Begin a failed or blocked step once more, and run it if an engine does it
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct RetryArgs {
    #[command(flatten)]
    target: StepTarget,

    #[command(flatten)]
    going: Going,
}

/// Hold a protocol; commits are still recorded, but move nothing
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct PauseArgs {
    #[command(flatten)]
    target: Target,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Let a paused protocol go on, and a run that was cut off
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct ResumeArgs {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    going: Going,
}

/// Give a protocol up, with its open steps; its branch and worktree stay
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct CancelArgs {
    #[command(flatten)]
    target: Target,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Complete a protocol that will never be merged (a merge completes it by itself)
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct CompleteArgs {
    #[command(flatten)]
    target: Target,

    /// Its work is never merged, and that is meant
    #[arg(long)]
    unmerged: bool,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Take a protocol out of the archive: it is listed again, and stays
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct UnarchiveArgs {
    #[command(flatten)]
    target: Target,

    /// Let it go on, if it was cancelled or completed without a merge
    #[arg(long)]
    reopen: bool,

    /// Why it goes on
    #[arg(long, value_name = "TEXT", requires = "reopen")]
    reason: Option<String>,
}

/// Add a note for people
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct CommentArgs {
    /// The note
    text: String,

    /// The step it is about
    step: Option<String>,

    /// The protocol's name or number; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME")]
    protocol: Option<String>,
}

pub(in crate::cli) fn start(ui: &mut Ui, args: &StartArgs) -> Result<ExitCode, CliError> {
    on_step(ui, "start", &args.target, &Verb::Start)
}

pub(in crate::cli) fn next(ui: &mut Ui, args: &NextArgs) -> Result<ExitCode, CliError> {
    going_on(ui, "next", args.protocol.as_deref(), None, &Verb::Next, &args.going)
}

pub(in crate::cli) fn done(ui: &mut Ui, args: &DoneArgs) -> Result<ExitCode, CliError> {
    on_step(ui, "done", &args.target, &Verb::Done { no_commit: args.no_commit })
}

pub(in crate::cli) fn block(ui: &mut Ui, args: BlockArgs) -> Result<ExitCode, CliError> {
    on_step(ui, "block", &args.target, &Verb::Block { reason: args.reason })
}

pub(in crate::cli) fn unblock(ui: &mut Ui, args: &UnblockArgs) -> Result<ExitCode, CliError> {
    on_step(ui, "unblock", &args.target, &Verb::Unblock)
}

pub(in crate::cli) fn skip(ui: &mut Ui, args: SkipArgs) -> Result<ExitCode, CliError> {
    on_step(ui, "skip", &args.target, &Verb::Skip { reason: args.reason })
}

pub(in crate::cli) fn approve(ui: &mut Ui, args: ApproveArgs) -> Result<ExitCode, CliError> {
    let mode = if crate::platform::env::var_os("CI").is_some() {
        "ci"
    } else if std::io::stdin().is_terminal() {
        "terminal"
    } else {
        "delegated"
    };
    on_step(ui, "approve", &args.target, &Verb::Approve { reason: args.reason, mode, sign: args.sign })
}

pub(in crate::cli) fn retry(ui: &mut Ui, args: &RetryArgs) -> Result<ExitCode, CliError> {
    let (name, step) = args.target.names();
    going_on(ui, "retry", name, step, &Verb::Retry, &args.going)
}

pub(in crate::cli) fn pause(ui: &mut Ui, args: PauseArgs) -> Result<ExitCode, CliError> {
    on_protocol(ui, "pause", &args.target, &Verb::Pause { reason: args.reason })
}

pub(in crate::cli) fn resume(ui: &mut Ui, args: &ResumeArgs) -> Result<ExitCode, CliError> {
    going_on(ui, "resume", args.target.name(), None, &Verb::Resume, &args.going)
        .map_err(|err| err.for_argument_of("resume"))
}

pub(in crate::cli) fn cancel(ui: &mut Ui, args: CancelArgs) -> Result<ExitCode, CliError> {
    on_protocol(ui, "cancel", &args.target, &Verb::Cancel { reason: args.reason })
}

pub(in crate::cli) fn complete(ui: &mut Ui, args: CompleteArgs) -> Result<ExitCode, CliError> {
    if !args.unmerged {
        let message = "a protocol is completed by merging its branch into its base";
        return Err(CliError::new(Exit::Refused, "complete.unmerged", message)
            .hint("if it will never be merged: git godzilla complete NAME --unmerged --reason \"…\""));
    }
    let Some(reason) = args.reason else {
        return Err(CliError::new(
            Exit::Usage,
            "complete.reason",
            "completing without a merge needs a reason",
        )
        .hint("add `--reason \"…\"`"));
    };
    on_protocol(ui, "complete", &args.target, &Verb::CompleteUnmerged { reason })
}

pub(in crate::cli) fn unarchive(ui: &mut Ui, args: UnarchiveArgs) -> Result<ExitCode, CliError> {
    let verb = Verb::Unarchive { reopen: args.reopen, reason: args.reason };
    on_protocol(ui, "unarchive", &args.target, &verb)
}

pub(in crate::cli) fn comment(ui: &mut Ui, args: CommentArgs) -> Result<ExitCode, CliError> {
    let verb = Verb::Comment { text: args.text };
    run(ui, "comment", args.protocol.as_deref(), args.step.as_deref(), &verb)
}

fn on_step(ui: &mut Ui, command: &str, target: &StepTarget, verb: &Verb) -> Result<ExitCode, CliError> {
    run(ui, command, target.protocol.as_deref(), target.step.as_deref(), verb)
}

fn on_protocol(ui: &mut Ui, command: &str, target: &Target, verb: &Verb) -> Result<ExitCode, CliError> {
    run(ui, command, target.name(), None, verb).map_err(|err| err.for_argument_of(command))
}

/// Does what the verb says, and runs the step if an engine does it.
fn going_on(
    ui: &mut Ui,
    command: &str,
    name: Option<&str>,
    step: Option<&str>,
    verb: &Verb,
    going: &Going,
) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    // Who is meant is for the verb to refuse.
    if let Ok(shown) = super::show::load(&ctx, command, name) {
        super::show::warn_of_plan(ui, &ctx, &shown.protocol);
    }
    if !going.no_run {
        runs::check(&ctx, &going.with.request(name, step), verb)?;
    }
    let acted = act::act(&ctx, name, step, verb)?;
    let protocol = &acted.protocol;
    let id = acted.step.clone().or_else(|| protocol.current_step().map(|step| step.id.clone()));
    let step = id.as_ref().and_then(|id| protocol.step(id));
    let request = going.with.request(Some(acted.name.as_str()), id.as_ref().map(StepId::as_str));
    let runs = !going.no_run
        && step.is_some_and(|step| {
            matches!(step.recorded, StepStatus::Running | StepStatus::Pending)
                && runs::is_for_engine(&ctx, &request, step)
        });
    if !runs {
        print(ui, command, &acted)?;
        return Ok(ExitCode::SUCCESS);
    }
    super::run::perform(ui, &ctx, &request)
}

fn run(
    ui: &mut Ui,
    command: &str,
    name: Option<&str>,
    step: Option<&str>,
    verb: &Verb,
) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let acted = act::act(&ctx, name, step, verb)?;
    print(ui, command, &acted)?;
    let step = acted.step.as_ref().and_then(|id| acted.protocol.step(id));
    if matches!(command, "done" | "approve") && step.is_some_and(|step| step.shown == StepStatus::Completed) {
        super::overlaps::tell(ui, &ctx, &acted.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(ui: &mut Ui, command: &str, acted: &Acted) -> Result<(), CliError> {
    let protocol = &acted.protocol;
    let name = protocol.name();
    let step = acted.step.as_ref().and_then(|id| protocol.step(id));
    let status = step.map_or(protocol.shown.as_str(), |step| step.shown.as_str());
    // What the branch showed is recorded beside what was asked for.
    let recorded = acted.events.iter().any(|event| !matches!(event.body, Body::CommitSeen(_)));
    let subject = match step {
        Some(step) => format!("step {name}/{}", step.id),
        None => format!("protocol {name}"),
    };
    let message = match (command, recorded) {
        ("comment", _) => format!("noted on {subject}"),
        ("unarchive", true) => format!("{subject} {}, and out of the archive", stands(status)),
        ("unarchive", false) => format!("{subject} {}, and out of the archive already", stands(status)),
        (_, true) => format!("{subject} {}", stands(status)),
        (_, false) => format!("{subject} {} already", stands(status)),
    };
    if ui.json {
        let events: Vec<Value> = acted.events.iter().map(|event| event.id.to_string().into()).collect();
        return ui.json(&json!({
            "schema": format!("git-godzilla/{command}@1"),
            "name": name,
            "step": acted.step.as_ref().map(ToString::to_string),
            "status": status,
            "recorded": recorded,
            "events": events,
            "message": message,
        }));
    }
    let (glyph, style) = status_look(status);
    ui.line(format!("{} {message}", styled(style, glyph)))?;
    if let Some(reason) = acted.waits_for {
        ui.line(format!("  {reason}"))?;
    }
    if let Some(next) = protocol.current_step().filter(|next| Some(&next.id) != acted.step.as_ref())
        && !protocol.shown.is_final()
        && matches!(command, "done" | "skip" | "approve")
    {
        ui.line(format!("  next is {} ({})", styled(CYAN, &next.id), next.title))?;
    } else if protocol.is_ready_to_merge() && command != "comment" {
        ui.line(format!(
            "  every step is settled: merge {} into {}",
            protocol.created.branch, protocol.created.base
        ))?;
    }
    Ok(())
}

fn stands(status: &str) -> String {
    if status == "needs_qa" { "needs QA".to_owned() } else { format!("is {status}") }
}
