//! `plan`: from a description to a branch with a plan, a worktree and a stream.
//!
//! Order of writes: objects, an intent file, the branch, the stream, the worktree; then the intent
//! goes. A plan that was interrupted before its stream exists is rolled back by the next command,
//! one interrupted after is completed.

mod design;
mod files;
mod intent;
pub mod worktree;

use std::path::PathBuf;

pub(super) use design::check_schema;
pub use intent::{interrupted, recover};

use self::intent::Intent;
use super::context::Context;
use super::error::Error;
use super::intents::Intent as _;
use super::streams::Streams;
use crate::domain::drafted::Drafted;
use crate::domain::event::{Body, Cause, CommitSeen, Created, Draft, Evidence, StepChange, Via};
use crate::domain::id::{Digest, MAX_NAME_LEN, Name, Oid};
use crate::domain::ledger::Ledger;
use crate::domain::outline::Outline;
use crate::domain::spec::{Planner, QaPolicy, Spec, SpecStep};
use crate::domain::status::StepMove;
use crate::domain::{message, text};
use crate::platform::fail;
use crate::platform::git::{Move, NewCommit};
use crate::platform::lock::Lock;
use crate::store::content::Content;
use crate::store::inventory::Inventory;
use crate::store::{spec, stream};

/// The longest slug made from a title.
const MAX_SLUG: usize = 40;

/// What to plan.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub title: String,
    pub description: String,
    /// The slug, if it is not to be made from the title.
    pub slug: Option<String>,
    pub outline: Outline,
    pub base: Option<String>,
    pub qa: Option<QaPolicy>,
    pub dry_run: bool,
    /// What an engine planned, in place of the outline.
    pub drafted: Option<Drafted>,
    /// What the runs that planned it did and used; recorded with the plan.
    pub facts: Vec<Draft>,
}

/// What was planned.
#[derive(Clone, Debug)]
pub struct Planned {
    pub name: Name,
    pub root: Option<String>,
    pub worktree: Option<PathBuf>,
    pub base: String,
    pub base_commit: Oid,
    pub commit: Option<Oid>,
    pub steps: Vec<SpecStep>,
    pub planner: Planner,
    pub title: String,
    /// Whether the policy comes from the presence of gates in the base.
    pub qa_by_default: bool,
    /// A plan that an earlier, interrupted command had begun, now complete.
    pub recovered: bool,
    /// Why there is no worktree, if that is unexpected.
    pub warnings: Vec<String>,
}

/// Plans a protocol: takes the next number, commits the plan on a new branch, records it, and adds
/// a worktree. When this returns, branch and stream exist; nothing is pushed.
///
/// # Errors
///
/// [`Error`] if there is no base, no identity, or something cannot be written. Nothing is left then
/// but unreachable objects and, after a crash, an intent that the next command settles.
pub fn plan(ctx: &Context, request: &Request) -> Result<Planned, Error> {
    let repo = &ctx.repo;
    let Some(who) = repo.committer() else { return Err(stream::Error::NoIdentity.into()) };
    let lock_path = repo.state_dir().join("locks").join("number");
    let mut number_lock = Lock::acquire(&lock_path, ctx.limit)?;
    let recovered = if request.dry_run { Vec::new() } else { intent::recover_locked(ctx)? };
    let slug = slug_of(request)?;
    if let Some(done) = recovered.into_iter().find(|done| done.is_of(request, &slug)) {
        return Ok(done);
    }

    let streams = Streams::for_new(ctx)?;
    let (base, base_commit) = find_base(ctx, &streams, request.base.as_deref())?;
    let name = Name::new(next_number(ctx, &streams)?, &slug)?;
    let spec = design::spec_of(ctx, request, base_commit)?;
    let (digest, spec_text) = spec::encode(&spec);
    check_schema(&spec_text)?;
    let worktree = worktree::root(ctx)?.map(|root| root.join(name.as_str()));
    let mut planned = Planned {
        name: name.clone(),
        root: None,
        worktree: worktree.clone(),
        base: base.clone(),
        base_commit,
        commit: None,
        steps: spec.steps.clone(),
        planner: spec.planner.clone(),
        title: request.title.clone(),
        qa_by_default: request.qa.is_none() && ctx.settings.qa_policy.is_none(),
        recovered: false,
        warnings: Vec::new(),
    };
    if request.dry_run {
        return Ok(planned);
    }

    let seen = commit_plan(ctx, &name, (&base, base_commit), &spec, request)?;
    let commit = seen.commit;
    planned.commit = Some(commit);

    let intent =
        Intent { name: name.clone(), commit, worktree: worktree.clone(), title: request.title.clone() };
    intent.write(ctx)?;
    fail::point("plan.intent");
    let branch = format!("refs/heads/{name}");
    let why = format!("git-godzilla: plan {name}");
    repo.move_ref(
        Move { name: &branch, expected: None, new: commit, who: &who, message: &why },
        &mut number_lock,
    )?;
    fail::point("plan.branch");

    let at_ms = repo.commit(commit)?.time_ms;
    let created = Created {
        number: name.number(),
        slug: slug.clone(),
        title: request.title.clone(),
        description: text::clip(&request.description, 8000),
        branch: name.to_string(),
        base,
        base_commit,
    };
    let decide = &mut |ledger: &mut Ledger<'_>, content: &mut Content| {
        if ledger.protocol().is_some() {
            return Err(Error::state(
                "plan.taken",
                format!("the stream of {name} exists already"),
                "run it again",
            ));
        }
        content.specs.insert(digest, spec_text.clone());
        ledger.add_spec(digest, spec.clone());
        record(ledger, created.clone(), (digest, spec.planner.clone()), seen.clone(), at_ms);
        for fact in &request.facts {
            ledger.push(fact.clone());
        }
        Ok(())
    };
    let appended = match streams.append(&name, decide) {
        Ok(appended) => appended,
        Err(err) => {
            // A branch without a stream would be half a protocol; if it cannot go now, the next command
            // takes it away.
            drop(intent::recover_locked(ctx));
            return Err(err);
        }
    };
    planned.root = appended.protocol.map(|protocol| protocol.root.to_string());
    fail::point("plan.stream");
    planned.warnings = worktree::add(ctx, &name, worktree.as_deref(), worktree::Wish::User)?;
    fail::point("plan.worktree");
    intent.remove(ctx)?;
    Ok(planned)
}

impl Planned {
    fn is_of(&self, request: &Request, slug: &str) -> bool {
        self.title == request.title && self.name.slug() == slug
    }
}

/// Completes plans that were interrupted, and returns this one if it was one of them.
///
/// # Errors
///
/// As [`recover`], and if nothing can name the protocol.
pub fn begun(ctx: &Context, request: &Request) -> Result<Option<Planned>, Error> {
    let slug = slug_of(request)?;
    Ok(recover(ctx)?.into_iter().find(|done| done.is_of(request, &slug)))
}

/// Commits the plan's files on top of the base; no ref names the commit yet.
fn commit_plan(
    ctx: &Context,
    name: &Name,
    (base, base_commit): (&str, Oid),
    spec: &Spec,
    request: &Request,
) -> Result<CommitSeen, Error> {
    let repo = &ctx.repo;
    let Some(who) = repo.committer() else { return Err(stream::Error::NoIdentity.into()) };
    let author = repo.author().unwrap_or_else(|| who.clone());
    let mut tree = repo.tree_of(base_commit)?;
    for (path, text) in files::write(name, base, spec, request) {
        let blob = crate::platform::git::TreeEntry::blob("", repo.write_blob(text.as_bytes())?);
        tree = repo.tree_with(Some(tree), &path, Some(blob))?;
    }
    let setup = &spec.steps[0].id;
    let tag = message::tag(name.number(), setup.number());
    let subject = format!("feat(protocol): add plan for {name} {tag}");
    let message = format!("{subject}\n\n{}: {name}/{setup}\n", message::STEP_KEY);
    let parents = vec![base_commit];
    let commit = repo.write_commit(&NewCommit {
        tree,
        parents: parents.clone(),
        message,
        author: &author,
        committer: &who,
        for_people: true,
    })?;
    Ok(CommitSeen {
        commit,
        tree,
        content_tree: super::observe::content_tree(repo, tree, name)?,
        parents,
        step: Some(setup.clone()),
        via: Via::Trailer,
        open_boxes: 0,
        done_boxes: 0,
        done: false,
        subject,
    })
}

/// The events of a plan: created, planned, its commit seen, the setup step completed by it.
fn record(
    ledger: &mut Ledger<'_>,
    created: Created,
    (spec, planner): (Digest, Planner),
    seen: CommitSeen,
    at_ms: u64,
) {
    let (commit, step) = (seen.commit, seen.step.clone());
    let content_tree = Some(seen.content_tree);
    ledger.push(Draft::new(Body::Created(created)));
    let planned = Body::Planned { spec, plan_commit: Some(commit), planner };
    ledger.push(Draft { from: Some("pending".to_owned()), ..Draft::new(planned) });
    let cause = Cause::commit(commit);
    ledger.push(Draft::new(Body::CommitSeen(seen)).caused_by(cause.clone(), at_ms));
    let evidence = Evidence { by: "setup".to_owned(), content_tree, ..Evidence::default() };
    let change = StepChange {
        to: StepMove::Completed,
        reason: None,
        no_commit: false,
        evidence: Some(evidence.into()),
    };
    let completed =
        Draft { step, attempt: Some(0), from: Some("pending".to_owned()), ..Draft::new(Body::Step(change)) };
    ledger.push(completed.caused_by(cause, at_ms));
}

fn slug_of(request: &Request) -> Result<String, Error> {
    let slug = match &request.slug {
        Some(slug) if text::is_slug(slug) && slug.len() < MAX_NAME_LEN - 10 => Some(slug.clone()),
        Some(slug) => {
            return Err(Error::Usage {
                message: format!("`{}` cannot name a protocol", text::clip(&text::one_line(slug), 60)),
                hint: Some(
                    "use lower-case letters, digits and `-`, beginning with a letter or digit".to_owned(),
                ),
            });
        }
        None => text::slug(&request.title, MAX_SLUG),
    };
    slug.ok_or_else(|| Error::Usage {
        message: "the description has nothing that could name the protocol".to_owned(),
        hint: Some("give it a name with `--name add-login`".to_owned()),
    })
}

/// Returns the base branch's name and the commit to begin at: the remote's, where there is one.
pub(super) fn find_base(
    ctx: &Context,
    streams: &Streams<'_>,
    wanted: Option<&str>,
) -> Result<(String, Oid), Error> {
    let repo = &ctx.repo;
    let configured = wanted.map(str::to_owned).or_else(|| ctx.settings.base_branch.clone());
    let candidates: Vec<String> = match configured {
        Some(base) => vec![base],
        None => super::base::candidates(repo, streams.inventory.home()),
    };
    for base in &candidates {
        let tips = streams.branches.of_names("", base, streams.inventory.home());
        let local = repo.find_ref(&format!("refs/heads/{base}"))?;
        let deciding = tips.deciding_base.map(|(_, oid)| oid).filter(|oid| repo.has_object(*oid));
        if let Some(commit) = deciding.or(local) {
            return Ok((base.clone(), commit));
        }
    }
    if repo.head()?.commit().is_none() {
        return Err(Error::state(
            "repository.unborn",
            "the repository has no commit yet",
            "make a first commit",
        ));
    }
    let tried = candidates.join("`, `");
    Err(Error::state(
        "base.missing",
        format!("there is no base branch `{tried}`"),
        "name one with `--base BRANCH`",
    ))
}

/// One more than the largest number that anything here has.
pub(super) fn next_number(ctx: &Context, streams: &Streams<'_>) -> Result<u64, Error> {
    let taken = Inventory::taken_names(&ctx.repo)?;
    let unknown = streams.unknown_names();
    let given: Vec<Name> = streams.renumbered().into_iter().map(|(name, _)| name).collect();
    let names = taken.iter().chain(&unknown).chain(&given).chain(streams.inventory.streams.keys());
    let last = names.map(Name::number).max().max(streams.inventory.last_archived(&ctx.repo));
    Ok(last.unwrap_or(0) + 1)
}
