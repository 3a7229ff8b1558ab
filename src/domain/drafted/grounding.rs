//! Whether a plan is about this repository, or could be about any.

use super::Drafted;

/// Returns what a plan lacks to be about a repository that has these paths and commands: it must name
/// `min_paths` of the paths (or all, if there are fewer) and one of the commands, if there is any.
pub fn ungrounded(drafted: &Drafted, paths: &[&str], commands: &[String], min_paths: usize) -> Vec<String> {
    let steps = drafted.steps.iter().flat_map(|step| step.paths.iter().chain([&step.body]));
    let texts = [&drafted.plan, &drafted.context, &drafted.log].into_iter().chain(steps);
    let all: String = texts.flat_map(|text| [text.as_str(), "\n"]).collect();
    let wanted = min_paths.min(paths.len());
    let n_named = paths.iter().filter(|path| names(&all, path)).take(wanted).count();
    let mut lacking = Vec::new();
    if n_named < wanted {
        lacking.push(format!(
            "it names {n_named} of the repository's paths that were listed, and must name at least {wanted}"
        ));
    }
    if !commands.is_empty() && !commands.iter().any(|command| all.contains(command.as_str())) {
        lacking.push("it names none of the commands that were listed".to_owned());
    }
    lacking
}

/// Whether `text` names `path`, and not only something with it in its name.
fn names(text: &str, path: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.match_indices(path).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + found.len()..].chars();
        let ends = match after.next() {
            Some('.') => !after.next().is_some_and(is_name),
            after => !after.is_some_and(is_name),
        };
        ends && !before.is_some_and(|c| is_name(c) || matches!(c, '.' | '/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::Planner;

    fn drafted(plan: &str) -> Drafted {
        let text = String::new();
        Drafted {
            planner: Planner::outline(),
            plan: plan.to_owned(),
            context: text.clone(),
            log: text,
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_path_is_named_as_such_and_not_within_a_word() {
        for (text, path, is_named) in [
            ("see src/main.rs.", "src/main.rs", true),
            ("`src/main.rs`", "src", true),
            ("source and srcs", "src", false),
            ("lib/src is another", "src", false),
            ("main.rs.bak", "main.rs", false),
            ("main.rs", "main.rs", true),
        ] {
            assert_eq!(names(text, path), is_named, "{text} / {path}");
        }
    }

    #[test]
    fn a_plan_names_paths_and_a_command() {
        let commands = ["cargo test".to_owned()];
        let plan = drafted("Change a.rs and b.rs, then run `cargo test`.");
        assert!(ungrounded(&plan, &["a.rs", "b.rs", "c.rs"], &commands, 2).is_empty());
        assert_eq!(ungrounded(&plan, &["a.rs", "c.rs"], &commands, 6).len(), 1);
        assert_eq!(ungrounded(&drafted("Improve it."), &["a.rs"], &commands, 6).len(), 2);
        assert!(ungrounded(&drafted("Improve it."), &[], &[], 6).is_empty());
    }
}
