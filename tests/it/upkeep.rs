//! Upkeep: commands let git pack, by its own rules and behind everybody's back; hooks never do.

use std::path::PathBuf;

use crate::support::bounded::run_bounded;
use crate::support::{BIN, Place, World};

/// Takes the place of `git`, writes down who asks for upkeep, and leaves it at that.
fn git_that_tells() -> World {
    let path = std::env::var_os("PATH").unwrap();
    let real: PathBuf =
        std::env::split_paths(&path).map(|dir| dir.join("git")).find(|file| file.exists()).unwrap();
    let tools = World::new();
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' maintenance run '*) echo \"$*\" >>'{}'; exit 0 ;; esac\nexec '{}' \"$@\"\n",
        tools.path().join("asked").display(),
        real.display()
    );
    tools.place("").write_executable("git", &script);
    tools
}

/// Makes it look as if there were many loose objects: git looks into this folder only.
fn add_objects(place: &Place<'_>) {
    for n in 0..40 {
        place.write(&format!(".git/objects/17/{n:038x}"), "");
    }
}

fn asked(tools: &World) -> Vec<String> {
    let text = std::fs::read_to_string(tools.path().join("asked")).unwrap_or_default();
    std::fs::remove_file(tools.path().join("asked")).ok();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn many_loose_objects_make_commands_ask_git_once() {
    let tools = git_that_tells();
    let world = World::with(Some(tools.path().to_owned()), false);
    let a = world.clone("a");
    let work = a.plan("x", &["One"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(asked(&tools), [""; 0], "there are few");
    add_objects(&a);
    work.write("one", "1\n");
    work.git(&["add", "."]);
    work.git(&["-c", "maintenance.auto=false", "commit", "--quiet", "-m", "feat: one"]);
    work.git(&["-c", "maintenance.auto=false", "push", "--quiet", "origin", "HEAD"]);
    assert_eq!(asked(&tools), [""; 0], "hooks do nothing of it");
    a.godzilla_ok(&["list"]);
    let said = asked(&tools);
    assert!(said.len() == 1 && said[0].ends_with("maintenance run --auto --quiet"), "{said:?}");
    assert!(said[0].contains("gc.autoDetach=true"), "nobody waits for it: {said:?}");
    a.godzilla_ok(&["list"]);
    assert_eq!(asked(&tools), [""; 0], "git may find that nothing can be done");
}

#[test]
fn who_says_no_is_not_asked_again() {
    for (key, value) in [("gc.auto", "0"), ("maintenance.auto", "false")] {
        let tools = git_that_tells();
        let world = World::with(Some(tools.path().to_owned()), false);
        let a = world.clone("a");
        add_objects(&a);
        a.git(&["config", key, value]);
        a.godzilla_ok(&["list"]);
        assert_eq!(asked(&tools), [""; 0], "{key}");
    }
    let tools = git_that_tells();
    let world = World::with(Some(tools.path().to_owned()), false);
    let a = world.clone("a");
    add_objects(&a);
    a.write_executable(".git/hooks/pre-auto-gc", "#!/bin/sh\nexit 1\n");
    a.godzilla_ok(&["list"]);
    assert_eq!(asked(&tools), [""; 0], "a hook that wants to be asked is not passed over");
}

#[test]
fn packing_holds_nobodys_terminal() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("x", &["One"]);
    a.git(&["config", "gc.auto", "1"]);
    a.git(&["config", "gc.autoDetach", "false"]);
    add_objects(&a);
    let shown = run_bounded(a.command(BIN).arg("list"));
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{shown}");
}

fn add_refs(place: &Place<'_>) {
    let main = place.git(&["rev-parse", "main"]);
    for n in 0..600 {
        place.write(&format!(".git/refs/godzilla-remote/origin/inbox/{n:04}"), &main);
    }
}

#[test]
fn many_loose_refs_are_packed_unless_somebody_says_no() {
    let world = World::new();
    let a = world.clone("a");
    a.git(&["config", "gc.packRefs", "false"]);
    add_refs(&a);
    let n_loose = || {
        std::fs::read_dir(a.path.join(".git/refs/godzilla-remote/origin/inbox")).map_or(0, Iterator::count)
    };
    a.godzilla_ok(&["list"]);
    assert_eq!(n_loose(), 600);
    std::fs::remove_file(a.path.join(".git/godzilla/cache/maintained")).unwrap();
    a.git(&["config", "--unset", "gc.packRefs"]);
    a.godzilla_ok(&["list"]);
    assert_eq!(n_loose(), 0);
    assert!(a.read(".git/packed-refs").contains("refs/godzilla-remote/origin/inbox/0599"));
}
