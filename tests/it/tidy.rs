//! Rules about the source itself, checked like any other behaviour.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and the layers that it may name. `cli` is the front door, so it may start `hooks`.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("platform", &["domain"]),
    ("store", &["domain", "platform"]),
    ("ci", &["domain", "platform"]),
    ("engine", &["domain", "platform"]),
    ("service", &["ci", "domain", "engine", "platform", "store"]),
    ("hooks", &["domain", "platform", "service"]),
    ("cli", &["domain", "hooks", "platform", "service", "store"]),
];

/// A file is split at this length …
const LONG: usize = 500;
/// … and must be at this one.
const TOO_LONG: usize = 800;

#[test]
fn layers_only_look_down() {
    let mut offences = Vec::new();
    for (layer, allowed) in LAYERS {
        for (file, text) in files_of(&format!("src/{layer}"), "rs") {
            for (line_idx, line) in text.lines().enumerate() {
                for named in named_after(line, "crate::") {
                    if named != *layer && !allowed.contains(&named.as_str()) {
                        offences.push(format!("{file}:{}: {layer} names {named}", line_idx + 1));
                    }
                }
            }
        }
    }
    assert_none(&offences);
}

/// A folder that is no layer would be checked by nobody.
#[test]
fn every_folder_of_the_source_is_a_layer() {
    let folders = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap());
    for folder in folders.filter(|entry| entry.file_type().unwrap().is_dir()) {
        let name = folder.file_name().into_string().unwrap();
        assert!(LAYERS.iter().any(|(layer, _)| *layer == name), "src/{name} is not in LAYERS");
    }
}

#[test]
fn the_domain_is_pure() {
    const IMPURE: &[&str] = &["std::fs", "std::process", "std::time::SystemTime", "std::env", "serde", "gix"];
    assert_none(&found(&production("src/domain"), IMPURE));
}

/// Clippy sees calls; this sees what a macro or a path hides.
#[test]
fn only_the_platform_leaves_the_process() {
    const OUTSIDE: &[&str] = &["Command::new(", "SystemTime::now(", "env::var(", "env::var_os("];
    for layer in ["domain", "store", "ci", "engine", "service", "hooks", "cli"] {
        let mut offences = found(&production(&format!("src/{layer}")), OUTSIDE);
        // The platform's own functions of that name.
        offences.retain(|offence| !offence.contains("platform::env::var") && !offence.contains(" env::var"));
        assert_none(&offences);
    }
}

#[test]
fn no_panic_in_production() {
    assert_none(&found(&production("src"), &[".unwrap()", "dbg!(", "todo!("]));
}

#[test]
#[expect(clippy::print_stdout, reason = "a warning, not a failure")]
fn files_stay_short() {
    let mut offences = Vec::new();
    for (file, text) in files_of("src", "rs").into_iter().chain(files_of("tests", "rs")) {
        let n_lines = text.lines().count();
        if n_lines > TOO_LONG && file.starts_with("src/") {
            offences.push(format!("{file}: {n_lines} lines"));
        } else if n_lines > LONG {
            println!("warning: {file} has {n_lines} lines; split it at {LONG}");
        }
    }
    assert_none(&offences);
}

/// Cargo does not see a file that nobody declares, and its tests would never run.
#[test]
fn every_test_is_declared() {
    let dir = root().join("tests/it");
    let main = fs::read_to_string(dir.join("main.rs")).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name);
        let is_module = module != "main" && !module.starts_with('.');
        assert!(!is_module || main.contains(&format!("mod {module};")), "tests/it/{name} is not in main.rs");
    }
}

/// A test that waits for a while is slow on a fast machine and wrong on a slow one.
#[test]
fn no_test_waits_for_a_while() {
    let mut files = files_of("tests", "rs");
    files.extend(files_of("src", "rs").into_iter().filter(|(file, _)| is_test_file(file)));
    assert_none(&found(&files, &[concat!("sle", "ep(")]));
}

/// What is committed is the same on every machine.
#[test]
fn no_file_names_a_path_of_a_machine() {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    for dir in ["src", "tests", "docs", "schemas", "hooks", "benches", "examples", ".ci", ".config"] {
        assert_none(&found(&files_of(dir, ""), &homes));
    }
    let files: Vec<_> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // In a linked worktree `.git` is a file of git's own.
        .filter(|path| path.is_file() && !path.ends_with(".git"))
        .filter_map(|path| Some((shown(&path), fs::read_to_string(&path).ok()?)))
        .collect();
    assert_none(&found(&files, &homes));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Returns the files below a folder that end in `.ext`, or all, with their text.
fn files_of(dir: &str, ext: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(dir)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if (ext.is_empty() || path.extension().is_some_and(|found| found == ext))
                && let Ok(text) = fs::read_to_string(&path)
            {
                files.push((shown(&path), text));
            }
        }
    }
    files.sort();
    files
}

fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// Returns the files of a folder without comments, without test files, and up to their tests.
fn production(dir: &str) -> Vec<(String, String)> {
    let mut files = files_of(dir, "rs");
    files.retain(|(file, _)| !is_test_file(file));
    for (_, text) in &mut files {
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let code =
            |line: &str| if line.trim_start().starts_with("//") { String::new() } else { line.to_owned() };
        *text = text[..end].lines().map(code).collect::<Vec<_>>().join("\n");
    }
    files
}

/// Returns the names that follow `prefix` in a line, also those in braces.
fn named_after(line: &str, prefix: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for rest in line.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or(list);
                names.extend(list.split(',').map(|name| word(name.trim())));
            }
            None => names.push(word(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn found(files: &[(String, String)], words: &[&str]) -> Vec<String> {
    let mut offences = Vec::new();
    for (file, text) in files {
        for (line_idx, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                offences.push(format!("{file}:{}: `{word}` in: {}", line_idx + 1, line.trim()));
            }
        }
    }
    offences
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
