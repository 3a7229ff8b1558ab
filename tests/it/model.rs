//! A second implementation of the rules, written before this one in another language, agrees.
//!
//! `tests/data/model-v1.jsonl` holds random sets of events in our stored form (only the fields that
//! a fold reads), in no order, each with what that model made of them. It knows three steps and
//! `created start qa done finish cancel reopen commit ci undo`, which stand for
//! `protocol.created step.started step.submitted step.completed protocol.completed
//! protocol.cancelled protocol.reopened commit.seen ci.reported undo`; there are repeated ids, leaps
//! of the clock, and twins, but no causes and no attempts. Where the two differ on purpose:
//!
//! - The model has its steps from the start, so each creation is followed by a plan.
//! - It moves a step from one status only: our events say so in `from`.
//! - It asks in the fold whether earlier steps are completed, we do when deciding; and it leaves the
//!   steps of a cancelled protocol alone, we cancel the open ones. Sets in which either makes a
//!   difference are left out, and in a cancelled protocol an open step is a cancelled one.
//! - It lets a twin's undo take back an event of ours, so an undo names events of its own root only.
//! - Where it says `active`, we tell several statuses apart that are not final.

use git_godzilla::domain::event::Event;
use git_godzilla::domain::fold::{Outcome, fold};
use git_godzilla::domain::id::Digest;
use git_godzilla::domain::spec::{Planner, QaPolicy, Spec, SpecStep, Specs, StepKind};
use git_godzilla::store::content::Content;
use serde_json::Value;

/// The plan that every set names.
fn specs() -> Specs {
    let steps = ["01-a", "02-b", "03-c"].map(|id| SpecStep {
        more: None,
        id: id.parse().unwrap(),
        title: id.to_owned(),
        kind: StepKind::Work,
        file: format!("{id}.md"),
        depends_on: Vec::new(),
        qa: QaPolicy::Skip,
    });
    let spec = Spec {
        title: "t".to_owned(),
        description: String::new(),
        steps: steps.into(),
        planner: Planner::outline(),
        required_ci: Vec::new(),
        push_gate: false,
        taken_out: std::collections::BTreeMap::new(),
    };
    Specs::from([(Digest([0x11; 32]), spec)])
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    case[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_model_of_the_rules_agrees() {
    let specs = specs();
    for (number, line) in (1..).zip(include_str!("../data/model-v1.jsonl").lines()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let mut content = Content::default();
        for event in case["events"].as_array().unwrap() {
            content.add_raw(event.to_string().as_bytes());
        }
        content.normalize();
        assert!(content.rejects.is_empty(), "case {number}");

        let events = content.events();
        let folded = fold(&events, &specs);
        let protocol = folded.protocol.unwrap();
        let with = |is_it: &dyn Fn(&Event, &Outcome) -> bool| {
            let mut ids: Vec<String> = std::iter::zip(&events, &folded.outcomes)
                .filter(|(event, outcome)| is_it(event, outcome))
                .map(|(event, _)| event.id.to_string())
                .collect();
            ids.sort();
            ids
        };
        let undone = with(&|_, outcome| matches!(outcome, Outcome::Undone(_)));
        let rejected = with(&|_, outcome| matches!(outcome, Outcome::Rejected(_)));
        let twins: Vec<String> = folded.twins.iter().map(ToString::to_string).collect();
        let steps: Vec<String> = protocol.steps.iter().map(|step| step.recorded.to_string()).collect();
        let status = if protocol.recorded.is_final() { protocol.recorded.as_str() } else { "active" };
        assert_eq!(undone, texts(&case, "undone"), "case {number}");
        assert_eq!(rejected, texts(&case, "rejected"), "case {number}");
        assert_eq!(twins, texts(&case, "twins"), "case {number}");
        assert_eq!(steps, texts(&case, "steps"), "case {number}");
        assert_eq!(status, case["status"].as_str().unwrap(), "case {number}");
        assert_eq!(Some(protocol.counts.quarantined as u64), case["quarantined"].as_u64(), "case {number}");
    }
}
