//! `git godzilla prompt`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::error::{CliError, Exit};
use crate::cli::told::grouped;
use crate::cli::ui::{BOLD, CYAN, DIM, Table, Ui, styled};
use crate::domain::id::Oid;
use crate::domain::prompt::{self, Values};
use crate::domain::run::estimate_tokens;
use crate::service::context::Context;
use crate::service::prompts::{self, Origin, Template};
use crate::service::run;
use crate::service::snapshot::Snapshot;

/// The prompts that engines are given, and the project's own in place of some of them
///
/// A project has its own in `prompts/NAME.md` of its base; they are used after `git godzilla trust`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List all prompts
    List,
    /// Show a prompt with its places, `{{…}}`, as they are
    Show {
        /// Its name
        name: String,
    },
    /// Show a prompt as an engine would get it
    ///
    /// `{{snapshot}}` and `{{base}}` are filled in from the base branch, and with `-p` what is about a
    /// protocol and one of its steps as well; what else the prompt names is given with `--set`, and stands
    /// there as data.
    Render {
        /// Its name
        name: String,
        /// The protocol that it is about, by its name or number
        #[arg(short, long = "protocol", value_name = "NAME")]
        protocol: Option<String>,
        /// The step that it is about; the current one if left out
        #[arg(long, value_name = "STEP", requires = "protocol")]
        step: Option<String>,
        /// What stands for a place, as in `title=Add login`; may be repeated
        #[arg(long = "set", value_name = "PLACE=TEXT")]
        set: Vec<String>,
    },
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    let ctx = crate::cli::context(ui)?;
    let found = prompts::base(&ctx)?;
    let base = found.as_ref().map(|(_, commit)| *commit);
    match &args.command {
        Command::List => list(ui, &prompts::all(&ctx, base)?)?,
        Command::Show { name } => {
            let template = prompts::find(&ctx, name, base)?;
            told(ui, &template);
            if ui.json {
                ui.json(&document(&template, &template.text))?;
            } else {
                ui.page(&ctx.repo);
                ui.line(styled(BOLD, template.version()))?;
                ui.line("")?;
                lines(ui, &template.text)?;
            }
        }
        Command::Render { name, protocol, step, set } => {
            let of =
                protocol.as_deref().map(|named| run::told_of(&ctx, named, step.as_deref())).transpose()?;
            let (values, base) = match of {
                Some((values, base)) => (values, Some(base)),
                None => (Values::default(), found),
            };
            render(ui, &ctx, name, base.as_ref(), values, set)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows a prompt with `values` in it; what is given in `set` goes before them.
fn render(
    ui: &mut Ui,
    ctx: &Context,
    name: &str,
    base: Option<&(String, Oid)>,
    mut values: Values,
    set: &[String],
) -> Result<(), CliError> {
    let template = prompts::find(ctx, name, base.map(|(_, commit)| *commit))?;
    told(ui, &template);
    let mut given = Vec::new();
    for pair in set {
        given.push(pair.split_once('=').ok_or_else(|| {
            CliError::new(Exit::Usage, "prompt.set", "`--set` takes a place and its text")
                .hint(format!("git godzilla prompt render {name} --set title=\"Add login\""))
        })?);
    }
    let known = prompt::places(&template.text);
    if let Some((place, _)) = given.iter().find(|(place, _)| !known.contains(place)) {
        let message = format!("the prompt {name} has no place `{{{{{place}}}}}`");
        return Err(CliError::new(Exit::Usage, "prompt.set", message)
            .hint(format!("git godzilla prompt show {name}")));
    }
    for place in known {
        if let Some((_, text)) = given.iter().find(|(known, _)| *known == place) {
            values = values.data(place, "what was given for it", text);
        } else if let Some((name, commit)) = base {
            values = match place {
                "base" => values.quote("base", name),
                "snapshot" => {
                    let seen = Snapshot::of(&ctx.repo, *commit)?;
                    values.data("snapshot", "what the repository holds", &seen.to_text())
                }
                _ => values,
            };
        }
    }
    let rendered = prompts::fill(&template, &values)?;
    if ui.json {
        return ui.json(&document(&template, &rendered.prompt.text));
    }
    ui.page(&ctx.repo);
    lines(ui, &rendered.prompt.text)?;
    let tokens = grouped(estimate_tokens(&rendered.prompt.text));
    ui.note(styled(DIM, format!("{}: about {tokens} tokens", template.version())));
    Ok(())
}

fn told(ui: &mut Ui, template: &Template) {
    if let Some(notice) = &template.notice {
        ui.warn(notice);
    }
}

fn lines(ui: &mut Ui, text: &str) -> Result<(), CliError> {
    text.lines().try_for_each(|line| ui.line(line))
}

fn list(ui: &mut Ui, templates: &[Template]) -> Result<(), CliError> {
    if ui.json {
        let prompts: Vec<Value> = templates.iter().map(entry).collect();
        return ui.json(&json!({ "schema": "git-godzilla/prompts@1", "prompts": prompts }));
    }
    let mut table = Table::default();
    for template in templates {
        let origin = match (template.origin, &template.notice) {
            (Origin::Project(_), _) => "the project's own",
            (Origin::BuiltIn, Some(_)) => "built in; the project's own is not agreed to",
            (Origin::BuiltIn, None) => "",
        };
        table.row([
            (template.name.to_owned(), CYAN),
            (template.description.clone(), anstyle::Style::new()),
            (origin.to_owned(), DIM),
        ]);
    }
    for line in table.lines() {
        ui.line(line.trim_end())?;
    }
    Ok(())
}

fn entry(template: &Template) -> Value {
    json!({
        "name": template.name,
        "description": template.description,
        "version": template.version(),
        "origin": template.origin.as_str(),
        "notice": template.notice,
        "places": prompt::places(&template.text),
    })
}

fn document(template: &Template, text: &str) -> Value {
    let mut document = json!({ "schema": "git-godzilla/prompt@1" });
    if let (Value::Object(all), Value::Object(entry)) = (&mut document, entry(template)) {
        all.extend(entry);
        all.insert("text".to_owned(), text.into());
        all.insert("estimated_tokens".to_owned(), estimate_tokens(text).into());
    }
    document
}
