//! The whole story of a protocol that an engine plans, does and reviews: planned, decomposed, run, failed
//! in QA, looped, passed, completed. Here with a shell script; in `real_engines` with the real programs.

use serde_json::{Value, json};

use crate::support::{BIN, Place, World, run};

pub(crate) const NAME: &str = "0001-add-a-login";

/// What an engine has in its environment for its service. Nothing that is kept may hold it.
pub(crate) const KEY: &str = "sk-scripted-0123456789abcdef0123456789";

/// The variable that it is in.
pub(crate) const KEY_ENV: &str = "SCRIPTED_KEY";

/// What an engine does when it is asked once more.
#[derive(Clone, Debug)]
pub(crate) enum Beat {
    /// Answers with a document.
    Answers(Value),
    /// Answers with a text.
    Says(String),
    /// Makes a file in the worktree, and keeps what commands of its tools see of its environment in
    /// another one.
    Makes(&'static str),
}

/// What it says that it used for the beat of a number: input, cached input and output.
pub(crate) fn used(idx: usize) -> [u64; 3] {
    let idx = u64::try_from(idx).unwrap();
    [1000 + 10 * idx, 100 + idx, 50 + idx]
}

fn step_file((id, title, after): (&str, &str, &str)) -> String {
    format!(
        "---\nid: {id}\ntitle: {title}\ntype: work\nqa: skip\ndepends_on: [{after}]\npaths: []\n---\n\n# {title}\n\n## Briefing\n\nChange \
         src/main.rs.\n\n## Sub-tasks\n\n- [ ] Write it in src/main.rs\n\n## Verification\n\n- `cargo test`\n"
    )
}

/// The beats of the story, in the order in which they are asked for.
pub(crate) fn beats() -> Vec<Beat> {
    let steps = [
        ("01-form", "The form", "00-setup"),
        ("02-api", "The API", "01-form"),
        ("03-docs", "The docs", "02-api"),
    ];
    let plan = json!({
        "plan_md": "# Login\n\n## Context\n\nThe README and Cargo.toml say little; src/main.rs in src is all, and\nscripts/ci/test.sh in scripts/ci judges it.\n",
        "context_md": "Build with `cargo test`.",
        "log_md": "Read src/main.rs.",
        "step_files": [
            {"filename": "00-setup.md", "content": "---\nid: 00-setup\ntitle: Set up\ntype: setup\n---\n\n# Set up\n"},
            {"filename": "01-form.md", "content": step_file(steps[0])},
            {"filename": "02-api.md", "content": step_file(steps[1])},
            {"filename": "03-docs.md", "content": step_file(steps[2])},
        ],
    });
    let more = |step| {
        let text = step_file(step);
        Beat::Says(text.replace("src/main.rs\n\n##", "src/main.rs\n  - [ ] and test it\n\n##"))
    };
    let review = |verdict: &str, findings: Value| {
        Beat::Answers(json!({"verdict": verdict, "summary": "Seen all of it.", "findings": findings,
            "next_actions": ["go on"]}))
    };
    let blocking =
        json!([{"severity": "blocking", "path": "api-1.txt", "line": 1, "message": "no answer to errors"}]);
    vec![
        Beat::Answers(plan),
        more(steps[0]),
        more(steps[1]),
        more(steps[2]),
        Beat::Makes("form-1.txt"),
        Beat::Makes("api-1.txt"),
        review("fail", blocking),
        Beat::Makes("form-2.txt"),
        Beat::Makes("api-2.txt"),
        review("pass", json!([])),
        Beat::Makes("docs-1.txt"),
    ]
}

/// Makes a clone with a little program and a gate in it.
pub(crate) fn clone(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.write("Cargo.toml", "[package]\nname = \"shop\"\n");
    a.write("src/main.rs", "fn main() {}\n");
    a.git(&["add", "--all"]);
    a.git(&["commit", "--quiet", "-m", "feat: a program"]);
    a.commit_gate("test.sh", "#!/bin/sh\ntest ! -e broken\n");
    a.git(&["push", "--quiet", "origin", "HEAD"]);
    a
}

/// Runs the program with the key in its environment. Returns what it prints as JSON.
#[track_caller]
pub(crate) fn told(place: &Place<'_>, args: &[&str], code: i32) -> Value {
    let shown = run(place.command(BIN).args(args).arg("--json").env(KEY_ENV, KEY));
    assert_eq!(shown.code, Some(code), "{args:?}\n{shown}");
    serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{args:?}: {err}\n{shown}"))
}

/// Plays the story with an engine that is set up as `name` and has [`beats`] to play. `on_planned` is
/// called when the worktree is there.
pub(crate) fn play(world: &World, a: &Place<'_>, name: &str, on_planned: impl FnOnce(&Place<'_>)) {
    let planned = told(a, &["plan", "Add a login", "--engine", name, "--qa", "skip"], 0);
    assert_eq!((&planned["planner"], &planned["name"]), (&name.into(), &NAME.into()), "{planned}");
    assert_eq!(planned["notices"].as_array().map_or(0, Vec::len), 0, "every step was decomposed: {planned}");
    let work = world.place(&format!("a/worktrees/{NAME}"));
    assert!(work.read(&format!(".protocols/{NAME}/02-api.md")).contains("and test it"));
    on_planned(&work);

    // Whether there is QA, and what follows it, is up to people: no engine sets it.
    let file = format!(".protocols/{NAME}/02-api.md");
    let text = work.read(&file).replacen("qa: skip\n", "qa: full\nloop: [on=qa_failed, back=1, max=2]\n", 1);
    assert!(text.contains("loop: "), "{text}");
    work.write(&file, &text);
    work.git(&["commit", "--quiet", "-am", "docs: go back once"]);
    work.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    for phase in ["exec", "qa"] {
        a.git(&["config", &format!("godzilla.phases.{phase}"), name]);
    }

    let step = |args: &[&str], id: &str, made: &str| {
        let ran = told(&work, args, 0);
        assert_eq!((&ran["step"], &ran["result"]), (&id.into(), &"succeeded".into()), "{ran}");
        assert!(ran["commit"].is_string(), "{ran}");
        assert_eq!(work.git(&["show", &format!("HEAD:{made}")]), format!("{made}\n"));
    };
    step(&["run"], "01-form", "form-1.txt");
    step(&["run", "--no-qa"], "02-api", "api-1.txt");
    let failed = told(&work, &["qa"], 1);
    assert_eq!(failed["review"]["verdict"]["result"], "fail", "{failed}");
    assert_eq!(work.json(&["show"])["current_step"], "01-form", "it went back: {failed}");
    step(&["run"], "01-form", "form-2.txt");
    step(&["run", "--no-qa"], "02-api", "api-2.txt");
    let passed = told(&work, &["qa"], 0);
    assert_eq!(passed["review"]["verdict"]["result"], "pass", "{passed}");
    step(&["next"], "03-docs", "docs-1.txt");
    assert!(a.statuses(NAME).iter().all(|status| status == "completed"), "{:?}", a.statuses(NAME));

    is_counted(&work);
    no_key_is_kept(world);
}

/// Each run is counted as its engine was told to count it.
fn is_counted(work: &Place<'_>) {
    let runs = work.json(&["runs"]);
    let counted: Vec<[u64; 3]> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            ["input_tokens", "cached_tokens", "output_tokens"]
                .map(|field| run["usage"][field].as_u64().unwrap())
        })
        .collect();
    let wanted: Vec<[u64; 3]> = (0..beats().len()).map(used).collect();
    assert_eq!(counted, wanted, "{runs}");
    let total: u64 = wanted.iter().map(|[input, _, output]| input + output).sum();
    assert_eq!((&runs["counted_tokens"], &runs["estimated_tokens"]), (&total.into(), &0.into()), "{runs}");
}

/// Nothing below the world holds the key: no file, no log, no object that git can show, and not what the
/// engine's tools saw.
fn no_key_is_kept(world: &World) {
    let grep = run(world.command("grep").args(["-rlaF", KEY, "."]).current_dir(world.path().join("a")));
    assert_eq!((grep.code, grep.stdout.as_str()), (Some(1), ""), "{grep}");
    let a = world.place("a");
    let objects = a.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)"]);
    let blobs = objects.lines().filter_map(|line| line.strip_prefix("blob "));
    for blob in blobs {
        let shown = run(a.command("git").args(["cat-file", "blob", blob]));
        assert!(!shown.stdout.contains(KEY), "{blob} holds the key:\n{shown}");
    }
}

#[test]
fn a_protocol_is_planned_done_and_reviewed_by_a_script() {
    let world = World::new();
    let a = clone(&world);
    for (idx, beat) in beats().iter().enumerate() {
        let [input, cached, output] = used(idx);
        let mut result = json!({"v": 1, "status": "succeeded", "message": "done",
            "usage": {"input_tokens": input, "cached_tokens": cached, "output_tokens": output}});
        let mut script = String::new();
        match beat {
            Beat::Answers(answer) => result["json"] = answer.clone(),
            Beat::Says(text) => result["message"] = text.clone().into(),
            Beat::Makes(file) => script = format!("echo {file} >{file}\nenv >env-{file}\n"),
        }
        let script = format!("{script}cat <<'END'\n{result}\nEND\n");
        a.write(&format!("../beats/{}", idx + 1), &script);
    }
    // It gives one answer after the other, and none when there is none left.
    let script = "#!/bin/sh\ncat >/dev/null\nbeats=${0%/*}/beats\nn=$(($(cat \"$beats/n\" 2>/dev/null || echo 0) + 1))\n\
                  echo $n >\"$beats/n\"\n. \"$beats/$n\"\n";
    a.write_executable("../engine", script);
    let path = a.path.join("../engine");
    a.git(&["config", "godzilla.engines.sh.argv", path.to_str().unwrap()]);
    play(&world, &a, "sh", |_| ());
    assert_eq!(a.read("../beats/n").trim(), beats().len().to_string());
}
