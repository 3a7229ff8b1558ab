//! What counts as a merge, and by which rule: one table, played with hooks and without, seen by the
//! clone that merged, by another one, and by one that never had the branch.

mod absent;
mod patches;
mod prompt;

use serde_json::Value;

use crate::support::{Place, World, run};

const NAME: &str = "0001-x";

/// Where one case is played.
struct Stage<'w> {
    /// The clone that plans and merges.
    home: Place<'w>,
    /// The protocol's worktree.
    work: Place<'w>,
    /// Another clone, which has the branch.
    other: Place<'w>,
}

impl<'w> Stage<'w> {
    fn set(world: &'w World, init: &[&str]) -> Self {
        let begun = |name: &str| {
            let place = world.bare_clone_of(name);
            place.godzilla_ok(&[&["init", "--yes"], init].concat());
            place
        };
        let home = begun("a");
        home.write("shared.txt", &numbered(9));
        home.git(&["add", "."]);
        home.git(&["commit", "--quiet", "-m", "a file of everybody"]);
        home.git(&["push", "--quiet", "origin", "main"]);
        let planned = home.json(&["plan", "x", "--step", "One", "--step", "Two"]);
        let work = Place { world, path: planned["worktree"].as_str().unwrap().into() };
        let stage = Self { home, work, other: begun("b") };
        stage.share();
        stage
    }

    /// Two commits of work, which leave the end of the shared file alone, and tick a box.
    fn work(&self) {
        self.work.commit("one.txt", "feat: one");
        self.work.write("shared.txt", &numbered(9).replace("line 1\n", "line 1, changed\n"));
        self.work.tick(NAME, "01-one");
        self.work.commit("two.txt", "feat: two");
        self.share();
    }

    /// Sends branch and state to the server.
    fn share(&self) {
        self.work.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.home.godzilla_ok(&["sync"]);
    }

    /// Commits a change of the base.
    fn base(&self, file: &str, text: &str) {
        self.home.write(file, text);
        self.home.git(&["add", "."]);
        self.home.git(&["commit", "--quiet", "-m", "chore: of the base"]);
    }

    fn merge(&self, options: &[&str]) {
        self.home.git(&[&["merge", "--quiet"], options, &[NAME]].concat());
    }

    /// Merges as one commit, having prepared it with `edit`.
    fn squash(&self, edit: impl FnOnce(&Place<'w>)) {
        self.merge(&["--squash"]);
        edit(&self.home);
        self.home.git(&["add", "--all"]);
        self.home.git(&["commit", "--quiet", "-m", "all of it as one"]);
    }

    /// Copies commits of the branch, without the plan if that is left out.
    fn pick(&self, commits: &str) {
        let listed = self.home.git(&["rev-list", "--reverse", commits]);
        for oid in listed.lines() {
            let picked = self.home.try_git(&["cherry-pick", "--allow-empty", oid]);
            if picked.code != Some(0) {
                // The step files that it ticks were never here.
                self.home.git(&["rm", "--quiet", "-r", ".protocols"]);
                self.home.git(&["-c", "core.editor=true", "cherry-pick", "--continue"]);
            }
        }
    }
}

fn numbered(n_lines: usize) -> String {
    let lines: Vec<String> = (1..=n_lines).map(|number| format!("line {number}\n")).collect();
    lines.concat()
}

/// Changes the lines of the base that the work changed, and the files that it added.
fn edit_again(stage: &Stage<'_>) {
    stage.base("one.txt", "another one\n");
    stage.base("shared.txt", &numbered(9).replace("line 1\n", "line 1, changed twice\n"));
}

fn without_folder(home: &Place<'_>) {
    home.git(&["rm", "--quiet", "-r", "--force", ".protocols"]);
}

/// What happens, what it shows as, and how it is played.
type Case = (&'static str, Option<&'static str>, fn(&Stage<'_>));

const TABLE: &[Case] = &[
    ("a merge commit", Some("ancestry"), |stage| {
        stage.work();
        stage.base("base.txt", "base\n");
        stage.merge(&["--no-ff", "--no-edit"]);
    }),
    ("a fast-forward", Some("ancestry"), |stage| {
        stage.work();
        stage.merge(&["--ff-only"]);
    }),
    ("a squash", Some("no-op"), |stage| {
        stage.work();
        stage.base("base.txt", "base\n");
        stage.squash(|_| ());
    }),
    ("a squash without the plan", Some("squash"), |stage| {
        stage.work();
        stage.squash(without_folder);
    }),
    ("a squash whose lines were changed since", Some("squash"), |stage| {
        stage.work();
        stage.base("shared.txt", &numbered(12));
        stage.squash(|_| ());
        edit_again(stage);
    }),
    ("a rebase", Some("no-op"), |stage| {
        stage.work();
        stage.base("base.txt", "base\n");
        stage.pick(&format!("main..{NAME}"));
    }),
    ("a rebase whose lines were changed since", Some("rebase"), |stage| {
        stage.work();
        stage.base("shared.txt", &numbered(12));
        stage.pick(&format!("main..{NAME}"));
        edit_again(stage);
    }),
    ("work that was picked without the plan", Some("rebase"), |stage| {
        stage.work();
        stage.pick(&format!("{NAME}~2..{NAME}"));
        stage.base("base.txt", "base\n");
    }),
    ("a squash with more in it", Some("no-op"), |stage| {
        stage.work();
        stage.squash(|home| home.write("more.txt", "more\n"));
    }),
    ("a squash with more in it, changed since", Some("historical-no-op"), |stage| {
        stage.work();
        stage.squash(|home| home.write("more.txt", "more\n"));
        edit_again(stage);
    }),
    ("a squash with other lines", None, |stage| {
        stage.work();
        stage.squash(|home| home.write("one.txt", "not what the branch says\n"));
    }),
    ("a part of the work", None, |stage| {
        stage.work();
        stage.pick(&format!("{NAME}~2..{NAME}~1"));
    }),
    ("a squash that leaves a file out", None, |stage| {
        stage.work();
        stage.squash(|home| drop(home.git(&["rm", "--quiet", "--force", "two.txt"])));
    }),
    ("a merge into another base", None, |stage| {
        stage.work();
        stage.home.git(&["switch", "--quiet", "-c", "release"]);
        stage.squash(|_| ());
        stage.home.git(&["push", "--quiet", "origin", "release"]);
        stage.home.git(&["switch", "--quiet", "main"]);
        stage.base("base.txt", "base\n");
    }),
    ("a merge of an early tip", None, |stage| {
        stage.work();
        stage.merge(&["--no-ff", "--no-edit"]);
        stage.work.commit("three.txt", "feat: three");
        stage.share();
    }),
    ("a squash of an early tip", None, |stage| {
        stage.work();
        stage.squash(|_| ());
        stage.work.commit("three.txt", "feat: three");
        stage.share();
    }),
    ("a branch that was reset", None, |stage| {
        stage.work();
        stage.base("base.txt", "base\n");
        stage.work.git(&["reset", "--quiet", "--hard", "main"]);
        stage.share();
    }),
    ("a new branch", None, |stage| {
        stage.base("base.txt", "base\n");
    }),
    ("a new branch whose plan was merged", None, |stage| {
        stage.squash(|_| ());
        stage.base("base.txt", "base\n");
    }),
    ("a merge commit that was reverted", Some("ancestry"), |stage| {
        stage.work();
        stage.merge(&["--no-ff", "--no-edit"]);
        stage.home.git(&["revert", "--no-edit", "--mainline", "1", "HEAD"]);
    }),
    ("a squash that was reverted", Some("squash"), |stage| {
        stage.work();
        stage.squash(|_| ());
        stage.home.git(&["revert", "--no-edit", "HEAD"]);
    }),
    ("the base merged into the branch", None, |stage| {
        stage.work();
        stage.base("base.txt", "base\n");
        stage.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        stage.share();
        stage.base("base.txt", "base 2\n");
    }),
    ("a squash after the base was merged into the branch", Some("squash"), |stage| {
        stage.work.commit("zero.txt", "feat: zero");
        stage.base("base.txt", "base\n");
        stage.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        stage.work();
        stage.squash(without_folder);
    }),
    ("a squash that was merged back into the branch", Some("squash"), |stage| {
        stage.work();
        stage.squash(without_folder);
        stage.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        stage.share();
        edit_again(stage);
    }),
    ("work that was taken from the base", None, |stage| {
        let now = stage.home.git(&["log", "-1", "--format=%ct"]);
        let earlier = now.trim().parse::<u64>().unwrap() - 3600;
        stage.home.write("fix.txt", "fix\n");
        stage.home.git(&["add", "."]);
        let mut commit = stage.home.command("git");
        commit.args(["commit", "--quiet", "-m", "fix: of the base"]);
        run(commit.env("GIT_COMMITTER_DATE", format!("@{earlier} +0000")));
        stage.work.git(&["cherry-pick", "main"]);
        stage.share();
        stage.base("base.txt", "base\n");
    }),
    ("work that goes on from what the base has", None, |stage| {
        stage.work();
        stage.squash(without_folder);
        stage.work.git(&["merge", "--quiet", "--no-edit", "main"]);
        stage.work.commit("three.txt", "feat: three");
        stage.share();
        stage.base("base.txt", "base\n");
    }),
];

/// What a clone shows of a merge.
fn merged(place: &Place<'_>) -> Value {
    let shown = place.json(&["show", NAME]);
    assert_eq!(shown["merged"].is_object(), shown["status"] == "completed", "{shown}");
    shown["merged"].clone()
}

/// Plays one case and returns what each clone takes it for: the one that merged and another one, each
/// by itself and again from what it remembers, then all with one that only knows the events.
fn play(stage: &Stage<'_>, init: &[&str], play: fn(&Stage<'_>)) -> Vec<Value> {
    play(stage);
    stage.home.git(&["push", "--quiet", "origin", "main"]);
    let mut seen = Vec::new();
    for place in [&stage.other, &stage.home] {
        place.git(&["pull", "--quiet"]);
        seen.extend([merged(place)["rule"].clone(), merged(place)["rule"].clone()]);
    }
    if seen.iter().all(Value::is_null) {
        return seen;
    }
    for place in [&stage.other, &stage.home, &stage.other] {
        place.godzilla_ok(&["sync"]);
    }
    let world = stage.home.world;
    world.place("").git(&["clone", "--quiet", "--single-branch", "srv.git", "c"]);
    let late = world.place("c");
    late.godzilla_ok(&[&["init", "--yes"], init].concat());
    late.git(&["pull", "--quiet"]);
    let told = merged(&stage.home);
    assert_eq!([merged(&stage.other), merged(&late)], [told.clone(), told.clone()]);
    seen.push(told["rule"].clone());
    seen
}

#[track_caller]
fn play_all(init: &[&str]) {
    let world = World::new();
    let stage = Stage::set(&world, init);
    let saved = world.save();
    let mut wrong = Vec::new();
    for (what, rule, case) in TABLE {
        println!("{what}");
        world.restore(&saved);
        let seen = play(&stage, init, *case);
        let want = rule.map_or(Value::Null, Value::from);
        if seen.iter().any(|rule| *rule != want) {
            wrong.push(format!("{what}: {want} shows as {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_way_to_merge_shows_by_its_rule_with_hooks() {
    play_all(&[]);
}

#[test]
fn every_way_to_merge_shows_by_its_rule_without_hooks() {
    play_all(&["--no-hooks"]);
}
