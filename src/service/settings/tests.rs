use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::keys::{KEYS, Shape};
use super::*;
use crate::platform::git::ConfigLine;

fn of_file(text: &str) -> Settings {
    Settings::of_file(text.as_bytes())
}

fn of_git(lines: &[(&str, Option<&str>, &'static str)]) -> Settings {
    let mut layers = Layers::defaults();
    let line = |(key, value, scope): &(&str, Option<&str>, &'static str)| ConfigLine {
        key: (*key).to_owned(),
        value: value.map(str::to_owned),
        scope,
    };
    layers.git_config(lines.iter().map(line).collect());
    layers.finish()
}

fn of_env(variables: &[(&str, &str)]) -> Settings {
    let mut layers = Layers::defaults();
    layers.environment(
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    );
    layers.finish()
}

fn entry<'s>(settings: &'s Settings, key: &str) -> &'s Entry {
    settings.entries.iter().find(|entry| entry.key == key).unwrap()
}

/// Every leaf of the schema by name: its type, its words, its least value, its default.
fn leaves(schema: &Json, name: &str, found: &mut BTreeMap<String, Json>) {
    if name == "policy.overrides" {
        found.insert("policy.overrides.<path>".to_owned(), schema.clone());
        return;
    }
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    if let Some(properties) = schema["properties"].as_object() {
        for (part, inner) in properties {
            leaves(inner, &below(part), found);
        }
    } else if schema["additionalProperties"].is_object() {
        leaves(&schema["additionalProperties"], &below("<name>"), found);
    } else {
        found.insert(name.to_owned(), schema.clone());
    }
}

#[test]
fn the_table_is_the_schema() {
    let schema: Json =
        serde_json::from_str(include_str!("../../../schemas/godzilla-config.schema.json")).unwrap();
    let mut wanted = BTreeMap::new();
    leaves(&schema, "", &mut wanted);
    assert_eq!(KEYS.iter().map(|key| key.name).collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());

    for key in KEYS {
        let leaf = &wanted[key.name];
        let (kind, words, least) = match key.shape {
            Shape::Text | Shape::TreePath => (Json::from("string"), None, None),
            Shape::Word(words) => (Json::from("string"), Some(words.to_vec()), None),
            Shape::Flag => (Json::from("boolean"), None, None),
            Shape::Number(least) => (Json::from("integer"), None, Some(least)),
            Shape::List | Shape::Arguments => (Json::from("array"), None, None),
            Shape::TextOrNumber => (Json::from(vec!["string", "integer"]), None, None),
            Shape::Any => (Json::from("object"), None, None),
        };
        assert_eq!(leaf["type"], kind, "{}", key.name);
        assert_eq!(leaf.get("enum"), words.map(Json::from).as_ref(), "{}", key.name);
        assert_eq!(leaf.get("minimum"), least.map(Json::from).as_ref(), "{}", key.name);
        let default = leaf.get("default").map(|value| match value {
            Json::String(text) => text.clone(),
            Json::Array(items) => {
                items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(",")
            }
            value => value.to_string(),
        });
        assert_eq!(default.as_deref(), key.default, "{}", key.name);
    }
}

#[test]
fn every_key_with_a_default_sets_it() {
    let settings = Settings::defaults();
    assert_eq!(settings.warnings, [""; 0]);
    assert_eq!(
        Settings { entries: Vec::new(), ..settings.clone() },
        Settings {
            base_branch: None,
            commit_strict: false,
            commit_tag: true,
            qa_policy: None,
            qa_when: QaWhen::Manual,
            qa_extra_gates: Vec::new(),
            qa_gates: "scripts/ci".to_owned(),
            qa_timeout: Duration::from_mins(10),
            qa_output_cap: 1024 * 1024,
            ci_required: Vec::new(),
            sync_auto: true,
            push_timeout: Duration::from_secs(5),
            sync_timeout: Duration::from_secs(30),
            sync_runs: false,
            worktree_mode: WorktreeMode::Protocol,
            worktree_root: "worktrees".to_owned(),
            archive_after_days: 30,
            queue_autostart: false,
            queue_max_attempts: 3,
            engines: Engines::default(),
            entries: Vec::new(),
            warnings: Vec::new(),
        }
    );
    assert!(settings.entries.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(entry(&settings, "qa.policy").typed, None);
    assert_eq!(entry(&settings, "ci.required").typed, Some(Value::List(Vec::new())));
    assert!(!settings.entries.iter().any(|entry| entry.key.starts_with("engines.")));
}

#[test]
fn each_layer_overrides_the_one_before() {
    let mut layers = Layers::defaults();
    layers.file(b"[qa]\npolicy = \"skip\"\nwhen = \"push\"\n[sync]\nauto = false\n", &Origin::File);
    let line =
        |key: &str, value: &str, scope| ConfigLine { key: key.into(), value: Some(value.into()), scope };
    layers.git_config(vec![line("qa.policy", "light", "global"), line("qa.when", "done", "local")]);
    layers.environment(vec![("GODZILLA_QA_POLICY".into(), "full".into())]);
    let settings = layers.finish();
    assert_eq!(settings.qa_policy, Some(QaPolicy::Full));
    assert_eq!((settings.qa_when, settings.sync_auto), (QaWhen::Done, false));
    let origins = ["qa.policy", "qa.when", "sync.auto", "sync.runs"]
        .map(|key| entry(&settings, key).origin.to_string());
    assert_eq!(origins, ["environment GODZILLA_QA_POLICY", "git config (local)", "godzilla.toml", "default"]);
}

#[test]
fn all_three_spellings_reach_every_key() {
    let file = of_file(
        "[project]\nbase_branch = 'trunk'\n[sync]\npush_timeout_seconds = 7\n[ci]\nrequired = ['a, b', 'c', 'c']\n",
    );
    let git = of_git(&[
        ("project.baseBranch", Some("trunk"), "local"),
        ("sync.pushtimeoutseconds", Some("7"), "local"),
        ("ci.required", Some("gone"), "global"),
        ("ci.required", Some(""), "global"),
        ("ci.required", Some("a, b"), "local"),
        ("ci.required", Some("c"), "local"),
    ]);
    let env = of_env(&[
        ("GODZILLA_PROJECT_BASE_BRANCH", "trunk"),
        ("GODZILLA_SYNC_PUSH_TIMEOUT_SECONDS", "7"),
        ("GODZILLA_CI_REQUIRED", r#"["a, b", "c"]"#),
    ]);
    for settings in [file, git, env] {
        assert_eq!(settings.warnings, [""; 0]);
        assert_eq!(settings.base_branch.as_deref(), Some("trunk"));
        assert_eq!(settings.push_timeout, Duration::from_secs(7));
        assert_eq!(settings.ci_required, ["a, b", "c"]);
    }
    assert_eq!(of_env(&[("GODZILLA_CI_REQUIRED", "a, b")]).ci_required, ["a", "b"]);
}

#[test]
fn git_spells_flags_and_numbers_in_its_own_way() {
    let settings = of_git(&[
        ("commit.strict", None, "local"),
        ("sync.auto", Some("off"), "local"),
        ("sync.runs", Some("YES"), "local"),
        ("qa.outputCapBytes", Some("2m"), "local"),
    ]);
    assert_eq!(settings.warnings, [""; 0]);
    assert!(settings.commit_strict && !settings.sync_auto && settings.sync_runs);
    assert_eq!(settings.qa_output_cap, 2 << 20);
}

#[test]
fn a_value_that_is_not_allowed_leaves_the_one_below() {
    let settings =
        of_file("[qa]\npolicy = 'all'\ntimeout_seconds = 0\ngates = '../x'\n[sync]\nauto = 'no'\n");
    assert_eq!(
        settings.warnings,
        [
            "`qa.gates` in godzilla.toml is `\"../x\"`, which is ignored; allowed: a folder within the repository, as in `scripts/ci`",
            "`qa.policy` in godzilla.toml is `\"all\"`, which is ignored; allowed: skip, light, full",
            "`qa.timeout_seconds` in godzilla.toml is `0`, which is ignored; allowed: a whole number, at least 1",
            "`sync.auto` in godzilla.toml is `\"no\"`, which is ignored; allowed: true, false",
        ]
    );
    assert_eq!(Settings { warnings: Vec::new(), ..settings }, Settings::defaults());

    let settings = of_git(&[("qa.when", Some("push"), "global"), ("qa.when", Some("never"), "local")]);
    assert_eq!(settings.qa_when, QaWhen::Push);
    assert_eq!(
        settings.warnings,
        [
            "`godzilla.qa.when` in git config (local) is `never`, which is ignored; allowed: done, push, manual"
        ]
    );

    let settings = of_env(&[("GODZILLA_QA_TIMEOUT_SECONDS", "-1"), ("GODZILLA_CI_REQUIRED", "[1]")]);
    assert_eq!(
        settings.warnings,
        [
            "`GODZILLA_QA_TIMEOUT_SECONDS` in the environment is `-1`, which is ignored; allowed: a whole number, at least 1",
            "`GODZILLA_CI_REQUIRED` in the environment is `[1]`, which is ignored; allowed: a list of texts",
        ]
    );
}

#[test]
fn an_unknown_name_earns_the_nearest_one() {
    let settings =
        of_file("ci = 1\n[qa]\npolcy = 'full'\n[comit]\nstrict = true\n[engines.x]\nargs = []\n[zzzz]\n");
    assert_eq!(
        settings.warnings,
        [
            "`ci` in godzilla.toml must be a section; it is ignored",
            "`comit.strict` in godzilla.toml is no setting; did you mean `commit.strict`?",
            "`engines.x.args` in godzilla.toml is no setting; did you mean `engines.x.argv`?",
            "`qa.polcy` in godzilla.toml is no setting; did you mean `qa.policy`?",
            "`zzzz` in godzilla.toml is no setting",
        ]
    );
    assert_eq!(
        of_git(&[("project.base_branch", Some("x"), "local"), ("verbose", None, "global")]).warnings,
        [
            "`godzilla.project.base_branch` in git config (local) is no setting; did you mean `godzilla.project.baseBranch`?",
            "`godzilla.verbose` in git config (global) is no setting",
        ]
    );
    assert_eq!(
        of_env(&[("GODZILLA_QA_POLICIE", "full")]).warnings,
        ["`GODZILLA_QA_POLICIE` in the environment is no setting; did you mean `GODZILLA_QA_POLICY`?"]
    );
}

#[test]
fn reserved_variables_are_no_mistakes() {
    let variables =
        ["ROOT", "HOOK_DEPTH", "FAIL_POINT", "PAUSE_DIR", "PROTOCOL", "STEP", "LIMITS_WALL_SECONDS"];
    let variables: Vec<_> =
        variables.iter().map(|name| (format!("GODZILLA_{name}"), "x".to_owned())).collect();
    let mut layers = Layers::defaults();
    layers.environment(variables);
    assert_eq!(layers.finish(), Settings::defaults());
}

#[test]
fn settings_of_later_releases_are_listed() {
    let settings = of_file(
        "[engines.claude]\nargv = ['a', 'b']\n[phases]\nqa = 'claude'\n[budget]\nstep_tokens = 5\n\
         [policy]\nversion = 3\n[policy.overrides]\n[policy.overrides.a]\nb = true\nc = 1.5\n",
    );
    assert_eq!(settings.warnings, [""; 0]);
    let listed =
        ["engines.claude.argv", "phases.qa", "budget.step_tokens", "policy.version", "policy.overrides.a.b"];
    assert_eq!(listed.map(|key| entry(&settings, key).value()), ["a, b", "claude", "5", "3", "true"]);
    let git = of_git(&[("engines.claude.timeoutSeconds", Some("9"), "local")]);
    assert_eq!(entry(&git, "engines.claude.timeout_seconds").value(), "9");
    let env = of_env(&[("GODZILLA_ENGINES_CLAUDE_MODEL", "m")]);
    assert_eq!(entry(&env, "engines.claude.model").value(), "m");
}

#[test]
fn a_broken_file_is_ignored_as_a_whole() {
    let settings = of_file("[qa]\npolicy = 'full'\nwhen = \n");
    assert_eq!(settings.qa_policy, None);
    assert_eq!(settings.warnings.len(), 1);
    assert!(
        settings.warnings[0].starts_with("godzilla.toml cannot be read, line 3: "),
        "{:?}",
        settings.warnings
    );
    let mut layers = Layers::defaults();
    layers.file(b"\xff", &Origin::File);
    assert_eq!(layers.finish().warnings, ["godzilla.toml is not UTF-8; it is ignored"]);
}

#[test]
fn a_file_full_of_mistakes_does_not_flood_the_terminal() {
    let lines: Vec<_> = (0..100).map(|n| format!("\"k{n}\\u001b[31m\" = 1")).collect();
    let settings = of_file(&lines.join("\n"));
    assert_eq!(settings.warnings.len(), 21);
    assert!(settings.warnings.iter().all(|warning| !warning.contains('\u{1b}')));
}
