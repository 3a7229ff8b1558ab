//! Which commands build or check a repository, as its own files suggest. They are words for a prompt;
//! nothing runs them.

use std::collections::BTreeMap;

use super::kinds::Kind;
use crate::domain::id::Oid;
use crate::platform::git::Repo;

/// How many are suggested.
const MAX_COMMANDS: usize = 24;

/// The largest file that is read for them, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// Scripts and targets that are worth naming, wherever they come from.
const USEFUL: &[&str] = &[
    "lint",
    "format",
    "fmt",
    "typecheck",
    "type-check",
    "types",
    "check",
    "test",
    "tests",
    "unit",
    "e2e",
    "build",
    "ci",
    "verify",
    "all",
];

/// Returns the commands, the repository's own gates first. `known` are the files that are told by their
/// names.
pub(super) fn of(repo: &Repo, known: &BTreeMap<String, Oid>) -> Vec<String> {
    let mut commands: Vec<String> = known
        .keys()
        .filter(|path| Kind::of(path) == Some(Kind::Gate))
        .filter(|path| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)))
        .cloned()
        .collect();
    let has = |path: &str| known.contains_key(path);
    let text = |path: &str| -> Option<String> {
        let oid = *known.get(path)?;
        let is_small = repo.blob_size(oid).is_ok_and(|size| size <= MAX_FILE);
        String::from_utf8(is_small.then(|| repo.blob(oid).ok()).flatten()?).ok()
    };
    if let Some(manifest) = text("package.json") {
        let runner = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")]
            .iter()
            .find(|(lock, _)| has(lock))
            .map_or("npm", |(_, runner)| runner);
        commands.extend(scripts(&manifest).into_iter().map(|script| format!("{runner} run {script}")));
    }
    for (file, program) in [("Makefile", "make"), ("justfile", "just"), ("Justfile", "just")] {
        let targets = text(file).map(|text| targets(&text)).unwrap_or_default();
        commands.extend(targets.into_iter().map(|target| format!("{program} {target}")));
    }
    if has("Cargo.toml") {
        commands.extend(["cargo test", "cargo clippy --all-targets"].map(str::to_owned));
    }
    if let Some(manifest) = text("pyproject.toml") {
        let tools = [("pytest", "pytest"), ("ruff", "ruff check ."), ("mypy", "mypy .")];
        let used = tools.iter().filter(|(tool, _)| manifest.contains(tool));
        let prefix = if has("uv.lock") {
            "uv run "
        } else if has("poetry.lock") {
            "poetry run "
        } else {
            ""
        };
        commands.extend(used.map(|(_, command)| format!("{prefix}{command}")));
    }
    if has("go.mod") {
        commands.extend(["go test ./...", "go vet ./..."].map(str::to_owned));
    }
    if has("pom.xml") {
        commands.push(if has("mvnw") { "./mvnw verify" } else { "mvn verify" }.to_owned());
    }
    if ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"].iter().any(|f| has(f)) {
        commands.push(if has("gradlew") { "./gradlew check" } else { "gradle check" }.to_owned());
    }
    if has("mix.exs") {
        commands.push("mix test".to_owned());
    }
    let mut seen = Vec::new();
    commands.retain(|command| {
        !seen.contains(command) && {
            seen.push(command.clone());
            true
        }
    });
    commands.truncate(MAX_COMMANDS);
    commands
}

/// The scripts of a `package.json` that check something, by name.
fn scripts(manifest: &str) -> Vec<String> {
    let Ok(manifest) = serde_json::from_str::<serde_json::Value>(manifest) else { return Vec::new() };
    let Some(scripts) = manifest.get("scripts").and_then(serde_json::Value::as_object) else {
        return Vec::new();
    };
    let mut names: Vec<String> = scripts.keys().filter(|name| is_useful(name)).cloned().collect();
    names.sort();
    names
}

/// The targets of a Makefile or the recipes of a justfile that check something, in their order.
fn targets(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.', '@'])) {
        let Some((names, rest)) = line.split_once(':') else { continue };
        // `NAME := value` sets a variable.
        if rest.starts_with('=') {
            continue;
        }
        for name in names.split_whitespace().filter(|name| is_useful(name)) {
            if !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Whether a name is one of those that are worth naming, or one with more to it, as in `test:unit`.
fn is_useful(name: &str) -> bool {
    let is_plain =
        name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:.-".contains(&b));
    let first = name.split([':', '.']).next().unwrap_or(name);
    is_plain && USEFUL.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_targets_are_named_if_they_check_something() {
        let manifest =
            r#"{"scripts":{"test":"vitest","test:unit":"x","start":"node .","lint; rm -rf /":"x"}}"#;
        assert_eq!(scripts(manifest), ["test", "test:unit"]);
        assert!(scripts("[]").is_empty() && scripts("{").is_empty());
        let makefile =
            "test := 1\n.PHONY: test lint\n# check: no\nlint test: deps\n\tbuild: x\nbuild: \nclean:\n";
        assert_eq!(targets(makefile), ["lint", "test", "build"]);
    }
}
