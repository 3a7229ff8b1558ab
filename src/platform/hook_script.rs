//! The text of a hook's script: what its template has for one event.

/// How the function looks that tells whether prepare-commit-msg may be left to commit-msg.
const LEFT: &str = include_str!("../../hooks/left.sh");

/// Begins a line that says for which events the lines below it are; without a name they are for all.
const PART: &str = "#@";

/// Returns the lines of `template` that concern `event`. A shell reads the whole of a script at every commit, so what
/// is for other events is not in it.
pub(super) fn of(template: &str, event: &str) -> String {
    let mut is_for_event = true;
    let mut script = String::with_capacity(template.len());
    for line in template.lines() {
        if let Some(events) = line.strip_prefix(PART) {
            is_for_event = events.trim().is_empty() || events.split_whitespace().any(|it| it == event);
        } else if is_for_event {
            script.push_str(line);
            script.push('\n');
        }
    }
    script.replace("@LEFT@\n", &LEFT.replace("\r\n", "\n")).replace("@EVENT@", event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_the_lines_for_its_event_and_those_for_all() {
        let template = "one @EVENT@\n#@ a b\ntwo\n#@ c\nthree\n#@\nfour\r\n";
        assert_eq!(of(template, "a"), "one a\ntwo\nfour\n");
        assert_eq!(of(template, "c"), "one c\nthree\nfour\n");
        assert_eq!(of(template, "d"), "one d\nfour\n");
    }

    #[test]
    fn what_is_shared_is_put_in() {
        let script = of("#@ a\n@LEFT@\n#@\nend\n", "a");
        assert!(script.starts_with(LEFT) && script.ends_with("}\nend\n"), "{script}");
        assert_eq!(of("#@ a\n@LEFT@\n#@\nend\n", "b"), "end\n");
    }
}
