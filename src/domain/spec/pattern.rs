//! Patterns of paths: `*` and `?` stay within one part of a path, `**` does not, `[a-z]` is one character,
//! and a pattern that names a folder stands for all that lies in it.

/// Whether a path, or a folder that it lies in, is one that `pattern` describes. Takes time in the product
/// of the lengths.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // `reached[n]`: the parts of the pattern so far describe the first `n` parts of the path.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for n in 0..=path.len() {
            if part == "**" {
                next[n] = reached[n] || (n > 0 && next[n - 1]);
            } else if n > 0 {
                next[n] = reached[n - 1] && part_matches(part, path[n - 1]);
            }
        }
        reached = next;
    }
    reached.iter().any(|reached| *reached)
}

/// Whether two patterns may describe one path. In doubt they may.
pub fn may_meet(one: &str, other: &str) -> bool {
    match (is_plain(one), is_plain(other)) {
        (true, _) => {
            matches(other, one) || literal(other).starts_with(&format!("{}/", one.trim_end_matches('/')))
        }
        (_, true) => may_meet(other, one),
        _ => {
            let (one, other) = (literal(one), literal(other));
            one.starts_with(other) || other.starts_with(one)
        }
    }
}

/// Returns what every path begins with that `pattern` describes.
pub fn literal(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    &pattern[..end]
}

fn is_plain(pattern: &str) -> bool {
    literal(pattern) == pattern
}

fn part_matches(pattern: &str, part: &str) -> bool {
    let (pattern, part): (Vec<char>, Vec<char>) = (pattern.chars().collect(), part.chars().collect());
    let mut reached = vec![false; part.len() + 1];
    reached[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let mut next = vec![false; part.len() + 1];
        let (is_one, len) = one_of(&pattern[at..]);
        for n in 0..=part.len() {
            next[n] = match pattern[at] {
                '*' => reached[n] || (n > 0 && next[n - 1]),
                _ => n > 0 && reached[n - 1] && is_one(part[n - 1]),
            };
        }
        reached = next;
        at += len;
    }
    reached[part.len()]
}

/// Returns what takes one character at the beginning of a pattern, and how long that is there.
fn one_of(pattern: &[char]) -> (impl Fn(char) -> bool + '_, usize) {
    let close = pattern.iter().skip(2).position(|c| *c == ']').map(|idx| idx + 2);
    let class = if pattern[0] == '[' { close } else { None };
    let inner = &pattern[1..class.unwrap_or(1)];
    let (negated, inner) = match inner {
        ['!' | '^', rest @ ..] => (true, rest),
        inner => (false, inner),
    };
    let is_in = move |c: char| {
        let ranges = inner.windows(3).any(|range| range[1] == '-' && range[0] <= c && c <= range[2]);
        ranges || inner.contains(&c)
    };
    let first = pattern[0];
    let takes = move |c: char| match class {
        Some(_) => is_in(c) != negated,
        None => first == '?' || first == c,
    };
    (takes, class.map_or(1, |end| end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_describe_paths() {
        for (pattern, path) in [
            ("src", "src/a.rs"),
            ("docs/", "docs/a/b.md"),
            ("src/**", "src/a/b.rs"),
            ("src/**/b.rs", "src/b.rs"),
            ("**/b.rs", "x/y/b.rs"),
            ("*.rs", "a.rs"),
            ("src/*/m?d.rs", "src/x/mod.rs"),
            ("a[bc]d[!x-z]", "abda"),
            ("[", "["),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("src", "srcs/a.rs"),
            ("*.rs", "src/a.rs"),
            ("src/*.rs", "src/a/b.rs"),
            ("a[bc]d[!x-z]", "abdy"),
            ("src/**/b.rs", "src/b.rsx"),
            ("?", "ab"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_meet() {
        for (one, other) in
            [("src/**", "src/api/*.rs"), ("src", "src/a.rs"), ("*.rs", "a.rs"), ("src", "src/*.rs")]
        {
            assert!(may_meet(one, other) && may_meet(other, one), "{one} {other}");
        }
        for (one, other) in [("src/**", "docs/**"), ("src/*.rs", "src/a/b.rs"), ("src", "srcs/a")] {
            assert!(!may_meet(one, other) && !may_meet(other, one), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_read(pattern in "[a*?\\[\\]!/-]{0,12}", path in "[ab/]{0,12}") {
            matches(&pattern, &path);
            may_meet(&pattern, &path);
        }

        /// Whatever describes a path begins as it says.
        #[test]
        fn a_path_that_is_described_begins_so(pattern in "[ab*/]{1,8}", path in "[ab/]{1,8}") {
            if matches(&pattern, &path) && literal(&pattern) != pattern {
                prop_assert!(path.starts_with(literal(&pattern)) || literal(&pattern).ends_with('/'));
            }
        }
    }
}
