//! Makes a repository with many protocols, for the benchmarks.
//!
//! ```text
//! cargo run --release --example generate -- DIR N_PROTOCOLS [EVENTS_EACH] [--over] [--from NUMBER]
//! ```
//!
//! Each protocol has a branch with two commits and a stream with about twenty events, written by the
//! same code that commands use. With `--over` they are cancelled, and their branches are gone.

#![expect(clippy::print_stdout, reason = "it is a program for a person")]

use std::error::Error;
use std::path::Path;

use git_godzilla::domain::ci::JobResult;
use git_godzilla::domain::event::{
    Actor, ActorKind, Body, Cause, CiReport, CommitSeen, Created, Draft, Evidence, StepChange, Via,
};
use git_godzilla::domain::id::{Name, Oid, StepId};
use git_godzilla::domain::ledger::{Author, Ledger};
use git_godzilla::domain::spec::{Planner, QaPolicy, Spec, SpecStep, Specs, StepKind};
use git_godzilla::domain::status::StepMove;
use git_godzilla::domain::{decide, observe};
use git_godzilla::platform::clock;
use git_godzilla::platform::git::{Identity, Move, NewCommit, Repo};
use git_godzilla::platform::lock::Lock;
use git_godzilla::store::content::{Content, Line};
use git_godzilla::store::{refs, spec, stream};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, dir, n_protocols, rest @ ..] = args.as_slice() else {
        return Err("usage: generate DIR N_PROTOCOLS [EVENTS_EACH] [--over] [--from NUMBER]".into());
    };
    let n_protocols: u64 = n_protocols.parse()?;
    let n_events = rest.first().filter(|arg| !arg.starts_with("--")).map_or(Ok(20), |n| n.parse())?;
    let is_over = rest.iter().any(|arg| arg == "--over");
    let from = rest.iter().skip_while(|arg| *arg != "--from").nth(1).map_or(Ok(1), |n| n.parse::<u64>())?;
    let repo = Repo::discover(Path::new(dir))?;
    let base = repo.head()?.commit().ok_or("the repository needs a first commit")?;
    let who = Identity { name: "Bench".into(), email: "bench@example.com".into() };
    let mut lock = Lock::acquire(&repo.state_dir().join("locks/bench"), std::time::Duration::from_secs(5))?;
    for number in from..from + n_protocols {
        let name = Name::new(number, &format!("task-{number}"))?;
        let plan = commit(&repo, base, &who, &name, 0)?;
        let work = commit(&repo, plan, &who, &name, 1)?;
        let content = content(&repo, &name, [base, plan, work], n_events, is_over)?;
        let protocol = git_godzilla::service::streams::folded(&content, None).protocol;
        let op = clock::new_id();
        let tip = stream::write_commit(&repo, &content, protocol.as_ref(), None, &who, "bench", op, &[])?;
        let branch = (!is_over).then(|| (format!("refs/heads/{name}"), work));
        for (of_ref, new) in branch.into_iter().chain([(refs::protocol(&name), tip)]) {
            repo.move_ref(
                Move { name: &of_ref, expected: None, new, who: &who, message: "bench" },
                &mut lock,
            )?;
        }
    }
    println!("{n_protocols} protocols of about {n_events} events");
    Ok(())
}

fn commit(repo: &Repo, parent: Oid, who: &Identity, name: &Name, step: u64) -> Result<Oid> {
    let message = format!("feat: work {step}\n\nGodzilla-Step: {name}/0{step}-step\n");
    let tree = repo.tree_of(parent)?;
    Ok(repo.write_commit(&NewCommit {
        tree,
        parents: vec![parent],
        message,
        author: who,
        committer: who,
        for_people: false,
    })?)
}

fn content(
    repo: &Repo,
    name: &Name,
    [base, plan, work]: [Oid; 3],
    n_events: usize,
    is_over: bool,
) -> Result<Content> {
    let steps: Vec<SpecStep> = (0..4).map(step).collect::<Result<_>>()?;
    let spec = Spec {
        title: format!("Task {}", name.number()),
        description: "A task of the benchmark".into(),
        steps,
        planner: Planner::outline(),
        required_ci: Vec::new(),
        push_gate: false,
        taken_out: std::collections::BTreeMap::new(),
    };
    let (digest, text) = spec::encode(&spec);
    let actor = Actor { kind: ActorKind::Human, name: "Bench".into(), host: None };
    let author =
        Author { actor: actor.into(), op: clock::new_id(), now_ms: clock::now_ms(), next_id: &clock::new_id };
    let mut ledger = Ledger::new(name.clone(), Vec::new(), Specs::new(), author.clone());
    ledger.add_spec(digest, spec.clone());
    ledger.push(Draft::new(Body::Created(Created {
        number: name.number(),
        slug: name.slug().into(),
        title: spec.title.clone(),
        description: spec.description.clone(),
        branch: name.to_string(),
        base: "main".into(),
        base_commit: base,
    })));
    ledger.push(Draft::new(Body::Planned {
        spec: digest,
        plan_commit: Some(plan),
        planner: Planner::outline(),
    }));
    let now = clock::now_ms();
    let seen = |oid: Oid, parent: Oid, step: &str| -> Result<CommitSeen> {
        let tree = repo.tree_of(oid)?;
        Ok(CommitSeen {
            commit: oid,
            tree,
            content_tree: tree,
            parents: vec![parent],
            step: Some(step.parse()?),
            via: Via::Trailer,
            open_boxes: 1,
            done_boxes: 0,
            done: false,
            subject: "feat: work".into(),
        })
    };
    ledger
        .push(Draft::new(Body::CommitSeen(seen(plan, base, "00-step")?)).caused_by(Cause::commit(plan), now));
    let evidence = Evidence { by: "setup".into(), ..Evidence::default() };
    let change = StepChange {
        to: StepMove::Completed,
        reason: None,
        no_commit: false,
        evidence: Some(evidence.into()),
    };
    let setup: StepId = "00-step".parse()?;
    ledger.push(Draft { step: Some(setup), ..Draft::new(Body::Step(change)) });
    observe::commit(&mut ledger, seen(work, plan, "01-step")?, now, false, &|_| None);
    let first: StepId = "01-step".parse()?;
    decide::done(&mut ledger, &first, false, &|_| None)?;
    if is_over {
        decide::cancel(&mut ledger, None)?;
    }
    let mut content = Content::default();
    content.specs.insert(digest, text);
    for event in ledger.new_events() {
        content.add(Line::new(event.clone()));
    }
    // Reports change no decision, so they need not be decided one by one.
    let root = ledger.protocol().map(|protocol| protocol.root);
    for run in u64::try_from(ledger.new_events().len())?..u64::try_from(n_events)? {
        let draft = Draft::new(Body::CiReported(CiReport {
            provider: "github".into(),
            workflow: "ci".into(),
            job: "test".into(),
            run,
            attempt: 1,
            result: JobResult::Success,
            commit: work,
            tree: None,
            branch: Some(name.as_str().into()),
            url: Some(format!("https://ci.example.com/runs/{run}")),
        }));
        let mut event = author.event(draft, run + 1);
        event.protocol = Some(name.clone());
        event.root = root;
        content.add(Line::new(event));
    }
    content.normalize();
    Ok(content)
}

fn step(idx: u64) -> Result<SpecStep> {
    let id = StepId::new(idx, "step")?;
    let before = idx.checked_sub(1).map(|idx| StepId::new(idx, "step")).transpose()?;
    Ok(SpecStep {
        more: None,
        title: format!("Step {idx}"),
        kind: if idx == 0 { StepKind::Setup } else { StepKind::Work },
        file: format!("{id}.md"),
        depends_on: before.into_iter().collect(),
        qa: QaPolicy::Skip,
        id,
    })
}
