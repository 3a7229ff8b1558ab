//! Who is asked: the engine, who falls back for it, and whether somebody agreed to it here.

use std::time::Duration;

use super::Wish;
use crate::domain::decide::Refusal;
use crate::domain::run::{RunKind, RunStatus};
use crate::engine::{self, Engine, Outcome, WITHOUT_MODEL};
use crate::platform::{clock, env};
use crate::service::context::Context;
use crate::service::engines;
use crate::service::error::Error;
use crate::service::settings::engines::EngineSettings;
use crate::service::terms::{self, Terms};
use crate::service::trust::Trust;

/// An engine that may be asked.
pub struct Chosen {
    pub name: String,
    pub engine: Box<dyn Engine>,
    pub model: Option<String>,
    pub effort: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) idle: Option<Duration>,
    /// Whether it was waited for already.
    pub(super) waited: bool,
    key_env: Option<String>,
}

impl Chosen {
    /// Returns its key, which must never be seen.
    pub(super) fn key(&self) -> Option<String> {
        env::var(self.key_env.as_deref()?)
    }

    /// Returns when it may be asked again, if that is worth waiting for: once, and no longer than a run
    /// may take.
    pub(super) fn may_wait_for(&self, outcome: &Outcome) -> Option<u64> {
        let is_limited = matches!(outcome.status, RunStatus::RateLimited | RunStatus::Quota);
        let until_ms = outcome.until_ms.filter(|_| is_limited && !self.waited)?;
        let limit = self.timeout.unwrap_or(super::WALL);
        let wait = Duration::from_millis(until_ms.saturating_sub(clock::now_ms()));
        (wait <= limit).then_some(until_ms)
    }
}

/// Returns the engine for a kind of run and those that it falls back on, in order; at least one.
///
/// # Errors
///
/// [`Error::State`] (`engine.none`, `engine.human`) if people do it, [`Error::Refused`] (`trust.engine`,
/// `engine.not_here`) if nobody agreed to it in this clone.
pub fn choose(ctx: &Context, kind: RunKind, wish: &Wish) -> Result<Vec<Chosen>, Error> {
    let name = name_of(ctx, kind, wish)?;
    let trust = Trust::load(&ctx.repo)?;
    let mut queue = vec![open(ctx, &trust, &name, kind)?];
    let by_plan = wish.planned_engine.as_deref() == Some(name.as_str()) || wish.planned_engine.is_none();
    let planned = wish.planned_model.clone().filter(|_| by_plan && wish.engine.is_none());
    if let Some(model) = wish.model.clone().or(planned) {
        queue[0].model = Some(model);
    }
    let fallbacks =
        ctx.settings.engines.named.get(&name).map(|set| set.fallbacks.clone()).unwrap_or_default();
    for other in fallbacks.iter().filter(|other| **other != name && !WITHOUT_MODEL.contains(&other.as_str()))
    {
        match open(ctx, &trust, other, kind) {
            Ok(chosen) => queue.push(chosen),
            Err(err) => tracing::warn!(engine = %other, %err, "not there to fall back on"),
        }
    }
    Ok(queue)
}

/// Returns whether an engine is set for a kind of run, so that somebody else than people would do it.
pub fn is_set(ctx: &Context, kind: RunKind, wish: &Wish) -> bool {
    !matches!(name_of(ctx, kind, wish), Err(Error::State { code: "engine.none" | "engine.human", .. }))
}

fn name_of(ctx: &Context, kind: RunKind, wish: &Wish) -> Result<String, Error> {
    let set = &ctx.settings.engines;
    let key = phase_key(kind);
    let is_known = |name: &str| {
        let phases = &set.phases;
        let used = [&phases.planning, &phases.decompose, &phases.exec, &phases.qa];
        set.named.contains_key(name) || used.into_iter().flatten().any(|used| used == name)
    };
    let name = match (&wish.engine, &wish.planned_engine) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) if WITHOUT_MODEL.contains(&name.as_str()) || is_known(name) => name.clone(),
        // State that was fetched never names what runs here.
        (None, Some(name)) => {
            let message = format!("the plan asks for the engine {name}, which is not set up in this clone");
            return Err(
                Refusal::policy("engine.not_here", message, format!("git config {key} {name}")).into()
            );
        }
        (None, None) => set.phases.of(kind).map(str::to_owned).ok_or_else(|| {
            let message = format!("no engine is set for this ({})", kind.as_str());
            let hint = format!("name one with `--engine`, or set it: git config {key} codex");
            Error::state("engine.none", message, hint)
        })?,
    };
    if WITHOUT_MODEL.contains(&name.as_str()) {
        let hint = "commit on the protocol's branch, or name an engine with `--engine`";
        return Err(Error::state("engine.human", "this is for people to do", hint));
    }
    Ok(name)
}

fn phase_key(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Plan => "godzilla.phases.planning",
        RunKind::Decompose => "godzilla.phases.decompose",
        RunKind::Step | RunKind::Fix => "godzilla.phases.exec",
        RunKind::Review => "godzilla.phases.qa",
    }
}

fn open(ctx: &Context, trust: &Trust, name: &str, kind: RunKind) -> Result<Chosen, Error> {
    let (of_kind, setup, settings) = engines::setup_of(ctx, name)?;
    let terms = terms::of(ctx, name)?;
    if let Some(terms) = terms.filter(|terms| !trust.is_agreed_to_terms(terms)) {
        return Err(not_agreed(trust, &terms));
    }
    let EngineSettings { model, effort, timeout, idle, key_env, .. } = settings;
    let Some(engine) = engine::of_kind(&of_kind, setup) else {
        let message = format!("there is no engine of the kind {of_kind}");
        return Err(Error::state("engine.unknown", message, "git godzilla engines list"));
    };
    if kind == RunKind::Step && !engine.capabilities().writes {
        let message = format!("the engine {name} answers, but changes no files");
        let hint = "name one that does with `--engine`: codex, claude, opencode, gemini, or a command";
        return Err(Error::state("engine.reads_only", message, hint));
    }
    Ok(Chosen { name: name.to_owned(), engine, model, effort, timeout, idle, waited: false, key_env })
}

fn not_agreed(trust: &Trust, terms: &Terms) -> Error {
    let name = &terms.name;
    let (code, what) = if trust.terms_before(name).is_some() {
        (
            "trust.engine_changed",
            format!("what the repository says about the engine {name} is not what was agreed to here"),
        )
    } else {
        (
            "trust.engine",
            format!("nobody has agreed here to what the repository says about the engine {name}"),
        )
    };
    Refusal::policy(code, what, "git godzilla trust").into()
}
