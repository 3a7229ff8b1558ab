//! F: facts, CI, merges, causes; P1 as far as the fold reads it.

use super::*;

fn verdict(n: u64, commit: u8, result: &str) -> Event {
    let verdict = Verdict {
        step: Some(step_id(A)),
        commit: Some(oid(commit)),
        content_tree: oid(commit),
        dirty: false,
        result: result.to_owned(),
        gates: Vec::new(),
        review: None,
    };
    event(n, Body::VerdictRecorded(verdict))
}

fn malformed(n: u64, kind: &str) -> Event {
    event(n, Body::Malformed { kind: kind.to_owned(), reason: "its body has no valid `x`".to_owned() })
}

#[test]
fn f1_a_decision_may_be_rejected_and_a_fact_never_is() {
    let told = tell(vec![
        at(0, of(None, ci(4, 9, 1, JobResult::Success))),
        at(0, merge(5)),
        at(0, step(6, A, StepMove::Started)),
    ]);
    assert_eq!(told.outcomes(&[4, 5, 6]), ["accepted", "accepted", "rejected"]);
    let told = tell(begun_with([malformed(4, "ci.reported"), malformed(5, "spec.changed")]));
    assert_eq!(told.outcomes(&[4, 5]), ["unknown", "rejected"]);
}

#[test]
fn f1_types_without_meaning_change_nothing() {
    let plain = tell(begun());
    let told = tell(begun_with([
        event(4, Body::without_meaning("run.started")),
        event(5, Body::without_meaning("policy.changed")),
        event(6, Body::without_meaning("step.teleported")),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6]), ["accepted", "unknown", "unknown"]);
    assert_eq!(told.protocol().steps, plain.protocol().steps);
    assert_eq!(told.protocol().recorded, plain.protocol().recorded);
}

/// Wherever a fact stands, before or after what it speaks of, the state is the same.
#[test]
fn f2_facts_join_at_any_position() {
    let facts = || {
        [
            commit(20, 9, Some(A), &[]),
            ci(21, 9, 1, JobResult::Failure),
            commit(22, 10, Some(A), &[9]),
            rewritten(23, 9, 11),
            commit(24, 11, Some(A), &[]),
            verdict(25, 10, "pass"),
            merge(26),
        ]
    };
    let place = |clock: u64| {
        let told = tell(begun_with(facts().map(|fact| at(clock, fact))));
        let mut protocol = told.protocol().clone();
        protocol.created_at_ms = 0;
        protocol
    };
    assert_eq!(place(0), place(50));
    let protocol = place(0);
    assert_eq!(protocol.step(&step_id(A)).unwrap().commits, [oid(10), oid(11)]);
    assert_eq!(protocol.orphan_commits, []);
    assert_eq!(protocol.shown, ProtocolStatus::Completed);
}

#[test]
fn f2_a_report_waits_for_an_event_that_names_its_commit() {
    let told = tell(begun_with([ci(4, 9, 1, JobResult::Success)]));
    assert_eq!((told.outcome(4), told.protocol().orphan_ci), ("accepted", 1));
    assert_eq!(told.step(A).ci, JobResult::None);
    let told = tell(begun_with([ci(4, 9, 1, JobResult::Success), commit(5, 9, Some(A), &[])]));
    assert_eq!((told.step(A).ci, told.protocol().orphan_ci), (JobResult::Success, 0));
}

#[test]
fn f2_a_report_about_the_same_tree_counts() {
    let mut report = ci(4, 77, 1, JobResult::Success);
    if let Body::CiReported(report) = &mut report.body {
        report.tree = Some(oid(9));
    }
    let told = tell(begun_with([report.clone(), commit(5, 9, Some(A), &[])]));
    assert_eq!((told.step(A).ci, told.protocol().orphan_ci), (JobResult::Success, 0));
    // What a commit's tree is says the commit.
    let told = tell(begun_with([report, commit(5, 9, Some(A), &[]), commit(6, 77, Some(B), &[9])]));
    assert_eq!((told.step(A).ci, told.step(B).ci), (JobResult::None, JobResult::Success));
}

fn running_with_commit(more: impl IntoIterator<Item = Event>) -> Told {
    let base = [step(4, A, StepMove::Started), commit(5, 9, Some(A), &[])];
    tell(begun_with(base.into_iter().chain(more)))
}

#[test]
fn f3_a_red_job_shows_the_step_failed_and_a_later_green_one_heals() {
    let told = running_with_commit([ci(6, 9, 1, JobResult::Failure)]);
    assert_eq!((told.step(A).recorded, told.step(A).shown), (StepStatus::Running, StepStatus::Failed));
    assert_eq!(
        (told.protocol().recorded, told.protocol().shown),
        (ProtocolStatus::Running, ProtocolStatus::Blocked)
    );
    assert_eq!(told.protocol().blocked.as_ref().unwrap().code, "ci.failed");
    let told = running_with_commit([ci(6, 9, 1, JobResult::Failure), ci(7, 9, 2, JobResult::Success)]);
    assert_eq!((told.step(A).shown, told.protocol().shown), (StepStatus::Running, ProtocolStatus::Running));
    assert_eq!(told.protocol().blocked, None);
    // So does a new commit, about which nothing is known yet.
    let told = running_with_commit([ci(6, 9, 1, JobResult::Failure), commit(7, 10, Some(A), &[9])]);
    assert_eq!((told.step(A).ci, told.step(A).shown), (JobResult::None, StepStatus::Running));
}

#[test]
fn f3_decisions_meet_what_is_recorded_not_what_is_shown() {
    let told = running_with_commit([
        ci(6, 9, 1, JobResult::Failure),
        saw("running", 1, step(7, A, StepMove::Submitted)),
    ]);
    assert_eq!(told.outcome(7), "accepted");
}

#[test]
fn f3_a_completed_step_is_never_dragged_back() {
    let told = running_with_commit([step(6, A, StepMove::Completed), ci(7, 9, 1, JobResult::Failure)]);
    assert_eq!((told.step(A).shown, told.step(A).ci), (StepStatus::Completed, JobResult::Failure));
    assert_eq!(told.protocol().shown, ProtocolStatus::Running);
}

#[test]
fn f3_a_step_that_never_ran_is_left_alone() {
    let told = tell(begun_with([commit(5, 9, Some(B), &[]), ci(6, 9, 1, JobResult::Failure)]));
    assert_eq!((told.step(B).shown, told.step(B).ci), (StepStatus::Pending, JobResult::Failure));
    assert_eq!(told.protocol().shown, ProtocolStatus::Running);
}

#[test]
fn f4_a_late_running_never_beats_a_result() {
    for reports in [
        vec![ci(6, 9, 1, JobResult::Success), ci(7, 9, 1, JobResult::Running)],
        vec![ci(6, 9, 2, JobResult::Success), ci(7, 9, 1, JobResult::Failure)],
        vec![ci(6, 9, 1, JobResult::Running), ci(7, 9, 1, JobResult::Success)],
    ] {
        assert_eq!(running_with_commit(reports).step(A).ci, JobResult::Success);
    }
    let reports = [ci(6, 9, 1, JobResult::Failure), ci(7, 9, 1, JobResult::Success)];
    assert_eq!(running_with_commit(reports).step(A).ci, JobResult::Failure, "of one run the failure counts");
    let reports = [ci(6, 9, 1, JobResult::Success), ci(7, 9, 2, JobResult::Running)];
    assert_eq!(running_with_commit(reports).step(A).ci, JobResult::Running, "a newer run counts");
}

#[test]
fn f5_of_events_with_one_cause_the_first_counts() {
    let start = |n| caused("commit:c", saw("pending", 0, step(n, A, StepMove::Started)));
    let told = tell(begun_with([at(4, start(4)), at(4, start(5))]));
    assert_eq!(told.outcomes(&[4, 5]), ["accepted", "duplicate"]);
    assert_eq!(told.step(A).attempt, 1);
    assert_eq!(told.protocol().counts.duplicate, 1);
    // One cause may yield a fact and several decisions: type and step belong to the key.
    let told = tell(begun_with([
        caused("commit:c", commit(4, 9, Some(A), &[])),
        start(5),
        caused("commit:c", step(6, A, StepMove::Submitted)),
        caused("commit:c", step(7, B, StepMove::Started)),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6, 7]), ["accepted"; 4]);
    // A cause of a twin's, or beyond belief, is not a cause of ours.
    let told = tell(begun_with([at(4, of(Ulid(2), start(4))), at(5, start(5))]));
    assert_eq!(told.outcomes(&[4, 5]), ["twin", "accepted"]);
}

#[test]
fn f5_a_commit_and_a_rewrite_are_recorded_once_without_a_cause_too() {
    let told = tell(begun_with([
        commit(4, 9, Some(A), &[]),
        commit(5, 9, Some(B), &[]),
        rewritten(6, 9, 10),
        rewritten(7, 9, 10),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6, 7]), ["accepted", "duplicate", "accepted", "duplicate"]);
    assert_eq!((told.commits(A), told.commits(B)), (vec![9], vec![]));
}

#[test]
fn a_merge_completes_the_protocol_whatever_was_decided() {
    for decided in [ProtocolMove::Paused, ProtocolMove::Blocked, ProtocolMove::Cancelled] {
        for (first, second) in [(4, 5), (5, 4)] {
            let told = tell(begun_with([at(first, moved(10, decided)), at(second, merge(11))]));
            assert_eq!(told.outcomes(&[10, 11]), ["accepted"; 2]);
            assert_eq!(told.protocol().shown, ProtocolStatus::Completed, "{decided}");
            assert_ne!(told.protocol().recorded, ProtocolStatus::Completed);
            assert_eq!(told.protocol().blocked, None);
        }
    }
}

#[test]
fn the_newest_verdict_counts_and_is_stale_for_other_content() {
    let told = running_with_commit([verdict(6, 9, "fail"), verdict(7, 9, "pass")]);
    let shown = told.step(A).verdict.clone().unwrap();
    assert_eq!((shown.verdict.result.as_str(), shown.stale), ("pass", false));
    let told = running_with_commit([verdict(6, 9, "pass"), commit(7, 10, Some(A), &[9])]);
    assert!(told.step(A).verdict.as_ref().unwrap().stale);
}

#[test]
fn p1_a_stub_of_a_decision_keeps_its_effect_and_one_of_a_fact_has_none() {
    let stub = |event| Event { redacts: Some(Digest([3; 32])), ..event };
    let told = tell(begun_with([
        stub(step(4, A, StepMove::Started)),
        stub(commit(5, 9, Some(A), &[])),
        stub(ci(6, 9, 1, JobResult::Failure)),
        stub(merge(7)),
    ]));
    assert_eq!(told.outcomes(&[4, 5, 6, 7]), ["accepted"; 4]);
    assert_eq!(told.step(A).recorded, StepStatus::Running);
    assert_eq!(told.protocol().commits.len(), 0);
    assert_eq!(told.protocol().shown, ProtocolStatus::Running);
}
