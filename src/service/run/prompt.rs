//! What an engine is told that does a step.

use crate::domain::event::Verdict;
use crate::domain::id::Oid;
use crate::domain::prompt::Values;
use crate::domain::run::RunKind;
use crate::domain::state::{Protocol, Step};
use crate::domain::text;
use crate::platform::git::Repo;
use crate::service::ask::Prompt;
use crate::service::context::Context;
use crate::service::error::Error;
use crate::service::streams::Streams;
use crate::service::workplace::Workplace;
use crate::service::{gates, list, prompts, resolve, spec};

/// How much of a file of the plan is told, in characters.
const MAX_FILE: usize = 40_000;

/// How many runs before this one are told.
const MAX_RUNS: usize = 5;

/// Returns the prompt of a step: to do it, or to go on with it where the last run ended.
///
/// # Errors
///
/// [`Error`] if the plan cannot be read from the branch.
pub(super) fn of(
    ctx: &Context,
    place: &Workplace,
    protocol: &Protocol,
    step: &Step,
    goes_on: bool,
) -> Result<(Prompt, Option<String>), Error> {
    let values = values(ctx, place.repo.tree_of(place.head)?, protocol, step)?;
    let base = protocol.created.base_commit;
    let template = if goes_on { "protocol-resume" } else { "execute-step" };
    let mut rendered = prompts::render(ctx, template, Some(base), &values)?;
    if !goes_on && step.attempt > 0 {
        let before = crate::domain::prompt::fenced("what happened before", &history(protocol, step));
        rendered.prompt.text.push_str(
            "\n\n## What happened before\n\nThis step was tried before. Mend what is named here.\n\n",
        );
        rendered.prompt.text.push_str(&before);
        rendered.prompt.text.push('\n');
    }
    Ok((rendered.prompt, rendered.notice))
}

/// Returns what prompts can say of a protocol and one of its steps, as the newest commit of its branch has
/// it, with the protocol's base and its commit.
///
/// # Errors
///
/// [`Error`] if there is no such protocol or step, or its branch is not here.
pub fn told_of(ctx: &Context, name: &str, step: Option<&str>) -> Result<(Values, (String, Oid)), Error> {
    let streams = Streams::for_target(ctx, Some(name))?;
    let target = resolve::protocol(&streams, Some(name))?;
    let protocol = list::show(&streams, &target.name, target.root)?.protocol;
    let id = resolve::step(&protocol, step)?;
    let Some(step) = protocol.step(&id) else {
        return Err(Error::Unknown { what: "step", text: id.to_string(), near: Vec::new() });
    };
    let tip = spec::audit::tip_of(&streams, &protocol)?;
    let values = values(ctx, ctx.repo.tree_of(tip)?, &protocol, step)?;
    Ok((values, (protocol.created.base.clone(), protocol.created.base_commit)))
}

fn values(ctx: &Context, tree: Oid, protocol: &Protocol, step: &Step) -> Result<Values, Error> {
    let repo = &ctx.repo;
    let name = protocol.key();
    let file =
        |file: &str| -> Result<String, Error> { told(repo, tree, &format!(".protocols/{name}/{file}")) };
    let base = protocol.created.base_commit;
    let settings = crate::service::settings::Settings::load_at(&ctx.repo, base);
    let gates = gates::at(&ctx.repo, base, &settings)?.map(|(folder, gates)| {
        gates.iter().map(|gate| format!("`{}/{}`", folder.path, gate.path)).collect::<Vec<_>>().join(", ")
    });
    let gates = gates.filter(|gates| !gates.is_empty()).unwrap_or_else(|| "the project has none".to_owned());
    Ok(Values::default()
        .word("protocol", &name)
        .quote("title", &protocol.created.title)
        .word("step", &step.id)
        .quote("step_title", &step.title)
        .word("gates", gates)
        .word("branch", &protocol.created.branch)
        .data("plan", "the plan", &file("plan.md")?)
        .data("step_file", "the step file", &file(&step.file)?)
        .data("log", "the log", &file("log.md")?)
        .data("status", "what happened before", &history(protocol, step)))
}

fn told(repo: &Repo, tree: Oid, path: &str) -> Result<String, Error> {
    let said = repo.text_at(tree, path)?.unwrap_or_else(|| "(there is no such file)".to_owned());
    Ok(text::clip(&said, MAX_FILE))
}

/// What gates, reviewers and engines said about the step, the newest last.
fn history(protocol: &Protocol, step: &Step) -> String {
    let mut lines = Vec::new();
    let runs: Vec<_> = protocol.runs_of(&step.id).filter(|run| run.started.kind != RunKind::Review).collect();
    for run in runs.iter().rev().take(MAX_RUNS).rev() {
        let Some(finished) = &run.finished else { continue };
        let said = text::clip(&text::one_line(&finished.message), 400);
        lines.push(format!("- a run of {} ended with {}: {said}", run.started.engine, finished.status));
    }
    if let Some(reason) = &step.reason {
        lines.push(format!("- the step began again: {}", text::one_line(reason)));
    }
    if let Some(shown) = &step.verdict {
        verdict(&mut lines, "the last verdict", &shown.verdict);
    }
    // What made it begin again is said of the step that went back.
    let others = protocol.steps.iter().filter(|other| other.id != step.id && step.rewound.is_some());
    for other in others.filter(|other| other.rewound == step.rewound) {
        if let Some(shown) = other.verdict.as_ref().filter(|shown| shown.verdict.result != "pass") {
            let what = format!("the work went back to this step, since the verdict on step {}", other.id);
            verdict(&mut lines, &what, &shown.verdict);
        }
    }
    if lines.is_empty() { "nothing yet".to_owned() } else { lines.join("\n") }
}

fn verdict(lines: &mut Vec<String>, what: &str, verdict: &Verdict) {
    lines.push(format!("- {what} was {}", verdict.result));
    for gate in verdict.gates.iter().filter(|gate| gate.exit != Some(0)) {
        lines.push(format!("- the gate {} did not pass; the end of what it said:\n{}", gate.name, gate.tail));
    }
    for finding in verdict.review.iter().flat_map(|review| &review.findings) {
        let place = match (&finding.path, finding.line) {
            (Some(path), Some(line)) => format!("{path}:{line}: "),
            (Some(path), None) => format!("{path}: "),
            _ => String::new(),
        };
        lines.push(format!("- {} ({place}{})", finding.severity, text::one_line(&finding.message)));
    }
}
