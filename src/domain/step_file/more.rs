//! What most steps do not say: who does and reviews them, what they leave behind, what follows them.
//!
//! A policy is a list of `key=value`: `loop: [on=qa_failed, back=1, max=3, skip=02-x]` or
//! `trigger: [on=qa_passed, target=04-docs, max=2]`. A second one of a kind is `loop_2`, and so on; its
//! name is that of the step and the key, unless an `id=` gives it another.

use super::front_matter::{FrontMatter, ParseError, Scalar};
use crate::domain::policy::{Behavior, Occasion, StepPolicy};
use crate::domain::spec::StepMore;
use crate::domain::spec::rules::{
    MAX_TIMEOUT_SECONDS, is_engine_name, is_gate_name, is_inner_path, is_inner_pattern, is_model_name,
    is_policy_name,
};
use crate::domain::text::{clip, one_line};

/// How many policies of one behaviour a step may have.
const MAX_POLICIES: usize = 20;

/// Reads the entries of a step whose id is `step`; what cannot be read is told and left out.
pub(super) fn read(entries: &FrontMatter, step: &str, errors: &mut Vec<ParseError>) -> StepMore {
    const ENGINE: &str = "the name of an engine such as `codex`";
    const MODEL: &str = "the name of a model";
    const PATTERN: &str = "a pattern of paths within the repository such as `src/**`";
    let timeout = format!("a number of seconds from 1 to {MAX_TIMEOUT_SECONDS}");
    let seconds = |text: &str| text.parse().ok().filter(|n| (1..=MAX_TIMEOUT_SECONDS).contains(n));
    StepMore {
        engine: kept(entries.text("engine", ENGINE, is_engine_name), errors),
        model: kept(entries.text("model", MODEL, is_model_name), errors),
        timeout_seconds: kept(entries.word("timeout", &timeout, seconds), errors),
        paths: kept(entries.list_of("paths", PATTERN, is_inner_pattern), errors).unwrap_or_default(),
        qa_engine: kept(entries.text("qa_engine", ENGINE, is_engine_name), errors),
        qa_model: kept(entries.text("qa_model", MODEL, is_model_name), errors),
        qa_gates: kept(entries.list_of("gates", "the name of a gate", is_gate_name), errors),
        policies: policies(entries, step, errors),
        outputs: kept(outputs(entries), errors),
    }
}

/// Returns a value, or none and tells why.
pub(super) fn kept<T: Default>(read: Result<T, ParseError>, errors: &mut Vec<ParseError>) -> T {
    read.unwrap_or_else(|err| {
        errors.push(err);
        T::default()
    })
}

/// Returns the entries that [`read`] reads, without `paths`.
pub(super) fn entries(more: &StepMore, step: &str) -> Vec<(String, Scalar)> {
    let text = |key: &str, text: Option<&String>| Some((key.to_owned(), Scalar::Text(text?.clone())));
    let timeout = more.timeout_seconds.map(|seconds| seconds.to_string());
    let gates = more.qa_gates.clone().map(|gates| ("gates".to_owned(), Scalar::List(gates)));
    let outputs: Vec<String> = more.outputs.iter().map(|(name, path)| format!("{name}={path}")).collect();
    let outputs = (!outputs.is_empty()).then(|| ("outputs".to_owned(), Scalar::List(outputs)));
    let scalars = [
        text("engine", more.engine.as_ref()),
        text("model", more.model.as_ref()),
        text("timeout", timeout.as_ref()),
        text("qa_engine", more.qa_engine.as_ref()),
        text("qa_model", more.qa_model.as_ref()),
        gates,
        outputs,
    ];
    let mut entries: Vec<(String, Scalar)> = scalars.into_iter().flatten().collect();
    for (idx, policy) in more.policies.iter().enumerate() {
        let behavior = policy.behavior;
        let before = more.policies[..idx].iter().filter(|other| other.behavior == behavior).count();
        let key = if before == 0 { behavior.to_string() } else { format!("{behavior}_{}", before + 1) };
        let items = policy_items(policy, &default_id(step, &key));
        entries.push((key, Scalar::List(items)));
    }
    entries
}

fn outputs(entries: &FrontMatter) -> Result<Vec<(String, String)>, ParseError> {
    let what = "a file within the protocol's folder such as `report=qa/report.md`";
    let split = |item: &str| {
        let (name, path) = item.split_once('=')?;
        (is_engine_name(name) && is_inner_path(path)).then(|| (name.to_owned(), path.to_owned()))
    };
    let items = entries.list_of("outputs", what, |item| split(item).is_some())?.unwrap_or_default();
    let mut outputs: Vec<(String, String)> = items.iter().filter_map(|item| split(item)).collect();
    outputs.sort();
    match outputs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(entries.error("outputs", format!("`{}` is there twice in `outputs`", pair[0].0))),
        None => Ok(outputs),
    }
}

fn policies(entries: &FrontMatter, step: &str, errors: &mut Vec<ParseError>) -> Vec<StepPolicy> {
    let mut policies: Vec<StepPolicy> = Vec::new();
    for (key, _) in &entries.entries {
        let Some(behavior) = behavior_of(key) else { continue };
        let read = entries.list(key).and_then(|items| {
            policy(behavior, &items.unwrap_or_default(), default_id(step, key))
                .map_err(|message| entries.error(key, format!("`{key}`: {message}")))
        });
        match read {
            Ok(policy) if policies.iter().any(|other| other.id == policy.id) => {
                errors.push(entries.error(key, format!("two policies have the id `{}`", policy.id)));
            }
            Ok(policy) => policies.push(policy),
            Err(err) => errors.push(err),
        }
    }
    policies
}

/// Returns what `loop`, `loop_2` and the like stand for.
fn behavior_of(key: &str) -> Option<Behavior> {
    let (word, number) = key.split_once('_').unwrap_or((key, "1"));
    number.parse::<usize>().ok().filter(|n| (1..=MAX_POLICIES).contains(n))?;
    Behavior::from_word(word)
}

fn default_id(step: &str, key: &str) -> String {
    format!("{step}/{key}")
}

fn policy(behavior: Behavior, items: &[String], id: String) -> Result<StepPolicy, String> {
    let (on, skip_steps) = (Vec::new(), Vec::new());
    let mut policy =
        StepPolicy { id, behavior, on, max_iterations: None, step_back: 1, skip_steps, target: None };
    let is_loop = behavior == Behavior::Loop;
    let mut seen = Vec::new();
    for item in items {
        let shown = clip(&one_line(item), 60);
        let (key, value) = item.split_once('=').ok_or_else(|| format!("`{shown}` is not `key=value`"))?;
        if seen.contains(&key) && !matches!(key, "on" | "skip") {
            return Err(format!("`{key}` is there twice"));
        }
        seen.push(key);
        let wrong = |wants: &str| format!("`{shown}` is not {wants}");
        let count = || value.parse().ok().filter(|n| (1..=1000).contains(n));
        let step = || value.parse().map_err(|_| wrong("the id of a step such as `03-api`"));
        match key {
            "on" => policy.on.push(
                Occasion::from_word(value)
                    .ok_or_else(|| wrong("on=qa_failed, qa_passed, exec_failed, or exec_completed"))?,
            ),
            "id" if is_policy_name(value) => value.clone_into(&mut policy.id),
            "id" => return Err(wrong("a name")),
            "max" => policy.max_iterations = Some(count().ok_or_else(|| wrong("a number from 1 to 1000"))?),
            "back" if is_loop => {
                policy.step_back = count().ok_or_else(|| wrong("a number from 1 to 1000"))?;
            }
            "skip" if is_loop => policy.skip_steps.push(step()?),
            "target" if !is_loop => policy.target = Some(step()?),
            _ => {
                let known = if is_loop { "on, back, max, skip, id" } else { "on, target, max, id" };
                return Err(format!("`{shown}` is none of {known}"));
            }
        }
    }
    if !is_loop && policy.target.is_none() {
        return Err("it needs the step to call, as in `target=04-docs`".to_owned());
    }
    Ok(policy)
}

fn policy_items(policy: &StepPolicy, default_id: &str) -> Vec<String> {
    let mut items: Vec<String> = policy.on.iter().map(|on| format!("on={on}")).collect();
    if policy.step_back != 1 {
        items.push(format!("back={}", policy.step_back));
    }
    items.extend(policy.target.iter().map(|target| format!("target={target}")));
    items.extend(policy.max_iterations.map(|max| format!("max={max}")));
    items.extend(policy.skip_steps.iter().map(|step| format!("skip={step}")));
    if policy.id != default_id {
        items.push(format!("id={}", policy.id));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::step_file::{NewStep, parse, render};

    fn more_of(lines: &str) -> Result<StepMore, ParseError> {
        parse(&format!("---\nid: 03-api\ntitle: x\n{lines}---\n")).map(|file| file.more)
    }

    #[test]
    fn what_a_step_says_is_read_and_written() {
        let lines = "engine: codex\nmodel: \"vendor/m:1.5\"\ntimeout: 1800\nqa_engine: claude\nqa_model: big\n\
                     gates: [10-test.sh]\noutputs: [notes=notes.md, report=qa/report.md]\n\
                     loop: [on=qa_failed, on=exec_failed, back=2, max=3, skip=02-x]\n\
                     trigger: [on=qa_passed, target=04-docs, max=2]\nloop_2: [on=exec_failed, id=again]\n";
        let more = more_of(lines).unwrap();
        assert_eq!((more.engine.as_deref(), more.timeout_seconds), (Some("codex"), Some(1800)));
        assert_eq!(more.qa_gates, Some(vec!["10-test.sh".to_owned()]));
        assert_eq!(more.outputs[1], ("report".to_owned(), "qa/report.md".to_owned()));
        let [back, call, again] = more.policies.as_slice() else { panic!("{more:?}") };
        assert_eq!((back.id.as_str(), back.step_back, back.max_iterations), ("03-api/loop", 2, Some(3)));
        assert_eq!(back.on, [Occasion::QaFailed, Occasion::ExecFailed]);
        assert_eq!(back.skip_steps, ["02-x".parse().unwrap()]);
        assert_eq!(
            (call.behavior, call.target.clone()),
            (Behavior::Trigger, Some("04-docs".parse().unwrap()))
        );
        assert_eq!((again.id.as_str(), again.step_back), ("again", 1));

        let step = NewStep { id: "03-api".to_owned(), title: "x".to_owned(), more, ..NewStep::default() };
        let text = render(&NewStep { kind: "work".to_owned(), qa: "full".to_owned(), ..step.clone() });
        assert_eq!(parse(&text).unwrap().more, step.more);
        assert!(
            text.contains("\nloop: [on=qa_failed, on=exec_failed, back=2, max=3, skip=02-x]\n"),
            "{text}"
        );
    }

    #[test]
    fn what_cannot_be_is_an_error_in_its_line() {
        for (line, part) in [
            ("engine: -c", "engine"),
            ("model: --yolo", "model"),
            ("timeout: 0", "seconds"),
            ("timeout: 30m", "seconds"),
            ("paths: [../up]", "pattern"),
            ("paths: [/etc]", "pattern"),
            ("gates: [../../x]", "gate"),
            ("outputs: [report=../x]", "folder"),
            ("outputs: [a=x, a=y]", "twice"),
            ("loop: yes", "list"),
            ("loop: [max]", "key=value"),
            ("loop: [on=never]", "qa_failed"),
            ("loop: [target=01-a]", "none of"),
            ("loop: [max=1, max=2]", "twice"),
            ("loop: [back=0]", "number"),
            ("trigger: [max=2]", "target"),
            ("trigger: [target=x]", "step"),
        ] {
            let err = more_of(&format!("{line}\n")).unwrap_err();
            assert_eq!(err.line, 4, "{line}: {err}");
            assert!(err.message.contains(part), "{line}: {err}");
        }
        assert_eq!(more_of("loop: [id=a]\nloop_2: [id=a]\n").unwrap_err().line, 5);
        assert!(more_of("loop_x: yes\n").unwrap().policies.is_empty(), "a key of somebody else");
    }
}
