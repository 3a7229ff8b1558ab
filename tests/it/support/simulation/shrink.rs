//! Making a run that fails short.

use super::{Config, Interrupt, Outcome, Step, Violation, run};

/// Returns fewer steps that break the same promise, and how they do. Steps are left out as long as
/// it stays broken, many at once first; then what interrupts the others.
pub(crate) fn shrink(config: &Config, steps: Vec<Step>, violation: Violation) -> (Vec<Step>, Violation) {
    let mut best = (steps, violation);
    let mut n_out = best.0.len() / 2;
    while n_out > 0 {
        let mut at = 0;
        while at < best.0.len() {
            let mut fewer = best.0.clone();
            fewer.drain(at..(at + n_out).min(fewer.len()));
            if !take_if_broken(config, fewer, &mut best) {
                at += n_out;
            }
        }
        n_out /= 2;
    }
    for idx in 0..best.0.len() {
        let mut fewer = best.0.clone();
        if fewer[idx].interrupt.take().is_some() && !take_if_broken(config, fewer, &mut best) {
            without_itself(config, idx, &mut best);
        }
    }
    best
}

/// What happened meanwhile may be all that is needed.
fn without_itself(config: &Config, idx: usize, best: &mut (Vec<Step>, Violation)) {
    if let Some((_, Interrupt::Meanwhile(other))) = &best.0[idx].interrupt {
        let mut fewer = best.0.clone();
        fewer[idx] = Step::clone(other);
        take_if_broken(config, fewer, best);
    }
}

fn take_if_broken(config: &Config, steps: Vec<Step>, best: &mut (Vec<Step>, Violation)) -> bool {
    let Outcome { violation, .. } = run(config, &steps);
    match violation.filter(|violation| violation.check == best.1.check) {
        Some(violation) => {
            *best = (steps, violation);
            true
        }
        None => false,
    }
}
