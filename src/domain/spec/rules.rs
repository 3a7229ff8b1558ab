//! What names, paths and patterns of a plan may look like: they end as arguments of programs and as
//! paths of files, and come from files that anybody may write.

/// The longest name of an engine or a model, in bytes.
const MAX_NAME: usize = 100;

/// The longest path or pattern, in bytes.
const MAX_PATH: usize = 400;

/// How many patterns, outputs, gates or policies one step may have.
pub const MAX_ITEMS: usize = 200;

/// The longest run that a step may ask for, in seconds: a week.
pub const MAX_TIMEOUT_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Whether `text` can name an engine: `[A-Za-z0-9][A-Za-z0-9_-]*`.
pub fn is_engine_name(text: &str) -> bool {
    is_name(text, b"_-")
}

/// Whether `text` can name a model, as in `vendor/model:1.5`. It never begins like an option.
pub fn is_model_name(text: &str) -> bool {
    is_name(text, b"_-./:@+")
}

/// Whether `text` can name a gate: the name of a file, and nothing that leads elsewhere.
pub fn is_gate_name(text: &str) -> bool {
    is_name(text, b"_-.+")
}

/// Whether `text` can name a policy.
pub fn is_policy_name(text: &str) -> bool {
    is_name(text, b"_-.:/")
}

/// Whether `text` is the path of a file below the folder it is relative to, whatever the system: no
/// part of it leads up or away, is git's own, or is more than a name.
pub fn is_inner_path(text: &str) -> bool {
    is_inner(text) && !text.contains(['*', '?', '[', ']'])
}

/// Whether `text` is a pattern of paths below the root of the repository. A `/` at its end stands for
/// all that lies in the folder.
pub fn is_inner_pattern(text: &str) -> bool {
    is_inner(text.strip_suffix('/').unwrap_or(text))
}

fn is_name(text: &str, also: &[u8]) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

fn is_inner(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && !matches!(part, "." | "..") && !part.eq_ignore_ascii_case(".git");
    text.len() <= MAX_PATH
        && !text.starts_with('-')
        && !text.contains(|c: char| super::super::text::is_raw(c) || matches!(c, '\\' | ':'))
        && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_options_and_no_paths() {
        for good in ["codex", "my-engine_2", "C3"] {
            assert!(is_engine_name(good), "{good}");
        }
        for bad in ["", "-c", "a b", "a/b", "a\n", "é", &"x".repeat(101)] {
            assert!(!is_engine_name(bad), "{bad:?}");
        }
        assert!(is_model_name("vendor/model:1.5") && !is_model_name("--model") && !is_model_name("a b"));
        assert!(is_gate_name("10-tests.sh") && !is_gate_name("../x") && !is_gate_name(".hidden"));
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["a", "qa/report.md", "a..b/c", "a b"] {
            assert!(is_inner_path(good) && is_inner_pattern(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "../a",
            "a/../b",
            "a//b",
            "./a",
            "a/.",
            ".git/x",
            "a/.GIT",
            "C:/a",
            "a\\b",
            "a\u{202e}",
            "-x",
        ] {
            assert!(!is_inner_path(bad) && !is_inner_pattern(bad), "{bad:?}");
        }
        for pattern in ["src/**", "*.rs", "a/[bc]?", "docs/"] {
            assert!(is_inner_pattern(pattern), "{pattern}");
        }
        assert!(!is_inner_path("src/**") && !is_inner_path("docs/") && !is_inner_pattern("/"));
    }
}
