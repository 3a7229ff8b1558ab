//! The layers, one on top of the other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engines::Engines;
use super::keys::{KEYS, Key, Shape};
use super::{Entry, MAX_FILE_BYTES, Origin, QaWhen, Settings, Value, WorktreeMode};
use crate::domain::text;
use crate::platform::git::ConfigLine;

/// More warnings than this help nobody.
const MAX_WARNINGS: usize = 20;

/// Variables that are no settings: switches of hooks and tests, and what an engine is told.
const RESERVED_VARIABLES: &[&str] = &[
    "GODZILLA_ROOT",
    "GODZILLA_GATE",
    "GODZILLA_PROTOCOL",
    "GODZILLA_STEP",
    "GODZILLA_HOOK_DEPTH",
    "GODZILLA_PROBE",
    "GODZILLA_LOG",
    "GODZILLA_FAIL_LOG",
    "GODZILLA_FAIL_POINT",
    "GODZILLA_PAUSE_DIR",
    "GODZILLA_V",
    "GODZILLA_KIND",
    "GODZILLA_PROTOCOL",
    "GODZILLA_STEP",
    "GODZILLA_RUN",
    "GODZILLA_PROMPT",
    "GODZILLA_PROMPT_FILE",
    "GODZILLA_MODEL",
    "GODZILLA_EFFORT",
    "GODZILLA_WORKTREE",
    "GODZILLA_ACCESS",
    "GODZILLA_OUTPUT_SCHEMA",
];

/// The settings so far.
pub(super) struct Layers {
    settings: Settings,
    entries: BTreeMap<String, Entry>,
}

impl Layers {
    pub(super) fn defaults() -> Self {
        let mut layers = Self { settings: blank(), entries: BTreeMap::new() };
        for key in KEYS {
            match key.default {
                // An empty list has no text.
                Some("") => layers.put(key, key.name, Value::List(Vec::new()), Origin::Default),
                Some(text) => {
                    if let Some(value) = key.shape.of_text(text) {
                        layers.put(key, key.name, value, Origin::Default);
                    }
                }
                None if !key.name.contains('<') => {
                    let name = key.name.to_owned();
                    let entry = Entry { key: name.clone(), typed: None, origin: Origin::Default };
                    layers.entries.insert(name, entry);
                }
                // There is one for each name that somebody gives.
                None => (),
            }
        }
        layers
    }

    /// Adds the bytes of a `godzilla.toml`.
    pub(super) fn file(&mut self, bytes: &[u8], origin: &Origin) {
        let Ok(text) = str::from_utf8(bytes) else {
            return self.warn(format!("{origin} is not UTF-8; it is ignored"));
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.table(&table, &mut Vec::new(), origin),
            Err(err) => {
                let before = err.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let what = text::clip(&text::one_line(err.message()), 120);
                self.warn(format!("{origin} cannot be read, line {line}: {what}; the file is ignored"));
            }
        }
    }

    pub(super) fn file_too_long(&mut self, origin: &Origin) {
        self.warn(format!("{origin} has more than {} KiB; it is ignored", MAX_FILE_BYTES / 1024));
    }

    fn table<'t>(&mut self, table: &'t toml::Table, path: &mut Vec<&'t str>, origin: &Origin) {
        for (part, value) in table {
            path.push(part);
            let name = path.join(".");
            let key = find(path, |want, part| want == part);
            match (key, value) {
                // Below `<path>` tables go on.
                (Some((key, _)), toml::Value::Table(inner)) if matches!(key.shape, Shape::Any) => {
                    self.table(inner, path, origin);
                }
                (Some((key, full)), value) => match key.shape.of_toml(value) {
                    Some(value) => self.put(key, &full, value, origin.clone()),
                    None => self.wrong(&name, key, &value.to_string(), origin),
                },
                (None, toml::Value::Table(inner)) if !inner.is_empty() => self.table(inner, path, origin),
                (None, value) if KEYS.iter().any(|key| key.lies_below(path)) => {
                    if !value.is_table() {
                        self.warn(format!("`{}` in {origin} must be a section; it is ignored", shown(&name)));
                    }
                }
                (None, _) => self.unknown(
                    &name,
                    origin,
                    &KEYS.iter().map(|key| key.name_like(path)).collect::<Vec<_>>(),
                ),
            }
            path.pop();
        }
    }

    /// Adds the section `godzilla` of git's configuration.
    pub(super) fn git_config(&mut self, lines: Vec<ConfigLine>) {
        let mut lists: BTreeMap<String, (&Key, Vec<String>, &'static str)> = BTreeMap::new();
        for line in lines {
            let spelled = format!("godzilla.{}", line.key);
            let origin = Origin::GitConfig(line.scope);
            let parts: Vec<&str> = line.key.split('.').collect();
            let Some((key, name)) = find(&parts, is_camel_case_of) else {
                let names: Vec<_> = KEYS.iter().map(|key| in_git_config(&key.name_like(&parts))).collect();
                self.unknown(&spelled, &origin, &names);
                continue;
            };
            if matches!(key.shape, Shape::List | Shape::Arguments) {
                let (_, items, scope) = lists.entry(name).or_insert((key, Vec::new(), line.scope));
                *scope = line.scope;
                // As everywhere in git, an empty value takes back those before it.
                match line.value.filter(|value| !value.is_empty()) {
                    Some(value) => items.push(value),
                    None => items.clear(),
                }
                continue;
            }
            let value = match (&line.value, key.shape) {
                (None, Shape::Flag) => Some(Value::Flag(true)),
                (None, _) => None,
                (Some(value), shape) => shape.of_text(value),
            };
            match value {
                Some(value) => self.put(key, &name, value, origin),
                None => self.wrong(&spelled, key, &line.value.unwrap_or_default(), &origin),
            }
        }
        for (name, (key, items, scope)) in lists {
            let origin = Origin::GitConfig(scope);
            let said = items.join(", ");
            match key.shape.checked(Value::List(items)) {
                Some(value) => self.put(key, &name, value, origin),
                None => self.wrong(&in_git_config(&name), key, &said, &origin),
            }
        }
    }

    /// Adds the variables whose name begins with `GODZILLA_`.
    ///
    /// A list is apart by commas; one that begins with `[` is a TOML array, for names with commas.
    pub(super) fn environment(&mut self, variables: Vec<(String, String)>) {
        for (variable, text) in variables {
            if RESERVED_VARIABLES.contains(&variable.as_str()) || variable.starts_with("GODZILLA_LIMITS_") {
                continue;
            }
            let origin = Origin::Environment(variable.clone());
            let Some((key, name)) = KEYS.iter().find_map(|key| Some((key, of_variable(key, &variable)?)))
            else {
                let names: Vec<_> = KEYS.iter().map(|key| as_variable(key.name)).collect();
                self.unknown(&variable, &origin, &names);
                continue;
            };
            let value = if matches!(key.shape, Shape::List | Shape::Arguments) && text.starts_with('[') {
                let table = format!("list = {text}").parse::<toml::Table>().unwrap_or_default();
                table.get("list").filter(|_| table.len() == 1).and_then(|list| key.shape.of_toml(list))
            } else {
                key.shape.of_text(&text)
            };
            match value {
                Some(value) => self.put(key, &name, value, origin),
                None => self.wrong(&variable, key, &text, &origin),
            }
        }
    }

    pub(super) fn finish(mut self) -> Settings {
        self.settings.entries = self.entries.into_values().collect();
        self.settings.engines = Engines::of(&self.settings.entries);
        self.settings
    }

    fn put(&mut self, key: &Key, name: &str, value: Value, origin: Origin) {
        if let Some(set) = key.set {
            set(&mut self.settings, &value);
        }
        let entry = Entry { key: name.to_owned(), typed: Some(value), origin };
        self.entries.insert(name.to_owned(), entry);
    }

    fn wrong(&mut self, name: &str, key: &Key, said: &str, origin: &Origin) {
        let (name, said, allowed) = (shown(name), shown(said), key.shape.allowed());
        let place = match origin {
            Origin::Environment(_) => "the environment".to_owned(),
            origin => origin.to_string(),
        };
        self.warn(format!("`{name}` in {place} is `{said}`, which is ignored; allowed: {allowed}"));
    }

    fn unknown(&mut self, name: &str, origin: &Origin, known: &[String]) {
        let place = match origin {
            Origin::Environment(_) => "the environment".to_owned(),
            origin => origin.to_string(),
        };
        let distance = |candidate: &String| strsim::damerau_levenshtein(candidate, name);
        let nearest = known.iter().filter(|_| name.len() < 100).map(|known| (distance(known), known)).min();
        let hint = match nearest {
            Some((distance, nearest)) if distance <= name.len() / 3 => {
                format!("; did you mean `{}`?", shown(nearest))
            }
            _ => String::new(),
        };
        self.warn(format!("`{}` in {place} is no setting{hint}", shown(name)));
    }

    pub(super) fn warn(&mut self, warning: String) {
        let warnings = &mut self.settings.warnings;
        match warnings.len() {
            0..MAX_WARNINGS => warnings.push(warning),
            MAX_WARNINGS => warnings.push("there are more mistakes than are shown".to_owned()),
            _ => (),
        }
    }
}

/// What the table of keys does not fill in is never seen.
fn blank() -> Settings {
    Settings {
        base_branch: None,
        commit_strict: false,
        commit_tag: false,
        qa_policy: None,
        qa_when: QaWhen::Manual,
        qa_extra_gates: Vec::new(),
        qa_gates: String::new(),
        qa_timeout: Duration::ZERO,
        qa_output_cap: 0,
        ci_required: Vec::new(),
        sync_auto: false,
        push_timeout: Duration::ZERO,
        sync_timeout: Duration::ZERO,
        sync_runs: false,
        worktree_mode: WorktreeMode::Protocol,
        worktree_root: String::new(),
        archive_after_days: 0,
        queue_autostart: false,
        queue_max_attempts: 0,
        engines: Engines::default(),
        entries: Vec::new(),
        warnings: Vec::new(),
    }
}

fn find(parts: &[&str], same: fn(&str, &str) -> bool) -> Option<(&'static Key, String)> {
    KEYS.iter().find_map(|key| Some((key, key.matches(parts, same)?)))
}

/// Whether `part` is how git config spells `name`; git ignores case in the last part of a key.
fn is_camel_case_of(name: &str, part: &str) -> bool {
    name.replace('_', "").eq_ignore_ascii_case(part)
}

/// Returns a key as in `godzilla.project.baseBranch`.
fn in_git_config(name: &str) -> String {
    let mut spelled = "godzilla.".to_owned();
    let mut after_underscore = false;
    for c in name.chars() {
        if c == '_' {
            after_underscore = true;
        } else {
            spelled.push(if after_underscore { c.to_ascii_uppercase() } else { c });
            after_underscore = false;
        }
    }
    spelled
}

/// Returns a key as in `GODZILLA_PROJECT_BASE_BRANCH`.
fn as_variable(name: &str) -> String {
    format!("GODZILLA_{}", name.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// Returns the full name of `key` if `variable` spells it.
fn of_variable(key: &Key, variable: &str) -> Option<String> {
    let Some((before, after)) = key.name.split_once('<') else {
        return (as_variable(key.name) == variable).then(|| key.name.to_owned());
    };
    let (_, after) = after.split_once('>')?;
    let (prefix, suffix) = (as_variable(before), after.replace('.', "_").to_ascii_uppercase());
    let open = variable.strip_prefix(&prefix)?.strip_suffix(&suffix)?;
    (!open.is_empty()).then(|| format!("{before}{}{after}", open.to_ascii_lowercase()))
}

/// Returns text that somebody wrote, fit for a warning.
fn shown(text: &str) -> String {
    text::clip(&text::one_line(text), 80)
}
