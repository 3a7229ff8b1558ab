//! Three clones, two remotes.

use super::{
    NAME, assert_agree, assert_linear, ids, keep_reflogs, objects, ref_at, refs, stream, sync, tracking,
    two_clones,
};
use crate::support::{Place, World};

/// Adds a second bare remote `backup`, which already holds a branch, and shares with it from `places`.
fn add_backup<'w>(world: &'w World, name: &str, places: &[&Place<'w>]) -> Place<'w> {
    let root = world.place("");
    root.git(&["init", "--quiet", "--bare", "--initial-branch=main", "backup.git"]);
    let backup = world.place("backup.git");
    keep_reflogs(&backup);
    for place in places {
        place.git(&["remote", "add", name, "../backup.git"]);
        place.git(&["push", "--quiet", "--no-verify", name, "main"]);
        place.godzilla_ok(&["init", "--yes", "--remote", name]);
    }
    backup
}

#[test]
fn truth_2_three_clones_end_equal() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let c = world.clone("c");
    let server = world.place("srv.git");
    a.godzilla_ok(&["comment", "from a", "-p", "1"]);
    b.godzilla_ok(&["start", "1", "-p", "1"]);
    c.godzilla_ok(&["cancel", "1", "--reason", "from c"]);
    let mut all = ids(&a, NAME);
    all.extend(ids(&b, NAME));
    all.extend(ids(&c, NAME));

    c.git(&["push", "--quiet", "origin", "main"]);
    for place in [&a, &b, &c, &a, &b] {
        sync(place);
    }
    assert_agree(&[&a, &b, &c]);
    assert_eq!(ids(&b, NAME), all);
    assert_linear(&server);
}

#[test]
fn s4_one_chain_for_each_remote_and_events_travel_between_them() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    // `a` shares with both, `b` with origin only, `c` with backup only.
    let backup = add_backup(&world, "backup", &[&a]);
    sync(&a);
    world.place("").git(&["clone", "--quiet", "backup.git", "c"]);
    let c = world.place("c");
    c.godzilla_ok(&["init", "--yes"]);
    assert_agree(&[&a, &b, &c]);

    b.godzilla_ok(&["start", "1", "-p", "1"]);
    c.godzilla_ok(&["comment", "from the other side", "-p", "1"]);
    a.godzilla_ok(&["comment", "between them", "-p", "1"]);
    sync(&b);
    sync(&c);
    // One run carries what each remote brings to the other.
    sync(&a);
    sync(&b);
    sync(&c);
    assert_agree(&[&a, &b, &c]);
    assert_eq!(ids(&b, NAME), ids(&c, NAME));
    for server in [&world.place("srv.git"), &backup] {
        assert_linear(server);
    }
    // The local ref follows the home remote; the commits of the other one live only there.
    let tip = ref_at(&a, &stream(NAME));
    assert_eq!(tip, ref_at(&world.place("srv.git"), &stream(NAME)));
    assert_ne!(tip, ref_at(&backup, &stream(NAME)));
    assert_eq!(ref_at(&a, &tracking("backup", NAME)), ref_at(&backup, &stream(NAME)));

    let all = [&a, &b, &c, &world.place("srv.git"), &backup];
    let state = || all.map(|place| (refs(place), objects(place)));
    let before = state();
    for _ in 0..5 {
        for place in [&a, &b, &c] {
            sync(place);
        }
    }
    assert!(before == state(), "idle syncs changed something");
}

#[test]
fn s4_of_equal_contents_the_home_remotes_commit_wins() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    a.godzilla_ok(&["comment", "from a", "-p", "1"]);
    b.godzilla_ok(&["comment", "from b", "-p", "1"]);
    sync(&a);
    b.git(&["fetch", "--quiet"]);
    // A push unites on top of what was fetched, without touching the local ref.
    let own = ref_at(&b, &stream(NAME));
    b.git(&["push", "--quiet", "origin", "main"]);
    let server = ref_at(&world.place("srv.git"), &stream(NAME));
    assert_ne!(server, own);
    b.godzilla_ok(&["list"]);
    assert_eq!(ref_at(&b, &stream(NAME)), server);
    a.git(&["fetch", "--quiet"]);
    assert_agree(&[&a, &b]);
    assert_linear(&world.place("srv.git"));
}

#[test]
fn w6_a_remote_with_a_slash_in_its_name() {
    let world = World::new();
    let (a, _, b) = two_clones(&world);
    let backup = add_backup(&world, "team/x.y", &[&a]);
    a.godzilla_ok(&["comment", "to both", "-p", "1"]);
    let synced = a.json(&["sync"]);
    assert_eq!(synced["remotes"].as_array().unwrap().len(), 2);
    assert!(ref_at(&a, "refs/godzilla-remote/team%2fx%2ey/protocols/0001-x").is_some());
    // Plain git, too, fetches into that place, and a push takes the state along.
    b.git(&["remote", "add", "team/x.y", "../backup.git"]);
    b.godzilla_ok(&["init", "--yes", "--remote", "team/x.y"]);
    b.godzilla_ok(&["comment", "from b", "-p", "1"]);
    b.git(&["push", "--quiet", "team/x.y", "main"]);
    assert_eq!(ref_at(&b, &stream(NAME)), ref_at(&backup, &stream(NAME)));
    a.git(&["fetch", "--quiet", "team/x.y"]);
    assert_eq!(ids(&a, NAME), ids(&b, NAME));
    sync(&b);
    assert_agree(&[&a, &b]);
}

/// Files are left out of a partial clone, but not those of the state.
#[test]
fn a_partial_clone_has_the_state_whole() {
    let world = World::new();
    let (a, _, _) = two_clones(&world);
    let server = world.place("srv.git");
    for key in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        server.git(&["config", key, "true"]);
    }
    for filter in ["blob:none", "tree:0"] {
        let name = filter.replace(':', "-");
        let url = format!("file://{}", server.path.display());
        world.place("").git(&[
            "clone",
            "--quiet",
            "--no-checkout",
            &format!("--filter={filter}"),
            &url,
            &name,
        ]);
        let partial = world.place(&name);
        partial.godzilla_ok(&["init", "--yes"]);
        assert_agree(&[&a, &partial]);
        // What a plain fetch brings is left out again, which is told, and mended by `sync`.
        a.godzilla_ok(&["comment", "more", "-p", "1"]);
        sync(&a);
        partial.git(&["fetch", "--quiet"]);
        let told = partial.godzilla(&["list"]);
        assert!(told.stderr.contains("`git godzilla sync` fetches it"), "{told}");
        sync(&partial);
        assert_agree(&[&a, &partial]);
        partial.godzilla_ok(&["comment", "from the partial clone", "-p", "1"]);
        sync(&partial);
        sync(&a);
        assert_agree(&[&a, &partial]);
    }
}
