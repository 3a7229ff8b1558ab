//! The shortest walk: plan, commit, push, pull, show.

use crate::support::World;

#[test]
fn two_clones_agree_after_plain_push_and_pull() {
    let world = World::new();
    let a = world.clone("a");
    let work = a.plan("Add a login page", &["The form", "The API"]);
    work.commit("form.html", "feat(login): the form");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);

    let b = world.clone("b");
    b.git(&["pull", "--quiet"]);
    let strip = |mut shown: serde_json::Value| {
        for local in ["worktree", "unshared_events"] {
            shown.as_object_mut().unwrap().remove(local);
        }
        shown.to_string()
    };
    let name = "0001-add-a-login-page";
    assert_eq!(strip(a.json(&["show", name])), strip(b.json(&["show", name])));
    assert_eq!(a.statuses(name), ["completed", "running", "pending"]);
}
