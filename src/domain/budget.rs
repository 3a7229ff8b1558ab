//! Budgets: what was used, what is about to be, and whether that is too much.

use super::run::Spent;
use super::status::status;

status! {
    /// What a budget is for, the narrowest first.
    Scope {
        Step = "step",
        Protocol = "protocol",
        Project = "project",
        /// The project, since midnight UTC.
        Day = "day",
    }
}

status! {
    /// What is counted.
    Unit {
        Tokens = "tokens",
        /// Millionths of a US dollar.
        Cost = "cost",
    }
}

/// What a scope may use; `None` for as much as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub cost_micros: Option<u64>,
}

impl Limit {
    pub fn is_set(self) -> bool {
        self != Self::default()
    }
}

/// What a scope used, and what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub scope: Scope,
    pub spent: Spent,
    pub limit: Limit,
}

/// A budget that the next run would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub scope: Scope,
    pub unit: Unit,
    pub used: u64,
    pub limit: u64,
    /// What the next run is thought to use; 0 where nobody knows, as with money.
    pub estimate: u64,
    /// The part of what is used that is an estimate.
    pub estimated: u64,
    /// Runs that may have cost something beyond it.
    pub unknown_costs: u64,
}

/// Returns the first budget that a run of `estimate` tokens would exceed; what it would use up to the
/// last token is enough.
///
/// What a run costs is known when it is over: of money, what is already used counts.
pub fn exceeded(lines: &[Line], estimate: u64) -> Option<Over> {
    lines.iter().find_map(|line| {
        let Spent { usage, tokens, estimated_tokens, unknown_costs } = line.spent;
        let over = |unit, used: u64, limit: Option<u64>, estimate: u64, estimated| {
            let limit = limit.filter(|limit| used.saturating_add(estimate) > *limit)?;
            Some(Over { scope: line.scope, unit, used, limit, estimate, estimated, unknown_costs })
        };
        over(Unit::Tokens, tokens, line.limit.tokens, estimate, estimated_tokens)
            .or_else(|| over(Unit::Cost, usage.cost_micros.unwrap_or(0), line.limit.cost_micros, 0, 0))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::run::Usage;

    fn line(scope: Scope, tokens: u64, limit: Option<u64>) -> Line {
        let spent = Spent { tokens, ..Spent::default() };
        Line { scope, spent, limit: Limit { tokens: limit, cost_micros: None } }
    }

    #[test]
    fn what_is_used_up_to_the_last_token_is_enough() {
        let lines = [line(Scope::Step, 90, Some(100)), line(Scope::Project, 990, Some(1000))];
        assert_eq!(exceeded(&lines, 10), None);
        let over = exceeded(&lines, 11).unwrap();
        assert_eq!((over.scope, over.used, over.limit, over.estimate), (Scope::Step, 90, 100, 11));
        assert_eq!(exceeded(&[line(Scope::Step, u64::MAX, None)], u64::MAX), None);
        assert!(exceeded(&[line(Scope::Step, 0, Some(0))], 1).is_some());
    }

    #[test]
    fn money_that_nobody_knows_is_no_money_and_is_told() {
        let usage = Usage { cost_micros: Some(2_000_001), ..Usage::default() };
        let spent = Spent { usage, unknown_costs: 3, ..Spent::default() };
        let limit = |cost| Limit { tokens: None, cost_micros: Some(cost) };
        let of = |limit| exceeded(&[Line { scope: Scope::Day, spent, limit }], 1_000_000);
        assert_eq!(of(limit(2_000_001)), None);
        let over = of(limit(2_000_000)).unwrap();
        assert_eq!((over.unit, over.used, over.unknown_costs), (Unit::Cost, 2_000_001, 3));
        let nothing = Line { scope: Scope::Day, spent: Spent::default(), limit: limit(0) };
        assert_eq!(exceeded(&[nothing], 9), None);
    }

    proptest! {
        /// A larger estimate is never let through where a smaller one is not.
        #[test]
        fn more_is_never_better(used in any::<u64>(), limit in any::<u64>(), one in any::<u64>(), more in any::<u64>()) {
            let lines = [line(Scope::Protocol, used, Some(limit))];
            if exceeded(&lines, one).is_some() {
                prop_assert!(exceeded(&lines, one.saturating_add(more)).is_some());
            } else {
                prop_assert!(used.checked_add(one).is_some_and(|sum| sum <= limit) || limit == u64::MAX);
            }
        }
    }
}
