//! `git godzilla plan`.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{BOLD, CYAN, Table, Ui, styled};
use crate::domain::outline::{self, Outline, OutlineStep};
use crate::domain::spec::QaPolicy;
use crate::domain::text;
use crate::service::plan::{self, Planned, Request};

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

    /// Only say what would be planned
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Commit the plan's files as they are in the worktree, and make what they say the plan
    ///
    /// Also where less is checked than before, which a commit alone does not change.
    #[arg(long, conflicts_with_all = ["description", "name", "steps", "from", "base", "qa", "dry_run"])]
    pub(in crate::cli) amend: bool,

    /// The protocol to amend; that of the current branch if left out
    #[arg(short, long = "protocol", value_name = "NAME", requires = "amend")]
    protocol: Option<String>,
}

pub(in crate::cli) fn run(ui: &mut Ui, args: Args) -> Result<ExitCode, CliError> {
    if args.amend {
        let ctx = crate::cli::context(ui)?;
        super::amend::run(ui, &ctx, args.protocol.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = request(args)?;
    // What was interrupted may be this very plan.
    let ctx = crate::cli::context_as_is(ui)?;
    if !request.dry_run {
        crate::service::initialised(&ctx)?;
    }
    let planned = plan::plan(&ctx, &request)?;
    print(ui, &planned, request.dry_run)?;
    let declares = planned.steps.iter().flat_map(|step| &step.more).any(|more| !more.paths.is_empty());
    if declares && !request.dry_run {
        super::overlaps::tell(ui, &ctx, &planned.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: Args) -> Result<Request, CliError> {
    let mut outline = match &args.from {
        Some(path) => read_outline(path)?,
        None => Outline::default(),
    };
    for step in &args.steps {
        let title = text::clip(&text::one_line(step), 200);
        if title.is_empty() {
            return Err(CliError::new(Exit::Usage, "plan.step", "a step needs a title"));
        }
        outline.steps.push(OutlineStep { title, ..OutlineStep::default() });
    }
    let description = args.description.map(|text| text::multi_line(&text)).filter(|text| !text.is_empty());
    let first_line = description.as_deref().and_then(|text| text.lines().next()).map(text::one_line);
    let title = first_line.or_else(|| outline.title.clone()).map(|title| text::clip(&title, 120));
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return Err(CliError::new(Exit::Usage, "plan.description", "say what is to be done")
            .hint("git godzilla plan \"Add a login page\" --step \"The form\" --step \"The API\""));
    };
    Ok(Request {
        description: description.unwrap_or_else(|| outline.summary.clone()),
        title,
        slug: args.name,
        outline,
        base: args.base,
        qa: args.qa.map(|qa| match qa {
            Qa::Skip => QaPolicy::Skip,
            Qa::Light => QaPolicy::Light,
            Qa::Full => QaPolicy::Full,
        }),
        dry_run: args.dry_run,
    })
}

fn read_outline(path: &std::path::Path) -> Result<Outline, CliError> {
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
    Ok(outline)
}

fn print(ui: &mut Ui, planned: &Planned, dry_run: bool) -> Result<(), CliError> {
    for warning in &planned.warnings {
        ui.warn(warning);
    }
    let worktree = planned.worktree.as_ref().map(|path| path.to_string_lossy().into_owned());
    if ui.json {
        let steps: Vec<&str> = planned.steps.iter().map(|step| step.id.as_str()).collect();
        return ui.json(&json!({
            "schema": "git-godzilla/plan@1",
            "name": planned.name.as_str(),
            "id": planned.root,
            "number": planned.name.number(),
            "branch": planned.name.as_str(),
            "worktree": worktree,
            "base": planned.base,
            "base_commit": planned.base_commit.to_string(),
            "commit": planned.commit.map(|oid| oid.to_string()),
            "steps": steps,
        }));
    }
    let verb = if dry_run { "would plan" } else { "planned" };
    ui.line(format!("{verb} {}  {}", styled(BOLD, &planned.name), planned.title))?;
    if planned.recovered {
        ui.line("  (it had been begun by a command that was interrupted)")?;
    }
    let mut steps = Table::default();
    for step in &planned.steps {
        steps.row([(format!("  {}", step.id), CYAN), (step.title.clone(), anstyle::Style::new())]);
    }
    for line in steps.lines() {
        ui.line(line)?;
    }
    ui.line(format!("  branch {} from {} at {}", planned.name, planned.base, planned.base_commit.short()))?;
    if let Some(step) = planned.steps.last().filter(|_| planned.qa_by_default) {
        let why = match step.qa {
            QaPolicy::Skip => "the base has no gates, so a step that is done is completed (QA skip)",
            _ => "the base has gates, so every step needs QA (full)",
        };
        ui.line(format!("  {why}"))?;
    }
    if let Some(path) = worktree.filter(|_| !dry_run && planned.warnings.is_empty()) {
        ui.line("  the plan is committed; your own commit hooks did not run for it")?;
        ui.line(format!("next: {}", styled(CYAN, format!("cd {path}"))))?;
    }
    Ok(())
}
