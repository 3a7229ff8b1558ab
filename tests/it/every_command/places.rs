//! Where commands are run: amid work, before any, without `init`, and outside of any repository.

use tempfile::TempDir;

use crate::support::{Place, World};

/// A place that a command is run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The worktree of a protocol, one of several.
    Work,
    /// A clone after `init`, with nothing planned.
    Fresh,
    /// A clone without `init`.
    Raw,
    /// No repository.
    Outside,
}

impl At {
    pub(super) const ALL: [Self; 4] = [Self::Work, Self::Fresh, Self::Raw, Self::Outside];
}

/// Two worlds, and what they are put back to.
pub(super) struct Places {
    used: World,
    new: World,
    saved: [TempDir; 2],
}

impl Places {
    pub(super) fn new() -> Self {
        let (used, new) = (World::new(), World::new());
        set_up(&used);
        new.clone("fresh");
        new.bare_clone_of("raw");
        let saved = [used.save(), new.save()];
        Self { used, new, saved }
    }

    pub(super) fn at(&self, at: At) -> Place<'_> {
        match at {
            At::Work => self.used.place("a/worktrees/0001-add-a-login"),
            At::Fresh => self.new.place("fresh"),
            At::Raw => self.new.place("raw"),
            At::Outside => self.new.place("home"),
        }
    }

    /// Undoes what was done since the beginning.
    pub(super) fn put_back(&self, at: At) {
        match at {
            At::Work => self.used.restore(&self.saved[0]),
            At::Fresh | At::Raw | At::Outside => self.new.restore(&self.saved[1]),
        }
    }
}

/// Protocol 1 is worked on, the gate of the base fails 2, 3 is blocked, 4 is paused, 5 waits for QA, an
/// engine ran for 7, and what was begun of 6 was taken back.
fn set_up(world: &World) {
    let a = world.clone("a");
    a.commit_gate("test.sh", "#!/bin/sh\necho judging\ntest ! -e broken\n");
    a.plan("Add a login", &["The form", "The API"]).commit("form", "feat: the form");
    a.plan("Break it", &[]).commit("broken", "feat: broken");
    for title in ["Wait for the key", "Think again", "Look at it", "Begin again"] {
        a.plan(title, &["One", "Two"]);
    }
    let result = r#"{"v":1,"status":"succeeded","message":"done"}"#;
    a.write_executable("../helper", &format!("#!/bin/sh\necho more >>helped\necho '{result}'\n"));
    a.git(&["config", "godzilla.engines.helper.argv", a.path.join("../helper").to_str().unwrap()]);
    a.plan("Let it run", &["One", "Two"]);
    a.godzilla_ok(&["run", "-p", "7", "--engine", "helper"]);
    a.godzilla_ok(&["start", "1", "-p", "3"]);
    a.godzilla_ok(&["block", "1", "-p", "3", "--reason", "no key"]);
    a.godzilla_ok(&["pause", "4"]);
    a.godzilla_ok(&["start", "1", "-p", "5"]);
    a.godzilla_ok(&["done", "1", "-p", "5", "--no-commit"]);
    a.godzilla_ok(&["trust", "-p", "1", "--yes"]);
    a.godzilla_ok(&["start", "1", "-p", "6"]);
    a.godzilla_ok(&["undo"]);
    a.godzilla_ok(&["export", "../all.jsonl"]);
    // The fewer files, the sooner it is put back.
    for name in ["a", "srv.git"] {
        world.place(name).git(&["gc", "--quiet"]);
    }
}
