//! The commit message of a protocol's branch: tag and trailer of its step, and the contract.

use std::collections::BTreeSet;
use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::observe::{self, Scope};
use super::on_commit::HookBranch;
use crate::domain::id::{Name, Oid, StepId};
use crate::domain::ledger::Ledger;
use crate::domain::message::{self, Comment, Decoration, Rules};
use crate::domain::spec::Spec;
use crate::domain::spec::contract::Problem;
use crate::domain::state::{Protocol, Step};
use crate::domain::status::{ProtocolStatus, StepStatus};
use crate::platform::{env, fs, process};
use crate::store::stream;

/// Something about a message or the state of its step that the contract does not want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: &'static str,
    pub message: String,
    pub remedy: String,
}

impl Finding {
    /// Whether the commit, once made, will be recorded without moving anything: post-commit says so.
    pub fn is_held(&self) -> bool {
        matches!(self.code, "protocol.paused" | "step.blocked" | "step.order")
    }
}

/// What git says of a message before anybody sees it: the kind of its source, and a commit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    pub kind: Option<&'a str>,
    pub commit: Option<&'a str>,
}

/// Adds tag and trailer of the current step to the message in `file` where they are absent; those
/// of the step of the commit that is being amended, if one is.
///
/// A message that git would abort on is left alone, so that git still does. A template is one as
/// long as nobody has edited it.
///
/// # Errors
///
/// [`Error`] if the stream or the file cannot be read or written. The message is whole then.
pub fn prepare(ctx: &Context, branch: &HookBranch, file: &Path, origin: Origin<'_>) -> Result<(), Error> {
    if branch.rebasing || origin.kind == Some("template") {
        return Ok(());
    }
    let Some(protocol) = peek(ctx, branch)? else { return Ok(()) };
    let amended = amended(ctx, origin)?;
    let step = amended.and_then(|oid| protocol.step(protocol.commits.get(&oid)?.step.as_ref()?));
    decorate(ctx, &protocol, step.or_else(|| protocol.current_step()), file)
}

/// Returns the commit that the new one takes the place of. Git says so unless the new message comes
/// from the command line; then it is the command line that tells, asked only if git also took over
/// the author's time.
fn amended(ctx: &Context, origin: Origin<'_>) -> Result<Option<Oid>, Error> {
    let Some(head) = ctx.repo.head()?.commit() else { return Ok(None) };
    let is_amended = match origin.kind {
        Some("commit") => origin.commit == Some("HEAD"),
        Some("message") => {
            let date = env::var("GIT_AUTHOR_DATE").unwrap_or_default();
            let seconds = date.trim_start_matches('@').split(' ').next().and_then(|word| word.parse().ok());
            seconds == Some(ctx.repo.commit(head)?.authored_s) && process::ancestor_is(is_amend)
        }
        _ => false,
    };
    Ok(is_amended.then_some(head))
}

/// Whether this is the command line of a `git commit --amend`.
fn is_amend(args: &[String]) -> bool {
    let mut options = args.iter().skip_while(|arg| *arg != "commit").take_while(|arg| *arg != "--");
    let is_option = |arg: &String| arg.len() > 3 && "--amend".starts_with(arg.as_str());
    args.first().is_some_and(|program| process::is_git(program)) && options.any(is_option)
}

/// Whether this is the command line of a `git commit` with `-m` or `-F`.
fn gives_a_message(args: &[String]) -> bool {
    let mut options = args.iter().skip_while(|arg| *arg != "commit").take_while(|arg| *arg != "--");
    let is_option = |arg: &String| match arg.strip_prefix("--") {
        Some(long) => long.starts_with("me") || long.starts_with("fil"),
        None => arg.starts_with('-') && arg.contains(['m', 'F']),
    };
    args.first().is_some_and(|program| process::is_git(program)) && options.any(is_option)
}

/// Adds what is still missing and returns what the contract does not want.
///
/// # Errors
///
/// As [`prepare`].
pub fn check(ctx: &Context, branch: &HookBranch, file: &Path) -> Result<Vec<Finding>, Error> {
    if branch.rebasing {
        return Ok(Vec::new());
    }
    let Some(protocol) = peek(ctx, branch)? else { return Ok(Vec::new()) };
    let raw = read(file)?;
    // A text that is given on the command line takes the template's place, even if it says the same.
    let is_given = || env::var("GIT_EDITOR").as_deref() == Some(":") && process::ancestor_is(gives_a_message);
    if is_untouched_template(ctx, &raw) && !is_given() {
        return Ok(Vec::new());
    }
    decorate(ctx, &protocol, protocol.current_step(), file)?;
    let raw = read(file)?;
    let rules = rules(ctx, &raw);
    if !message::has_content(&raw, &rules) {
        return Ok(Vec::new());
    }
    let state = state_findings(ctx, &protocol, &raw, &rules)?;
    // Who may not commit here at all need not be told how.
    let is_over = state.iter().any(|finding| finding.code == "protocol.over");
    let mut findings: Vec<Finding> = message::check_contract(&raw, &rules)
        .into_iter()
        .filter(|_| !is_over)
        .filter(|finding| ctx.settings.commit_tag || finding.code != "message.tag")
        .map(|finding| Finding {
            code: finding.code,
            message: finding.text,
            remedy: format!("write `type(scope): subject {}`", tag_of(&protocol)),
        })
        .collect();
    findings.extend(state);
    // Where nothing is refused, post-commit says it once the commit is there.
    if ctx.settings.commit_strict && !is_over {
        findings.extend(plan_findings(ctx, &branch.name)?);
    }
    Ok(findings)
}

/// What is wrong with the plan's files that are about to be committed.
fn plan_findings(ctx: &Context, name: &Name) -> Result<Vec<Finding>, Error> {
    let files = super::spec::files_staged(&ctx.repo, name)?;
    if files.texts.is_empty() && files.problems.is_empty() {
        return Ok(Vec::new());
    }
    let problems = files.spec(&Spec::default()).err().unwrap_or_default();
    let finding = |problem: &Problem| Finding {
        code: "plan.broken",
        message: format!("{}/{problem}", super::spec::folder(name)),
        remedy: "mend it and stage it".to_owned(),
    };
    Ok(problems.iter().take(3).map(finding).collect())
}

fn tag_of(protocol: &Protocol) -> String {
    let step = protocol.current_step().map_or(0, |step| step.id.number());
    message::tag(protocol.created.number, step)
}

/// Whether the step that the message names exists and may take commits.
fn state_findings(
    ctx: &Context,
    protocol: &Protocol,
    raw: &[u8],
    rules: &Rules,
) -> Result<Vec<Finding>, Error> {
    let name = protocol.name();
    let finding = |code, message: String, remedy: String| Finding { code, message, remedy };
    match protocol.recorded {
        ProtocolStatus::Paused => {
            let remedy = format!("git godzilla resume {name}");
            return Ok(vec![finding("protocol.paused", format!("protocol {name} is paused"), remedy)]);
        }
        status if status.is_final() => {
            let remedy = format!("git godzilla show {name}");
            return Ok(vec![finding("protocol.over", format!("protocol {name} is {status}"), remedy)]);
        }
        _ => (),
    }
    let (id, _) = observe::step_of(&|name| message::parse_draft(raw, rules, name), protocol);
    let step: Option<&Step> = match id {
        Some(id) => {
            let Some(step) = protocol.step(&id) else {
                let remedy = format!("git godzilla show {name}");
                return Ok(vec![finding("step.unknown", format!("the plan has no step {id}"), remedy)]);
            };
            Some(step)
        }
        None => protocol.current_step(),
    };
    let Some(step) = step else { return Ok(Vec::new()) };
    let id = &step.id;
    let open: Vec<String> = protocol.open_dependencies(step).map(|dep| dep.id.to_string()).collect();
    Ok(match step.recorded {
        // The commit that ended it may be amended.
        StepStatus::Completed if is_amend_of(ctx, protocol, id)? => Vec::new(),
        StepStatus::Completed | StepStatus::Cancelled => {
            let remedy = "name another step in the `Godzilla-Step` trailer".to_owned();
            vec![finding("step.over", format!("step {id} is {}", step.recorded), remedy)]
        }
        StepStatus::Blocked => {
            let remedy = format!("git godzilla unblock {id} -p {name}");
            vec![finding("step.blocked", format!("step {id} is blocked"), remedy)]
        }
        StepStatus::Pending if !open.is_empty() => {
            let remedy = "finish what it waits for, or name another step in the trailer".to_owned();
            vec![finding("step.order", format!("step {id} waits for {}", open.join(", ")), remedy)]
        }
        _ => Vec::new(),
    })
}

/// Whether the commit that is being made takes the place of one of this step.
fn is_amend_of(ctx: &Context, protocol: &Protocol, id: &StepId) -> Result<bool, Error> {
    let head = ctx.repo.head()?.commit();
    let replaced = head.and_then(|head| protocol.commits.get(&head)).and_then(|commit| commit.step.as_ref());
    Ok(replaced == Some(id) && process::ancestor_is(is_amend))
}

fn decorate(ctx: &Context, protocol: &Protocol, step: Option<&Step>, file: &Path) -> Result<(), Error> {
    let Some(step) = step.filter(|_| !protocol.shown.is_final()) else { return Ok(()) };
    let name = protocol.key();
    let want = Decoration {
        tag: ctx.settings.commit_tag.then(|| message::tag(protocol.created.number, step.id.number())),
        trailer_value: format!("{name}/{}", step.id),
        protocol: name,
    };
    let raw = read(file)?;
    if let Some(decorated) = message::decorate(&raw, &rules(ctx, &raw), &want) {
        fs::replace_file(file, &decorated, false).map_err(Error::io("write the commit message"))?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(Error::io("read the commit message"))
}

/// Whether git will abort because the message is the configured template as it was. One given with
/// `commit --template` is not known here.
fn is_untouched_template(ctx: &Context, raw: &[u8]) -> bool {
    let Some(path) = ctx.repo.config_path("commit.template") else { return false };
    if cleanup(ctx) == "verbatim" {
        return false;
    }
    std::fs::read(path).is_ok_and(|template| message::is_untouched(raw, &template, &rules(ctx, raw)))
}

fn cleanup(ctx: &Context) -> String {
    ctx.repo.config("commit.cleanup").unwrap_or_default()
}

/// Which lines of the message git will drop. `GIT_EDITOR` is `:` when no editor is opened.
fn rules(ctx: &Context, raw: &[u8]) -> Rules {
    let is_mark = |key: &str| ["commentChar", "commentString"].iter().any(|k| k.eq_ignore_ascii_case(key));
    let core = ctx.repo.config_section("core");
    let marks: Vec<String> =
        core.into_iter().rev().filter(|line| is_mark(&line.key)).filter_map(|line| line.value).collect();
    let comment = Comment::used_in(raw, &marks);
    let edited = env::var("GIT_EDITOR").as_deref() != Some(":");
    let keeps_comments = match cleanup(ctx).as_str() {
        "strip" => false,
        "whitespace" | "verbatim" | "scissors" => true,
        _ => !edited,
    };
    Rules { comment: if keeps_comments { comment.kept() } else { comment }, scissors: edited }
}

/// Returns the state that the next commit meets, with what the branch shows already. Writes nothing.
fn peek(ctx: &Context, branch: &HookBranch) -> Result<Option<Protocol>, Error> {
    let tips = branch.tips(ctx)?;
    let view = stream::view(&ctx.repo, &branch.name, &tips, None)?;
    let writer = ctx.writer();
    let specs = view.content.decoded_specs();
    let mut ledger = Ledger::new(branch.name.clone(), view.content.events(), specs, writer.author);
    if let Some(branch) = branch.gone_on(ctx, ledger.folded())? {
        return peek(ctx, &branch);
    }
    if let Some(protocol) = ledger.protocol() {
        let tips = HookBranch::branch_tips(ctx, protocol);
        let mut content = view.content;
        let both = (&mut ledger, &mut content);
        observe::reconcile(&ctx.repo, both, &tips, Scope::Commits, &BTreeSet::new())?;
    }
    Ok(ledger.protocol().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amend_is_told_from_the_command_line() {
        let is = |line: &str| is_amend(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["git commit --amend", "/usr/bin/git -C x commit -a --am -m y"] {
            assert!(is(line), "{line}");
        }
        for line in [
            "git commit -am y",
            "git commit -- --amend",
            "git log --amend",
            "sh commit --amend",
            "git commit --a",
        ] {
            assert!(!is(line), "{line}");
        }
    }
}
