//! `git godzilla push`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::ui::{GREEN, RED, Ui, counted, styled};
use crate::domain::id::Name;
use crate::platform::git::{Moved, TransportError};
use crate::service::error::Error;
use crate::service::push::{self, Pushed, State, Wish};

/// Push branches as `git push` does, with the state in the same connection
///
/// Branch and state move together or not at all, where the server can do that. A server that refuses the
/// state gets the branch alone. Without a refspec the current branch goes where `git push` would push it,
/// and the branch of a protocol that was never pushed to the same name, which it follows then. Other
/// options of `git push`: use `git push`, which takes the state along as well.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(in crate::cli) struct Args {
    /// A remote, or an address, to which no state goes
    remote: Option<String>,

    /// What to push, as for `git push`
    refspecs: Vec<String>,

    /// Let the branch follow what it is pushed to
    #[arg(short = 'u', long)]
    set_upstream: bool,

    /// Push even what is no fast-forward; never the state
    #[arg(short, long)]
    force: bool,

    /// Push what is no fast-forward only if the remote holds what is expected
    #[arg(long, value_name = "REF[:EXPECT]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    force_with_lease: Option<String>,

    /// With `--force-with-lease`: only if what the remote holds was looked at
    #[arg(long)]
    force_if_includes: bool,

    /// Delete the named refs at the remote
    #[arg(short, long, requires = "remote", conflicts_with_all = ["tags", "set_upstream"])]
    delete: bool,

    /// Push all tags as well
    #[arg(long)]
    tags: bool,

    /// Push annotated tags of what is pushed as well
    #[arg(long)]
    follow_tags: bool,

    /// Only show what would be pushed
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Run no hooks
    #[arg(long)]
    no_verify: bool,

    /// Send this to the server's hooks
    #[arg(short = 'o', long = "push-option", value_name = "OPTION")]
    push_options: Vec<String>,
}

impl Args {
    fn wish(&self) -> Wish {
        let mut options = Vec::new();
        options.extend(self.force_with_lease.as_ref().map(|of| match of.as_str() {
            "" => "--force-with-lease".to_owned(),
            of => format!("--force-with-lease={of}"),
        }));
        options.extend(self.force_if_includes.then(|| "--force-if-includes".to_owned()));
        options.extend(std::io::stderr().is_terminal().then(|| "--progress".to_owned()));
        options.extend(self.follow_tags.then(|| "--follow-tags".to_owned()));
        options.extend(self.no_verify.then(|| "--no-verify".to_owned()));
        options.extend(self.push_options.iter().map(|option| format!("--push-option={option}")));
        options.extend(self.set_upstream.then(|| "--set-upstream".to_owned()));
        let mut refspecs = self.refspecs.clone();
        refspecs.extend(self.tags.then(|| "refs/tags/*:refs/tags/*".to_owned()));
        Wish {
            remote: self.remote.clone(),
            refspecs,
            force: self.force,
            delete: self.delete,
            dry_run: self.dry_run,
            options,
        }
    }
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let pushed = push::push(&ctx, &args.wish(), &mut |shown| match shown {
        push::Shown::Said(line) => ui.note(line),
        push::Shown::Doing(what) => ui.progress(what),
    });
    let pushed = pushed.map_err(|err| {
        let hint = match &err {
            Error::Transport(TransportError::Refused { .. }) if args.refspecs.is_empty() => {
                Some("say where and what to push, as in `git godzilla push -u origin HEAD`")
            }
            Error::Transport(TransportError::Refused { .. } | TransportError::Unreachable { .. }) => {
                Some("nothing was pushed; try again when git's complaint above is seen to")
            }
            _ => None,
        };
        let err = CliError::from(err);
        match hint {
            Some(hint) => err.hint(hint),
            None => err,
        }
    })?;
    for line in &pushed.said {
        ui.note(line);
    }
    if ui.json {
        ui.json(&document(&pushed, args.dry_run))?;
    } else {
        print(ui, &pushed, args.dry_run)?;
    }
    Ok(if pushed.refs.iter().all(Moved::is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn document(pushed: &Pushed, dry_run: bool) -> Value {
    let refs: Vec<Value> = pushed
        .refs
        .iter()
        .map(|moved| {
            json!({
                "name": moved.name,
                "from": Some(&moved.from).filter(|from| !from.is_empty() && *from != "(delete)"),
                "result": result(moved),
                "summary": moved.summary,
            })
        })
        .collect();
    let (way, n_pushed, n_left, message) = match &pushed.state {
        State::Elsewhere => ("none", 0, 0, None),
        State::Nothing => ("up_to_date", 0, 0, None),
        State::Together(n_events) => ("together", *n_events, 0, None),
        State::Apart(n_events) => ("apart", *n_events, 0, None),
        State::NotShared { n_events, reason } => ("not_shared", 0, *n_events, Some(reason)),
    };
    json!({
        "schema": "git-godzilla/push@1",
        "remote": pushed.remote,
        "dry_run": dry_run,
        "refs": refs,
        "state": way,
        "pushed_events": n_pushed,
        "unshared_events": n_left,
        "message": message,
    })
}

fn result(moved: &Moved) -> &'static str {
    match moved.flag {
        '+' => "forced",
        '-' => "deleted",
        '*' => "created",
        '=' => "up_to_date",
        '!' => "rejected",
        _ => "updated",
    }
}

/// Whether it is the branch of a protocol, as its name says.
fn is_of_protocol(moved: &Moved) -> bool {
    moved.name.strip_prefix("refs/heads/").is_some_and(|branch| branch.parse::<Name>().is_ok())
}

fn print(ui: &mut Ui, pushed: &Pushed, dry_run: bool) -> Result<(), CliError> {
    for moved in &pushed.refs {
        let mark = if moved.is_done() { styled(GREEN, "✓") } else { styled(RED, "✗") };
        let name = moved.name.strip_prefix("refs/heads/").unwrap_or(&moved.name);
        ui.line(format!("{mark} {name}: {}", moved.summary))?;
    }
    let remote = pushed.remote.as_deref().unwrap_or("the remote");
    let would = if dry_run { "would be " } else { "" };
    match &pushed.state {
        State::Elsewhere => (),
        State::Nothing => ui.line(format!("{} {remote} has the state", styled(GREEN, "✓")))?,
        State::Together(n_events) | State::Apart(n_events) => {
            ui.line(format!(
                "{} {remote}: {} {would}pushed",
                styled(GREEN, "✓"),
                counted(*n_events, "event")
            ))?;
        }
        State::NotShared { n_events, reason } => {
            ui.warn(format!("{} not on {remote} ({reason})", counted(*n_events, "event")));
            let rejected: Vec<&Moved> = pushed.refs.iter().filter(|moved| !moved.is_done()).collect();
            if rejected.is_empty() {
                ui.note("share them with `git godzilla sync`");
            } else if rejected.iter().any(|moved| is_of_protocol(moved)) {
                // Git says to pull, which would merge the work of another protocol.
                ui.note(
                    "`git godzilla sync` before you pull: if another protocol has that name there, \
                     yours gets one of its own",
                );
            }
        }
    }
    Ok(())
}
