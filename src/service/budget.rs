//! Budgets: what runs used, as the events of all clones tell it, against what they may use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::act;
use super::context::Context;
use super::error::Error;
use super::list::{self, Listing};
use super::settings::engines::{Amount, BudgetMode};
use super::streams::Streams;
use crate::domain::budget::{self, Limit, Line, Over, Scope, Unit};
use crate::domain::decide::Refusal;
use crate::domain::event::Body;
use crate::domain::id::{Name, StepId, Ulid};
use crate::domain::run::{Run, Spent, Usage, UsageRecorded};
use crate::domain::state::Protocol;
use crate::platform::clock;
use crate::store::cache::DaySpent;
use crate::store::content::Content;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

/// A run that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What to tell where a budget is exceeded and only warns.
    pub warning: Option<String>,
}

/// Checks what a run would use against the budgets of its step, its protocol, the project and the day.
/// What counts is what is known here, so what other clones used counts once it is fetched.
///
/// # Errors
///
/// [`Error::Refused`] with the code `budget.<scope>` if one is used up and budgets are strict.
pub fn check(ctx: &Context, of: Option<(&Name, Option<&StepId>)>, estimate: u64) -> Result<Checked, Error> {
    let settings = ctx.settings.engines.budget;
    if settings.mode == BudgetMode::Off {
        return Ok(Checked { warning: None });
    }
    let Some(over) = budget::exceeded(&limited(ctx, of)?, estimate) else {
        return Ok(Checked { warning: None });
    };
    let message = sentence(&over);
    if settings.mode == BudgetMode::Warn {
        return Ok(Checked { warning: Some(message) });
    }
    let code = match over.scope {
        Scope::Step => "budget.step",
        Scope::Protocol => "budget.protocol",
        Scope::Project => "budget.project",
        Scope::Day => "budget.day",
    };
    Err(Refusal::policy(code, message, how_to_raise(&over)).into())
}

/// What was used, scope by scope, with what may be used.
#[derive(Clone, Debug)]
pub struct Overview {
    pub mode: BudgetMode,
    pub name: Option<Name>,
    /// The steps of the protocol that ran or could run, with the budget that each has.
    pub steps: Vec<(StepId, Line)>,
    /// The protocol if there is one, the project, the day.
    pub lines: Vec<Line>,
    /// Streams that could not be read, so that what they used is not counted.
    pub n_unread: usize,
}

/// Returns what was used and what is left.
///
/// # Errors
///
/// [`Error`] if the refs or the stream cannot be read, or nothing is known of the protocol.
pub fn overview(ctx: &Context, name: Option<&Name>) -> Result<Overview, Error> {
    let settings = ctx.settings.engines.budget;
    let mut lines = Vec::new();
    let mut steps = Vec::new();
    if let Some(name) = name {
        let protocol = read(ctx, name)?;
        for step in &protocol.steps {
            let spent = Spent::by(protocol.runs_of(&step.id));
            steps.push((step.id.clone(), Line { scope: Scope::Step, spent, limit: settings.step.into() }));
        }
        let limit = settings.protocol.into();
        lines.push(Line { scope: Scope::Protocol, spent: protocol.spent(), limit });
    }
    let listing = list::list_all(ctx)?;
    lines.extend(of_project(ctx, &listing));
    Ok(Overview { mode: settings.mode, name: name.cloned(), steps, lines, n_unread: listing.set_aside.len() })
}

/// Returns the budgets that a run is held against; what has no limit is not counted.
fn limited(ctx: &Context, of: Option<(&Name, Option<&StepId>)>) -> Result<Vec<Line>, Error> {
    let settings = ctx.settings.engines.budget;
    let is_limited = |amount: Amount| Limit::from(amount).is_set();
    let mut lines = Vec::new();
    if let Some((name, step)) = of
        && (is_limited(settings.step) || is_limited(settings.protocol))
    {
        let protocol = read(ctx, name)?;
        if let Some(step) = step.filter(|_| is_limited(settings.step)) {
            let spent = Spent::by(protocol.runs_of(step));
            lines.push(Line { scope: Scope::Step, spent, limit: settings.step.into() });
        }
        if is_limited(settings.protocol) {
            let limit = settings.protocol.into();
            lines.push(Line { scope: Scope::Protocol, spent: protocol.spent(), limit });
        }
    }
    if is_limited(settings.project) || is_limited(settings.day) {
        lines.extend(of_project(ctx, &list::list_all(ctx)?));
    }
    Ok(lines)
}

fn read(ctx: &Context, name: &Name) -> Result<Protocol, Error> {
    let streams = Streams::for_target(ctx, Some(name.as_str()))?;
    streams.look(name)?.folded.protocol.ok_or_else(|| act::unknown(name))
}

fn of_project(ctx: &Context, listing: &Listing) -> [Line; 2] {
    let settings = ctx.settings.engines.budget;
    let today = clock::now_ms() / MS_PER_DAY;
    let (mut all, mut day) = (Spent::default(), Spent::default());
    let of_rows = listing.rows.iter().chain(&listing.archived).flat_map(|row| &row.spent);
    for spent in of_rows.chain(&listing.spent_elsewhere) {
        all = all.plus(spent.into());
        if spent.day == today {
            day = day.plus(spent.into());
        }
    }
    [
        Line { scope: Scope::Project, spent: all, limit: settings.project.into() },
        Line { scope: Scope::Day, spent: day, limit: settings.day.into() },
    ]
}

/// Returns what `runs` used, by the day on which they began.
pub(super) fn by_day(runs: &[Run]) -> Vec<DaySpent> {
    sum(runs.iter().map(|run| (run.started_at_ms, Spent::by([run]))))
}

/// Returns what runs without a protocol used, by the day on which it was recorded.
pub(super) fn recorded_by_day(content: &Content) -> Vec<DaySpent> {
    sum(of_nobody(content).into_iter().map(|(at_ms, recorded)| (at_ms, Spent::of_recorded(recorded))))
}

/// Returns the runs without a protocol and when they were recorded. A run is there once, by the record that
/// knows what it used.
pub(super) fn of_nobody(content: &Content) -> Vec<(u64, &UsageRecorded)> {
    let mut runs: BTreeMap<Ulid, (u64, &UsageRecorded)> = BTreeMap::new();
    for line in content.lines() {
        if let Body::UsageRecorded(recorded) = &line.event.body {
            let known = runs.entry(recorded.run).or_insert((line.event.at_ms, recorded));
            if known.1.usage.is_unknown() && !recorded.usage.is_unknown() {
                *known = (line.event.at_ms, recorded);
            }
        }
    }
    // One that a protocol tells of as well is counted there.
    let told: BTreeSet<Ulid> = content
        .lines()
        .iter()
        .filter_map(|line| match &line.event.body {
            Body::RunStarted(started) => Some(started.run),
            _ => None,
        })
        .collect();
    runs.into_iter().filter(|(run, _)| !told.contains(run)).map(|(_, recorded)| recorded).collect()
}

fn sum(spent: impl Iterator<Item = (u64, Spent)>) -> Vec<DaySpent> {
    let mut days: BTreeMap<u64, Spent> = BTreeMap::new();
    for (at_ms, spent) in spent {
        let day = days.entry(at_ms / MS_PER_DAY).or_default();
        *day = day.plus(spent);
    }
    let row = |(day, spent): (u64, Spent)| DaySpent {
        day,
        input_tokens: spent.usage.input_tokens,
        cached_tokens: spent.usage.cached_tokens,
        output_tokens: spent.usage.output_tokens,
        cost_micros: spent.usage.cost_micros,
        tokens: spent.tokens,
        estimated_tokens: spent.estimated_tokens,
        unknown_costs: spent.unknown_costs,
    };
    days.into_iter().map(row).collect()
}

impl From<&DaySpent> for Spent {
    fn from(row: &DaySpent) -> Self {
        Self {
            usage: Usage {
                input_tokens: row.input_tokens,
                cached_tokens: row.cached_tokens,
                output_tokens: row.output_tokens,
                cost_micros: row.cost_micros,
            },
            tokens: row.tokens,
            estimated_tokens: row.estimated_tokens,
            unknown_costs: row.unknown_costs,
        }
    }
}

impl From<Amount> for Limit {
    fn from(amount: Amount) -> Self {
        Self { tokens: amount.tokens, cost_micros: amount.cost_micros }
    }
}

/// Returns the setting of a budget.
pub fn key_of(scope: Scope, unit: Unit) -> &'static str {
    match (scope, unit) {
        (Scope::Step, Unit::Tokens) => "budget.step_tokens",
        (Scope::Step, Unit::Cost) => "budget.step_cents",
        (Scope::Protocol, Unit::Tokens) => "budget.protocol_tokens",
        (Scope::Protocol, Unit::Cost) => "budget.protocol_cents",
        (Scope::Project, Unit::Tokens) => "budget.project_tokens",
        (Scope::Project, Unit::Cost) => "budget.project_cents",
        (Scope::Day, Unit::Tokens) => "budget.project_tokens_per_day",
        (Scope::Day, Unit::Cost) => "budget.project_cents_per_day",
    }
}

/// Returns an amount as people read it: tokens as they are, money in dollars.
fn amount(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Tokens => format!("{value} tokens"),
        Unit::Cost => format!("${}.{:04}", value / 1_000_000, value % 1_000_000 / 100),
    }
}

fn sentence(over: &Over) -> String {
    let of = match over.scope {
        Scope::Step => "the step",
        Scope::Protocol => "the protocol",
        Scope::Project => "the project",
        Scope::Day => "today",
    };
    // Writing to a `String` cannot fail.
    let mut said = format!("the budget of {of} is used up: {} used", amount(over.unit, over.used));
    if over.unit == Unit::Tokens && over.estimated > 0 {
        write!(said, " ({} of them estimated)", over.estimated).ok();
    }
    if over.estimate > 0 {
        write!(said, " and about {} to come", over.estimate).ok();
    }
    write!(said, ", {} allowed by {}", amount(over.unit, over.limit), key_of(over.scope, over.unit)).ok();
    if over.unit == Unit::Cost && over.unknown_costs > 0 {
        write!(said, "; what {} more runs cost is not known", over.unknown_costs).ok();
    }
    said
}

/// Returns the command that lets the run go on.
fn how_to_raise(over: &Over) -> String {
    const MICROS_PER_CENT: u64 = 10_000;
    // With room for a prompt that is longer the next time.
    let room = over.estimate.saturating_mul(2);
    let needed = over.used.saturating_add(room).max(over.limit.saturating_mul(2));
    let value = match over.unit {
        Unit::Tokens => needed.checked_next_multiple_of(1000).unwrap_or(needed),
        Unit::Cost => needed.div_ceil(MICROS_PER_CENT),
    };
    let mut key = String::new();
    let mut words = key_of(over.scope, over.unit).split('_');
    key.push_str(words.next().unwrap_or_default());
    for word in words {
        key.push_str(&word[..1].to_ascii_uppercase());
        key.push_str(&word[1..]);
    }
    format!("git config godzilla.{key} {value}")
}
