//! Commits: their steps, rewrites, and what the branch lost.

use super::*;

fn of_a(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    tell(begun_with(events)).commits(A)
}

fn three() -> [Event; 3] {
    [commit(10, 10, Some(A), &[]), commit(11, 11, Some(A), &[10]), commit(12, 12, Some(A), &[11])]
}

#[test]
fn a_rewritten_commit_is_replaced_by_the_new_one() {
    let base = [commit(10, 10, Some(A), &[]), rewritten(12, 10, 11)];
    assert_eq!(of_a(base.clone()), [10], "not by one that no event names");
    let told = tell(begun_with(base.into_iter().chain([commit(11, 11, Some(A), &[])])));
    assert_eq!(told.commits(A), [11]);
    assert!(!told.protocol().commits[&oid(10)].live);
    assert_eq!(told.step(A).newest(), Some(oid(11)));
}

#[test]
fn a_chain_of_rewrites_leads_to_its_end() {
    let events = [rewritten(20, 10, 50), rewritten(21, 50, 51), rewritten(22, 51, 12), rewritten(23, 12, 52)];
    assert_eq!(of_a(three().into_iter().chain(events.clone())), [11, 12]);
    // The order in which clones learned of the links does not matter.
    let turned = events.map(|event| at(100 - event.clock, event));
    assert_eq!(of_a(three().into_iter().chain(turned)), [11, 12]);
}

#[test]
fn a_commit_rewritten_twice_is_replaced_if_either_successor_counts() {
    let twice = [rewritten(20, 10, 11), rewritten(21, 10, 77)];
    assert_eq!(of_a(three().into_iter().chain(twice)), [11, 12]);
    let twice = [rewritten(20, 10, 12), rewritten(21, 10, 11), tip(22, 12, &[11])];
    assert_eq!(of_a(three().into_iter().chain(twice)), [12]);
}

#[test]
fn of_rewrites_in_a_circle_the_last_one_holds() {
    let there_and_back = [rewritten(20, 10, 11), rewritten(21, 11, 10)];
    assert_eq!(of_a(three().into_iter().chain(there_and_back)), [10, 12]);
    let round = [rewritten(20, 10, 11), rewritten(21, 11, 12), rewritten(22, 12, 10)];
    assert_eq!(of_a(three().into_iter().chain(round)), [10]);
    let itself = [rewritten(20, 10, 10)];
    assert_eq!(of_a(three().into_iter().chain(itself)), [10, 11, 12]);
    // Back, and then the one that came back is gone.
    let lost = [rewritten(20, 10, 11), rewritten(21, 11, 10), tip(22, 11, &[10])];
    assert_eq!(of_a(three().into_iter().chain(lost)), [11, 12]);
}

#[test]
fn commits_that_the_branch_lost_do_not_count() {
    assert_eq!(of_a(three().into_iter().chain([tip(20, 10, &[11, 12])])), [10]);
    // The last word about the branch holds.
    let words = [tip(20, 10, &[11, 12]), tip(21, 11, &[12])];
    assert_eq!(of_a(three().into_iter().chain(words)), [10, 11]);
}

#[test]
fn a_lost_commit_returns_with_one_that_builds_on_it() {
    let returns = [tip(20, 10, &[11, 12]), commit(21, 21, Some(A), &[12])];
    assert_eq!(of_a(three().into_iter().chain(returns)), [10, 11, 12, 21]);
    // Not with one that was seen before.
    let before = [at(19, commit(21, 21, Some(A), &[12])), tip(20, 10, &[11, 12, 21])];
    assert_eq!(of_a(three().into_iter().chain(before)), [10]);
}

#[test]
fn a_rewritten_commit_counts_again_when_what_replaced_it_is_gone() {
    let events = [rewritten(20, 10, 11), tip(21, 10, &[11, 12])];
    assert_eq!(of_a(three().into_iter().chain(events)), [10]);
}

#[test]
fn a_commit_that_names_no_step_goes_to_the_one_that_is_current_there() {
    let told = tell(begun_with([
        commit(4, 4, None, &[]),
        step(5, A, StepMove::Started),
        commit(6, 6, None, &[4]),
        step(7, A, StepMove::Completed),
        commit(8, 8, None, &[6]),
    ]));
    assert_eq!((told.commits(A), told.commits(B)), (vec![4, 6], vec![8]));
    // Before there is a plan, and where the plan has no such step, it belongs to none.
    let told = tell(begun_with([at(0, commit(4, 4, None, &[])), commit(5, 5, Some("09-x"), &[])]));
    assert_eq!(told.protocol().orphan_commits, [oid(4), oid(5)]);
}

#[test]
fn a_commit_that_names_no_step_inherits_that_of_the_one_it_replaced() {
    let told = tell(begun_with([
        commit(4, 4, Some(B), &[]),
        commit(5, 5, None, &[]),
        rewritten(6, 4, 5),
        commit(7, 7, None, &[]),
        rewritten(8, 5, 7),
    ]));
    assert_eq!((told.commits(A), told.commits(B)), (vec![], vec![7]));
    // Also when the old one becomes known later, and the step was current by then only.
    let told = tell(begun_with([commit(4, 4, None, &[]), rewritten(5, 3, 4), commit(6, 3, Some(B), &[])]));
    assert_eq!((told.commits(A), told.commits(B)), (vec![], vec![4]));
}

#[test]
fn a_step_that_the_plan_dropped_keeps_its_history() {
    let mut specs = specs();
    let mut shorter = specs[&Digest([7; 32])].clone();
    shorter.steps.remove(1);
    shorter.steps[1].depends_on = vec![step_id(A)];
    specs.insert(Digest([8; 32]), shorter);
    let change = |n| event(n, Body::SpecChanged { spec: Digest([8; 32]), commit: None });
    let fold = |events: Vec<Event>| fold(&events, &specs).protocol.unwrap();
    let kept = fold(begun_with([step(4, B, StepMove::Started), change(5)]));
    assert_eq!(kept.steps.len(), 3);
    let dropped = fold(begun_with([commit(4, 4, Some(B), &[]), change(5)]));
    assert_eq!(dropped.steps.len(), 2);
    assert_eq!(dropped.orphan_commits, [oid(4)]);
}
