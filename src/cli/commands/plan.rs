//! `git godzilla plan`.

mod by_engine;
mod shown;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use self::shown::Shown;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;
use crate::domain::outline::{self, Outline, OutlineStep};
use crate::domain::spec::QaPolicy;
use crate::domain::text;
use crate::service::ask::Wish;
use crate::service::context::Context;
use crate::service::issue::{self, Issue};
use crate::service::plan::{self, Request};
use crate::service::planner;

/// The largest plan that is read from a file or standard input.
const MAX_PLAN_BYTES: u64 = 4 * 1024 * 1024;

/// How QA checks the steps.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Qa {
    /// A step that is done is completed
    Skip,
    /// A short check
    Light,
    /// Every gate
    Full,
}

/// Turn a description into a protocol: a branch with a plan, and a worktree
///
/// Takes the next number, commits the plan on a new branch (your own hooks do not run for that
/// commit), and adds a worktree. Without steps the description is the only one.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are options of their own")]
pub(in crate::cli) struct Args {
    /// What is to be done; the first line is the title
    description: Option<String>,

    /// The name after the number, as in `add-login`
    #[arg(long, value_name = "SLUG")]
    name: Option<String>,

    /// A step, in order; may be repeated
    #[arg(long = "step", value_name = "TITLE")]
    steps: Vec<String>,

    /// Read title and steps from a Markdown file (`-` for standard input)
    ///
    /// Checklist items or headings become steps, nested items their sub-tasks.
    #[arg(long, value_name = "FILE", conflicts_with = "steps")]
    from: Option<PathBuf>,

    /// The branch to begin at and to be merged into
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,

    /// How the steps are checked; by default `full` where the base has gates, else `skip`
    #[arg(long, value_enum, value_name = "POLICY")]
    qa: Option<Qa>,

    /// Plan the issue of this number; its title and text come from `gh` or `glab`
    #[arg(long, value_name = "NUMBER", conflicts_with = "from")]
    issue: Option<u64>,

    /// Who plans: an engine, or `outline` for no model; by default `phases.planning`, else `outline`
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,

    /// The engine's model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// Do not ask the engine to say more about each step
    #[arg(long)]
    no_decompose: bool,

    /// Do not ask it to say more about simple steps
    #[arg(long, conflicts_with = "no_decompose")]
    skip_simple_decompose: bool,

    /// Then let an engine do the first step
    #[arg(long, conflicts_with_all = ["run_step", "dry_run"])]
    run: bool,

    /// Then let an engine do this step, named by its number or its id
    #[arg(long, value_name = "STEP", conflicts_with = "dry_run")]
    run_step: Option<String>,

    /// Only say what would be planned, and what an engine would be asked
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Commit the plan's files as they are in the worktree, and make what they say the plan
    ///
    /// Also where less is checked than before, which a commit alone does not change.
    #[arg(long, conflicts_with_all = ["description", "name", "steps", "from", "base", "qa", "dry_run", "issue", "engine", "model", "run", "run_step"])]
    pub(in crate::cli) amend: bool,

    /// The protocol to amend; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME", requires = "amend")]
    protocol: Option<String>,
}

/// What the arguments ask for.
struct Wished {
    request: Request,
    /// What the person said, and what comes from elsewhere.
    said: String,
    material: Vec<(String, String)>,
    /// Whether the steps are given, so that nobody has to think of some.
    has_steps: bool,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: &Args) -> Result<ExitCode, CliError> {
    if args.amend {
        let ctx = crate::cli::context(ui)?;
        super::amend::run(ui, &ctx, args.protocol.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    // What is wrong with the arguments alone is said wherever they are typed.
    let begun = match args.issue {
        None => Some(wished(args, None)?),
        Some(_) => None,
    };
    // What was interrupted may be this very plan.
    let ctx = crate::cli::context_as_is(ui)?;
    if !args.dry_run {
        crate::service::initialised(&ctx)?;
    }
    let wished = match (begun, args.issue) {
        (Some(wished), _) => wished,
        (None, number) => {
            let issue = number.map(|number| issue::fetch(&ctx, number)).transpose()?;
            wished(args, issue)?
        }
    };
    let wish = Wish { engine: args.engine.clone(), model: args.model.clone(), ..Wish::default() };
    let is_for_engine =
        planner::engine(&ctx, &wish).is_some() && (args.engine.is_some() || !wished.has_steps);
    if is_for_engine {
        return by_engine::run(ui, &ctx, args, wished, wish);
    }
    if args.model.is_some() {
        return Err(CliError::new(Exit::Usage, "plan.model", "a plan without an engine has no model")
            .hint("name the engine as well: `--engine codex`"));
    }
    without_model(ui, &ctx, args, &wished.request)
}

/// Plans without a model.
fn without_model(ui: &mut Ui, ctx: &Context, args: &Args, request: &Request) -> Result<ExitCode, CliError> {
    let planned = plan::plan(ctx, request)?;
    let shown = Shown { planned: &planned, preview: None, notices: &[], dry_run: request.dry_run };
    then(ui, ctx, args, &shown)
}

/// Shows what was planned, and lets an engine do a step of it if that was asked for.
fn then(ui: &mut Ui, ctx: &Context, args: &Args, shown: &Shown<'_>) -> Result<ExitCode, CliError> {
    if !args.run && args.run_step.is_none() {
        shown::print(ui, shown)?;
        let declares =
            shown.planned.steps.iter().flat_map(|step| &step.more).any(|more| !more.paths.is_empty());
        if declares && !shown.dry_run {
            super::overlaps::tell(ui, ctx, &shown.planned.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let name = shown.planned.name.to_string();
    if ui.json {
        // One command, one document: that of the run.
        ui.note(format!("planned {name}"));
    } else {
        shown::print(ui, shown)?;
    }
    let request = crate::service::run::Request {
        name: Some(name),
        step: args.run_step.clone(),
        ..crate::service::run::Request::default()
    };
    super::run::perform(ui, ctx, &request)
}

/// Reads the arguments, and the issue that they name.
fn wished(args: &Args, issue: Option<Issue>) -> Result<Wished, CliError> {
    let mut material = Vec::new();
    let mut outline = match &args.from {
        Some(path) => {
            let (outline, text) = read_outline(path)?;
            material.push(("what was written down about it before".to_owned(), text));
            outline
        }
        None => Outline::default(),
    };
    let has_steps = !args.steps.is_empty() || !outline.steps.is_empty();
    if let Some(issue) = &issue {
        let whose = match &issue.url {
            Some(url) => format!("issue {} ({url})", issue.number),
            None => format!("issue {}", issue.number),
        };
        material.push((whose, format!("{}\n\n{}", issue.title, issue.body)));
        outline = outline::parse(&issue.body).unwrap_or_default();
        outline.title = Some(issue.title.clone());
    }
    let description = args.description.as_deref().map(text::multi_line).filter(|text| !text.is_empty());
    let mut said = description.clone().unwrap_or_default();
    if !args.steps.is_empty() {
        said.push_str("\n\nThe steps that the plan must have, in this order:\n");
        outline.steps.clear();
    }
    for step in &args.steps {
        let title = text::clip(&text::one_line(step), 200);
        if title.is_empty() {
            return Err(CliError::new(Exit::Usage, "plan.step", "a step needs a title"));
        }
        said.extend(["- ", &title, "\n"]);
        outline.steps.push(OutlineStep { title, ..OutlineStep::default() });
    }
    let first_line = description.as_deref().and_then(|text| text.lines().next()).map(text::one_line);
    let title = first_line.or_else(|| outline.title.clone()).map(|title| text::clip(&title, 120));
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return Err(CliError::new(Exit::Usage, "plan.description", "say what is to be done")
            .hint("git godzilla plan \"Add a login page\" --step \"The form\" --step \"The API\""));
    };
    let of_issue =
        issue.map(|issue| issue.url.into_iter().chain([issue.body]).collect::<Vec<_>>().join("\n\n"));
    let request = Request {
        description: description.or(of_issue).unwrap_or_else(|| outline.summary.clone()),
        title,
        slug: args.name.clone(),
        outline,
        base: args.base.clone(),
        qa: args.qa.map(|qa| match qa {
            Qa::Skip => QaPolicy::Skip,
            Qa::Light => QaPolicy::Light,
            Qa::Full => QaPolicy::Full,
        }),
        dry_run: args.dry_run,
        drafted: None,
        facts: Vec::new(),
    };
    Ok(Wished { request, said, material, has_steps })
}

/// Returns the plan that a file holds, and its text.
fn read_outline(path: &std::path::Path) -> Result<(Outline, String), CliError> {
    let failed = |err: std::io::Error| {
        CliError::new(Exit::Unknown, "plan.file", format!("cannot read `{}`: {err}", path.display()))
    };
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if path == std::path::Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    source.take(MAX_PLAN_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_PLAN_BYTES {
        return Err(CliError::new(Exit::Usage, "plan.too_large", "the plan is larger than 4 MiB"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::new(Exit::Usage, "plan.utf8", format!("`{}` is not UTF-8", path.display())))?;
    let outline = outline::parse(&text).map_err(|err| {
        CliError::new(Exit::Usage, "plan.too_many", err.to_string()).hint("split it into several plans")
    })?;
    if outline.title.is_none() && outline.steps.is_empty() {
        return Err(CliError::new(Exit::Usage, "plan.empty", format!("`{}` holds no plan", path.display()))
            .hint("write a `# title` and the steps as a list: `- [ ] a step`"));
    }
    Ok((outline, text))
}
