//! Plans without the texts that were taken out of them.
//!
//! A plan that stands for another one names each text that it says otherwise by the SHA-256 of what it was. So
//! the same text is known again where somebody still says it: in the files of the plan, and in a plan that was
//! made of the old one meanwhile. The text itself is nowhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{decode, named_text};
use crate::domain::id::Digest;
use crate::domain::redact::TAKEN_OUT;
use crate::domain::spec::contract::title_of;
use crate::store::canon::{Tape, Value, View};
use crate::store::content::sha256;

/// Texts that were taken out, by their SHA-256, and what stands for each.
pub type Instead = BTreeMap<Digest, String>;

/// The member of a plan that holds them.
const KEY: &str = "taken_out";

/// What events, files and other steps call a step by: nothing can be taken out of it.
const NAMES: [&str; 5] = ["id", "file", "depends_on", "skip_steps", "target"];

/// How often what stands for a text is itself looked for.
const MAX_TURNS: usize = 8;

/// Returns the plan that says `secret` nowhere but in names, with its own name; `None` for one that never
/// said it, or is none without it.
pub fn take_out(text: &str, secret: &str) -> Option<(Digest, String)> {
    rewritten(text, &|said| said.contains(secret).then(|| said.replace(secret, TAKEN_OUT)))
}

/// Returns the plan without the texts that `instead` names, with its own name; `None` if it says none.
pub fn without(text: &str, instead: &Instead) -> Option<(Digest, String)> {
    rewritten(text, &|said| {
        let mut now = Cow::Borrowed(said);
        for _ in 0..MAX_TURNS {
            let Some(next) = instead.get(&sha256(now.as_bytes())) else { break };
            now = Cow::Owned(next.clone());
        }
        (now != said).then(|| now.into_owned())
    })
}

/// Returns what was taken out of any of these plans. Where two put different texts in the place of one, each
/// may say what the other took out, so that nothing of it stays.
pub fn taken_out<'a>(plans: impl IntoIterator<Item = &'a String>) -> Instead {
    let mut all = Instead::new();
    for plan in plans {
        let mut tape = Tape::default();
        let Ok(parsed) = tape.parse(plan.as_bytes()) else { continue };
        for (was, now) in read(parsed.value) {
            let Some(other) = all.get(&was).filter(|other| **other != now).cloned() else {
                all.insert(was, now);
                continue;
            };
            for said in [other, now].iter().filter(|said| *said != TAKEN_OUT) {
                all.insert(sha256(said.as_bytes()), TAKEN_OUT.to_owned());
            }
            all.insert(was, TAKEN_OUT.to_owned());
        }
    }
    all
}

/// Reads what a plan says was taken out of it.
pub(super) fn read(plan: View<'_>) -> Instead {
    let members = plan.get(KEY).into_iter().flat_map(View::members);
    members.filter_map(|(was, now)| Some((was.parse().ok()?, now.as_str()?.into_owned()))).collect()
}

pub(super) fn value<'a>(instead: &Instead) -> Option<Value<'a>> {
    let member = |(was, now): (&Digest, &String)| (was.to_string().into(), Value::str(now.clone()));
    // Digests are in the order of their bytes, and so is what they are written as.
    (!instead.is_empty()).then(|| Value::Obj(instead.iter().map(member).collect()))
}

fn rewritten(text: &str, change: &dyn Fn(&str) -> Option<String>) -> Option<(Digest, String)> {
    let mut tape = Tape::default();
    let view = tape.parse(text.as_bytes()).ok()?.value;
    let mut instead = read(view);
    let mut plan = view.to_value();
    let mut found = Instead::new();
    let mut is_changed = walk(&mut plan, true, change, &mut found);
    for now in instead.values_mut() {
        if let Some(next) = change(now) {
            *now = next;
            is_changed = true;
        }
    }
    if !is_changed {
        return None;
    }
    instead.extend(found);
    let Value::Obj(members) = &mut plan else { return None };
    members.retain(|(key, _)| key != KEY);
    members.extend(value(&instead).map(|value| (KEY.into(), value)));
    members.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    let new = named_text(&plan);
    (decode(text.as_bytes()).is_err() || decode(new.1.as_bytes()).is_ok()).then_some(new)
}

/// Changes every text but names, which `has_names` says may be there, and tells whether there was any. What is
/// free for other tools goes with a key that says it.
fn walk(
    value: &mut Value<'_>,
    has_names: bool,
    change: &dyn Fn(&str) -> Option<String>,
    found: &mut Instead,
) -> bool {
    match value {
        Value::Str(said) => {
            let Some(now) = change(said) else { return false };
            // Files say a title in one line.
            for was in [said.to_string(), title_of(said)] {
                found.insert(sha256(was.as_bytes()), now.clone());
            }
            *said = Cow::Owned(now);
            true
        }
        Value::Arr(items) => {
            items.iter_mut().fold(false, |changed, item| walk(item, has_names, change, found) | changed)
        }
        Value::Obj(members) => {
            let n_before = members.len();
            members.retain(|(key, _)| has_names || change(key).is_none());
            let mut is_changed = members.len() < n_before;
            for (key, value) in members {
                let is_name = has_names && NAMES.contains(&&**key);
                if !is_name && key != KEY {
                    let has_names = has_names && matches!(&**key, "steps" | "policies");
                    is_changed |= walk(value, has_names, change, found);
                }
            }
            is_changed
        }
        Value::Null | Value::False | Value::True | Value::Int(_) | Value::UInt(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"description":"with hunter2\nand \"hunter2\"","metadata":{"hunter2":1,"x":["hunter2",{"id":"hunter2"}]},"planner":"outline","steps":[{"file":"01-a.md","id":"01-a","number":1,"qa":{"policy":"skip"},"title":"A  hunter2","type":"work"}],"title":"T","v":1,"zz":"hunter2"}"#;

    fn instead(pairs: &[(&str, &str)]) -> Instead {
        pairs.iter().map(|(was, now)| (sha256(was.as_bytes()), (*now).to_owned())).collect()
    }

    /// A plan with this title, from which these texts were taken out.
    fn titled(title: &str, pairs: &[(&str, &str)]) -> String {
        let mut tape = Tape::default();
        let Value::Obj(mut members) = tape.parse_str(PLAN).unwrap().value.to_value() else { unreachable!() };
        members.retain(|(key, _)| key != "title" && key != KEY);
        members.push(("title".into(), Value::str(title)));
        members.extend(value(&instead(pairs)).map(|value| (KEY.into(), value)));
        members.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
        Value::Obj(members).to_text()
    }

    #[test]
    fn it_is_said_nowhere_and_known_again_everywhere() {
        let (digest, text) = take_out(PLAN, "hunter2").unwrap();
        assert_eq!(digest, sha256(text.as_bytes()));
        assert!(!text.contains("hunter2"), "{text}");
        let plan = decode(text.as_bytes()).unwrap();
        assert_eq!(plan.steps[0].title, format!("A  {TAKEN_OUT}"));
        assert_eq!(take_out(&text, "hunter2"), None, "once is enough");
        assert_eq!(without(PLAN, &plan.taken_out).unwrap().0, digest, "each text is known by itself");
        assert_eq!(without(&text, &plan.taken_out), None);
        // Files say a title in one line.
        assert_eq!(plan.taken_out[&sha256(b"A hunter2")], format!("A  {TAKEN_OUT}"));
        // Other texts of another plan are left alone.
        let other = PLAN.replace("A  hunter2", "B");
        assert!(without(&other, &plan.taken_out).unwrap().1.contains("\"B\""));
    }

    #[test]
    fn nothing_is_taken_out_of_names() {
        let named = PLAN.replace("01-a", "01-hunter2");
        let (_, text) = take_out(&named, "hunter2").unwrap();
        assert!(text.contains(r#""id":"01-hunter2""#) && text.contains("01-hunter2.md"), "{text}");
        assert_eq!(take_out("no plan says hunter2", "hunter2"), None);
    }

    #[test]
    fn of_two_who_took_out_something_else_nothing_stays() {
        let (one, two) = (titled("x b", &[("a b", "x b")]), titled("a y", &[("a b", "a y")]));
        let all = taken_out([&one, &two]);
        for said in ["a b", "x b", "a y"] {
            assert_eq!(all[&sha256(said.as_bytes())], TAKEN_OUT, "{said}");
            let (_, now) = without(&titled(said, &[]), &all).unwrap();
            assert_eq!(decode(now.as_bytes()).unwrap().title, TAKEN_OUT);
        }
        assert_eq!(all, taken_out([&two, &one]));
        // Later ones that hold what stood there until then are rewritten once, and stay.
        let (_, again) = without(&titled("z", &[("a b", "x b")]), &all).unwrap();
        assert!(!again.contains("\"x b\"") && again.contains("\"z\""), "{again}");
        assert_eq!(without(&again, &taken_out([&one, &two, &again])), None);
    }

    #[test]
    fn a_circle_ends() {
        let all = instead(&[("a", "b"), ("b", "c"), ("c", "a")]);
        let (_, text) = without(&titled("a", &[]), &all).unwrap();
        assert!(["a", "b", "c"].contains(&&*decode(text.as_bytes()).unwrap().title));
    }
}
