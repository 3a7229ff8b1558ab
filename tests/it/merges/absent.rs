//! Merges that a clone cannot see for itself: it says nothing, fetches nothing, and takes the word of
//! who can.

use serde_json::Value;

use super::{NAME, Stage, edit_again, merged};
use crate::support::{Place, World};

/// Plays a squash whose lines were changed since, and makes another clone of it with these options.
fn squashed<'w>(world: &'w World, options: &[&str]) -> (Stage<'w>, Place<'w>) {
    world.place("srv.git").git(&["config", "uploadpack.allowFilter", "true"]);
    let stage = Stage::set(world, &[]);
    stage.work();
    stage.squash(|_| ());
    edit_again(&stage);
    stage.home.git(&["push", "--quiet", "origin", "main"]);
    let url = format!("file://{}", world.path().join("srv.git").display());
    world.place("").git(&[&["clone", "--quiet"], options, &[&url, "c"]].concat());
    let place = world.place("c");
    place.git(&["config", "maintenance.auto", "false"]);
    place.godzilla_ok(&["init", "--yes"]);
    // A filter would leave out the events as well.
    let streams = "+refs/godzilla/*:refs/godzilla-remote/origin/*";
    place.git(&["fetch", "--quiet", "--refetch", "--no-filter", "origin", streams]);
    assert!(place.godzilla_ok(&["list"]).contains(NAME), "it knows the events");
    (stage, place)
}

/// Checks that a clone sees no merge until another one says so.
#[track_caller]
fn assert_told(stage: &Stage<'_>, place: &Place<'_>) {
    assert_eq!(merged(place), Value::Null);
    assert_eq!(merged(&stage.home)["rule"], "squash");
    stage.home.godzilla_ok(&["sync"]);
    place.git(&["fetch", "--quiet"]);
    assert_eq!(merged(place), merged(&stage.home));
}

#[test]
fn a_clone_without_the_branch_is_told() {
    let world = World::new();
    let (stage, place) = squashed(&world, &["--single-branch"]);
    assert_told(&stage, &place);
}

#[test]
fn a_shallow_clone_is_told() {
    let world = World::new();
    let (stage, place) = squashed(&world, &["--depth=1", "--no-single-branch"]);
    assert_told(&stage, &place);
}

#[test]
fn a_shallow_clone_sees_more_once_it_is_none() {
    let world = World::new();
    let (_, place) = squashed(&world, &["--depth=3", "--no-single-branch"]);
    assert_eq!(merged(&place), Value::Null);
    place.git(&["fetch", "--quiet", "--unshallow"]);
    assert_eq!(merged(&place)["rule"], "squash");
}

#[test]
fn a_partial_clone_fetches_nothing() {
    let world = World::new();
    let (_, place) = squashed(&world, &["--filter=blob:none", "--no-checkout"]);
    let packs = || {
        let files = std::fs::read_dir(place.path.join(".git/objects/pack")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = packs();
    assert_eq!(merged(&place), Value::Null);
    assert_eq!(packs(), before, "something was fetched");
}
