//! The table of keys: the one place that knows their names, types and defaults.

use std::time::Duration;

use super::{QaWhen, Settings, Value, WorktreeMode};
use crate::domain::spec::QaPolicy;

/// Far more than anybody waits; clocks cannot count as far as a `u64` of seconds.
const MAX_SECONDS: u64 = 365 * 24 * 3600;

/// One key.
pub(super) struct Key {
    /// As in `godzilla.toml`; `<name>` stands for one part, `<path>` for all that follow.
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// As somebody would write it; `None` if there is no value by default.
    pub(super) default: Option<&'static str>,
    /// Takes a value that has the shape. Keys that only later releases read have none.
    pub(super) set: Option<fn(&mut Settings, &Value)>,
}

/// What a value must be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// One line, not empty.
    Text,
    /// A path within a tree.
    TreePath,
    Word(&'static [&'static str]),
    Flag,
    /// At least this.
    Number(u64),
    List,
    /// A list in which an item may come twice.
    Arguments,
    TextOrNumber,
    Any,
}

use Shape::{Any, Arguments, Flag, List, Number, Text, TextOrNumber, TreePath, Word};

pub(super) const KEYS: &[Key] = &[
    known("archive.after_days", Number(0), "30", |s, v| s.archive_after_days = v.number()),
    shown("budget.mode", Word(&["strict", "warn", "off"]), "strict"),
    later("budget.project_cents", Number(0)),
    later("budget.project_cents_per_day", Number(0)),
    later("budget.project_tokens", Number(0)),
    later("budget.project_tokens_per_day", Number(0)),
    later("budget.protocol_cents", Number(0)),
    later("budget.protocol_tokens", Number(0)),
    later("budget.step_cents", Number(0)),
    later("budget.step_tokens", Number(0)),
    known("ci.required", List, "", |s, v| s.ci_required = v.list()),
    known("commit.strict", Flag, "false", |s, v| s.commit_strict = v.flag()),
    known("commit.tag", Word(&["subject", "off"]), "subject", |s, v| s.commit_tag = v.text() == "subject"),
    later("engines.<name>.api", Word(&["responses", "chat", "messages"])),
    later("engines.<name>.argv", Arguments),
    later("engines.<name>.base_url", Text),
    later("engines.<name>.effort", Text),
    later("engines.<name>.fallbacks", List),
    later("engines.<name>.idle_seconds", Number(1)),
    later("engines.<name>.key_env", Text),
    later("engines.<name>.kind", Word(&["codex", "claude", "opencode", "gemini", "http", "command"])),
    later("engines.<name>.model", Text),
    later("engines.<name>.pass_env", List),
    later("engines.<name>.timeout_seconds", Number(1)),
    shown("loops.max_depth", Number(0), "3"),
    shown("loops.max_iterations", Number(0), "20"),
    shown("loops.max_minutes", Number(1), "240"),
    shown("loops.max_same_failure", Number(1), "3"),
    later("loops.max_tokens", Number(0)),
    later("phases.decompose", Text),
    later("phases.discovery", Text),
    later("phases.exec", Text),
    later("phases.planning", Text),
    later("phases.qa", Text),
    later("policy.overrides.<path>", Any),
    later("policy.pack", Text),
    later("policy.version", TextOrNumber),
    open("project.base_branch", Text, |s, v| s.base_branch = Some(v.text().to_owned())),
    shown("qa.auto_fix_attempts", Number(0), "2"),
    known("qa.extra_gates", List, "", |s, v| s.qa_extra_gates = v.list()),
    known("qa.gates", TreePath, "scripts/ci", |s, v| {
        v.text().trim_end_matches('/').clone_into(&mut s.qa_gates);
    }),
    known("qa.output_cap_bytes", Number(1), "1048576", |s, v| s.qa_output_cap = v.number()),
    open("qa.policy", Word(&["skip", "light", "full"]), |s, v| s.qa_policy = QaPolicy::from_word(v.text())),
    known("qa.timeout_seconds", Number(1), "600", |s, v| s.qa_timeout = v.seconds()),
    known("qa.when", Word(&["done", "push", "manual"]), "manual", |s, v| {
        s.qa_when = QaWhen::from_word(v.text()).unwrap_or(s.qa_when);
    }),
    known("queue.autostart", Flag, "false", |s, v| s.queue_autostart = v.flag()),
    known("queue.max_attempts", Number(1), "3", |s, v| s.queue_max_attempts = v.number()),
    later("server.allow_purge", Flag),
    known("sync.auto", Flag, "true", |s, v| s.sync_auto = v.flag()),
    known("sync.push_timeout_seconds", Number(1), "5", |s, v| s.push_timeout = v.seconds()),
    known("sync.runs", Flag, "false", |s, v| s.sync_runs = v.flag()),
    known("sync.timeout_seconds", Number(1), "30", |s, v| s.sync_timeout = v.seconds()),
    known("worktree.mode", Word(&["protocol", "shared", "in-place"]), "protocol", |s, v| {
        s.worktree_mode = WorktreeMode::from_word(v.text()).unwrap_or(s.worktree_mode);
    }),
    known("worktree.root", Text, "worktrees", |s, v| v.text().clone_into(&mut s.worktree_root)),
];

/// A key with a default.
const fn known(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    set: fn(&mut Settings, &Value),
) -> Key {
    Key { name, shape, default: Some(default), set: Some(set) }
}

/// A key whose absence has a meaning of its own.
const fn open(name: &'static str, shape: Shape, set: fn(&mut Settings, &Value)) -> Key {
    Key { name, shape, default: None, set: Some(set) }
}

/// A key with a default that [`super::engines`] reads out of the table.
const fn shown(name: &'static str, shape: Shape, default: &'static str) -> Key {
    Key { name, shape, default: Some(default), set: None }
}

/// A key without a default that [`super::engines`] or a later release reads out of the table.
const fn later(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, default: None, set: None }
}

impl Key {
    /// Returns the full name if `parts` name this key, part by part; `same` compares two parts.
    pub(super) fn matches(&self, parts: &[&str], same: fn(&str, &str) -> bool) -> Option<String> {
        let mut name = Vec::new();
        let mut rest = parts;
        for want in self.name.split('.') {
            let (part, after) = rest.split_first()?;
            match want {
                "<path>" => {
                    name.extend_from_slice(rest);
                    return Some(name.join("."));
                }
                "<name>" => name.push(part),
                want if same(want, part) => name.push(want),
                _ => return None,
            }
            rest = after;
        }
        rest.is_empty().then(|| name.join("."))
    }

    /// Returns the name with the parts of `like` in place of what it leaves open.
    pub(super) fn name_like(&self, like: &[&str]) -> String {
        let parts = self.name.split('.').enumerate().map(|(idx, part)| match part {
            "<name>" | "<path>" => like.get(idx).copied().unwrap_or(part),
            part => part,
        });
        parts.collect::<Vec<_>>().join(".")
    }

    /// Whether `parts` are the beginning of this key's name, but not all of it.
    pub(super) fn lies_below(&self, parts: &[&str]) -> bool {
        let own: Vec<&str> = self.name.split('.').collect();
        let same = |(want, part): (&&str, &&str)| want.starts_with('<') || want == part;
        own.len() > parts.len() && own.iter().zip(parts).all(same)
    }
}

impl Shape {
    /// Returns the value that a TOML value is, if it has this shape.
    pub(super) fn of_toml(self, value: &toml::Value) -> Option<Value> {
        let number = |least| {
            let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
            number.filter(|number| *number >= least).map(Value::Number)
        };
        let list = || {
            let items = value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned));
            self.checked(Value::List(items.collect::<Option<_>>()?))
        };
        let text = || self.checked(Value::Text(value.as_str()?.to_owned()));
        match self {
            Text | TreePath | Word(_) => text(),
            Flag => value.as_bool().map(Value::Flag),
            Number(least) => number(least),
            List | Arguments => list(),
            TextOrNumber => text().or_else(|| number(0)),
            Any => text()
                .or_else(|| number(0))
                .or_else(|| value.as_bool().map(Value::Flag))
                .or_else(list)
                .or_else(|| Some(Value::Text(value.to_string()))),
        }
    }

    /// Returns the value that `text` stands for in git config or the environment.
    pub(super) fn of_text(self, text: &str) -> Option<Value> {
        let number = || scaled(text).map(Value::Number);
        match self {
            Text | TreePath | Word(_) | Any => self.checked(Value::Text(text.to_owned())),
            Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(Value::Flag(true)),
                "false" | "no" | "off" | "0" | "" => Some(Value::Flag(false)),
                _ => None,
            },
            Number(least) => number().filter(|number| number.number() >= least),
            List | Arguments => {
                self.checked(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect()))
            }
            TextOrNumber => number().or_else(|| self.checked(Value::Text(text.to_owned()))),
        }
    }

    /// Returns `value` if its texts are what they must be.
    pub(super) fn checked(self, value: Value) -> Option<Value> {
        let is_line = |text: &str| !text.trim().is_empty() && !text.chars().any(char::is_control);
        match (self, value) {
            (Word(words), Value::Text(text)) => words.contains(&text.as_str()).then_some(Value::Text(text)),
            (TreePath, Value::Text(text)) => is_tree_path(&text).then_some(Value::Text(text)),
            (Any, Value::Text(text)) => Some(Value::Text(text)),
            (_, Value::Text(text)) => is_line(&text).then_some(Value::Text(text)),
            (shape, Value::List(mut items)) => {
                if !matches!(shape, Arguments) {
                    let mut seen = std::collections::HashSet::new();
                    items.retain(|item| seen.insert(item.clone()));
                }
                items.iter().all(|item| is_line(item)).then_some(Value::List(items))
            }
            (_, value) => Some(value),
        }
    }

    /// Returns what is allowed, for a person who wrote something else.
    pub(super) fn allowed(self) -> String {
        match self {
            Text => "a text on one line".to_owned(),
            TreePath => "a folder within the repository, as in `scripts/ci`".to_owned(),
            Word(words) => words.join(", "),
            Flag => "true, false".to_owned(),
            Number(0) => "a whole number".to_owned(),
            Number(least) => format!("a whole number, at least {least}"),
            List | Arguments => "a list of texts".to_owned(),
            TextOrNumber => "a text or a whole number".to_owned(),
            Any => "anything".to_owned(),
        }
    }
}

/// A number with git's units.
fn scaled(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    // `parse` would take a plus sign.
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_plain)?;
    // What TOML can say is enough.
    number.checked_mul(factor).filter(|number| i64::try_from(*number).is_ok())
}

fn is_tree_path(text: &str) -> bool {
    let inner = text.strip_suffix('/').unwrap_or(text);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git");
    inner.split('/').all(is_part) && !text.contains('\\') && !text.chars().any(char::is_control)
}

impl Value {
    pub(super) fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    pub(super) fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    fn flag(&self) -> bool {
        matches!(self, Self::Flag(true))
    }

    pub(super) fn list(&self) -> Vec<String> {
        if let Self::List(items) = self { items.clone() } else { Vec::new() }
    }

    pub(super) fn seconds(&self) -> Duration {
        Duration::from_secs(self.number().min(MAX_SECONDS))
    }
}
