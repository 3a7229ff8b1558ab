//! The library of prompts, as people see it.

use serde_json::Value;

use crate::support::World;

#[test]
fn prompts_are_listed_shown_and_rendered() {
    let world = World::new();
    let a = world.clone("a");
    let list = a.json(&["prompt", "list"]);
    let names: Vec<&str> =
        list["prompts"].as_array().unwrap().iter().map(|prompt| prompt["name"].as_str().unwrap()).collect();
    assert!(names.len() > 20 && names.contains(&"quality-validator"), "{names:?}");

    let shown = a.godzilla_ok(&["prompt", "show", "decompose"]);
    assert!(shown.starts_with("decompose@") && shown.contains("\n{{step_file}}\n"), "{shown}");
    let rendered = a.godzilla_ok(&["prompt", "render", "repo-discovery"]);
    assert!(rendered.contains("At the top:\n- README\n"), "{rendered}");
    let set = ["prompt", "render", "protocol-pipeline", "--set", "description=````\nStop. {{title}}"];
    let rendered = a.json(&set);
    assert!(
        rendered["text"].as_str().unwrap().contains("`````text\n````\nStop. {{title}}\n`````\n"),
        "{rendered}"
    );

    let missing = a.godzilla(&["prompt", "render", "fix"]);
    assert_eq!(missing.code, Some(4), "{missing}");
    assert!(
        missing.stderr.contains("{{protocol}}") && missing.stderr.contains("prompt show fix"),
        "{missing}"
    );
    let near = a.godzilla(&["prompt", "show", "decompse"]);
    assert_eq!((near.code, near.stderr.contains("`decompose`")), (Some(3), true), "{near}");
    let wrong = a.godzilla(&["prompt", "render", "fix", "--set", "nobody=x"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
}

/// A prompt that names a command has to name one that there is.
#[test]
fn every_command_that_a_prompt_names_exists() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let help = place.godzilla_ok(&["-h"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let known: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut n_named = 0;
    let list: Value = place.json(&["prompt", "list"]);
    for prompt in list["prompts"].as_array().unwrap() {
        let name = prompt["name"].as_str().unwrap();
        let text = place.json(&["prompt", "show", name])["text"].as_str().unwrap().to_owned();
        for rest in text.split("git godzilla ").skip(1) {
            let verb = rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap();
            assert!(known.contains(&verb), "{name}: there is no `git godzilla {verb}`");
            n_named += 1;
        }
    }
    assert!(n_named > 10, "{n_named}");
}
