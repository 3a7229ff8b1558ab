//! Git's refspecs, as far as fetching our refs needs them.

/// Returns what each ref of `names` is copied to by `refspecs`.
pub(super) fn copies<'n>(
    refspecs: &[String],
    names: impl Iterator<Item = &'n String>,
) -> Vec<(String, String)> {
    let mut copies = Vec::new();
    for name in names {
        let is_left_out = refspecs
            .iter()
            .filter_map(|refspec| refspec.strip_prefix('^'))
            .any(|not| rest(not, name).is_some());
        if is_left_out {
            continue;
        }
        for refspec in refspecs.iter().filter(|refspec| !refspec.starts_with('^')) {
            let (from, to) = refspec.trim_start_matches('+').split_once(':').unwrap();
            if let Some(rest) = rest(from, name) {
                copies.push((name.clone(), to.replace('*', rest)));
            }
        }
    }
    copies
}

/// Returns where copies go: what may be pruned.
pub(super) fn targets(refspecs: &[String]) -> Vec<String> {
    let to = refspecs.iter().filter_map(|refspec| refspec.split_once(':'));
    to.map(|(_, to)| to.trim_end_matches('*').to_owned()).collect()
}

/// Returns what the star of `pattern` stands for in `name`.
fn rest<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.strip_prefix(prefix),
        None => (pattern == name).then_some(""),
    }
}
