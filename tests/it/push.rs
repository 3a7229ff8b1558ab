//! What a push takes along, over every transport and whatever the server makes of it; and `git godzilla
//! push`, which sends both at once.

mod changed;
mod crowd;
mod over_http;
mod over_ssh;
mod silent;
mod together;
mod unwanted;
mod ways;

use std::path::PathBuf;

use crate::support::{Place, Shown, World, run};

const NAME: &str = "0001-x";
const BRANCH: &str = "refs/heads/0001-x";
const STREAM: &str = "refs/godzilla/protocols/0001-x";

/// Runs `test` once with each git of this machine.
fn with_each_git(test: impl Fn(&World)) {
    for dir in crate::hooks::git_folders() {
        let world = World::with(Some(dir), false);
        println!("{}", world.place("").git(&["--version"]).trim());
        test(&world);
    }
}

/// A clone that has planned the protocol `0001-x`, and its worktree with a first commit. Nothing of
/// it is at the server.
fn begin(world: &World) -> (Place<'_>, Place<'_>) {
    let a = world.clone("a");
    a.plan("x", &["One", "Two"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.commit("one.txt", "feat: a part");
    (a, work)
}

/// Lets the branch at the server and the one in `work` go on apart.
fn go_apart(world: &World, work: &Place<'_>) {
    let b = world.clone("b");
    b.git(&["switch", "--quiet", NAME]);
    b.commit("theirs.txt", "feat: theirs");
    b.git(&["push", "--quiet", "--no-verify", "origin", NAME]);
    work.commit("ours.txt", "feat: ours");
}

/// Makes a pre-push hook of somebody else, which was there before ours.
fn chain_pre_push(a: &Place<'_>, text: &str) {
    let path = a.path.join(".git/hooks/pre-push");
    std::fs::remove_file(&path).unwrap();
    write_script(&path, text);
    a.godzilla_ok(&["hooks", "install"]);
}

/// How many events the remote was not seen to hold.
#[track_caller]
fn unshared(place: &Place<'_>) -> u64 {
    remote_state(place)["unshared_events"].as_u64().unwrap()
}

/// What `status` says of the first remote.
#[track_caller]
fn remote_state(place: &Place<'_>) -> serde_json::Value {
    place.json(&["status", "--all"])["remotes"][0].clone()
}

/// The lines that are ours.
fn ours(shown: &Shown) -> Vec<&str> {
    shown.stderr.lines().filter(|line| line.starts_with("git-godzilla: ")).collect()
}

/// Checks that the push did what the user asked for and said nothing of ours.
#[track_caller]
fn assert_quiet(shown: &Shown) {
    assert_eq!((shown.code, ours(shown)), (Some(0), vec![]), "{shown}");
}

/// Checks that the push did what the user asked for, and that one line of ours tells what is missing.
#[track_caller]
fn the_one_line(shown: &Shown) -> &str {
    assert_eq!(shown.code, Some(0), "{shown}");
    let [line] = ours(shown)[..] else { panic!("one line was expected\n{shown}") };
    assert!(line.contains("not shared with origin ("), "{line}");
    assert!(line.ends_with("share them with `git godzilla sync`"), "{line}");
    line
}

/// Pushes the branch by plain git, with more in the environment.
fn push_with(work: &Place<'_>, env: &[(&str, &str)]) -> Shown {
    run(work.command("git").args(["push", "origin", NAME]).envs(env.iter().copied()))
}

fn push(work: &Place<'_>) -> Shown {
    push_with(work, &[])
}

fn ref_at(place: &Place<'_>, name: &str) -> Option<String> {
    let out = place.try_git(&["rev-parse", "--verify", "--quiet", name]);
    (out.code == Some(0)).then(|| out.stdout.trim().to_owned())
}

/// Checks that the server holds the branch and all events.
#[track_caller]
fn assert_shared(a: &Place<'_>, work: &Place<'_>) {
    let server = a.world.place("srv.git");
    assert_eq!(ref_at(&server, BRANCH), ref_at(work, "HEAD"));
    assert_eq!(ref_at(&server, STREAM), ref_at(a, STREAM));
    assert_eq!(unshared(a), 0);
}

/// Makes an executable script in the world's folder.
fn script(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    write_script(&path, text);
    path.to_str().unwrap().to_owned()
}

fn write_script(path: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a hook of the server.
fn server_hook(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.path().join("srv.git/hooks").join(name);
    write_script(&path, text);
    path
}

/// Makes the server write down what each push moves; returns what it wrote since the last time.
fn record_pushes(world: &World) -> impl Fn() -> Vec<Vec<String>> {
    let record = world.path().join("pushes");
    server_hook(world, "post-receive", &format!("(cut -d' ' -f3; echo .) >>'{}'", record.display()));
    move || {
        let text = std::fs::read_to_string(&record).unwrap_or_default();
        std::fs::remove_file(&record).ok();
        let refs = |push: &str| push.lines().map(str::to_owned).collect();
        text.split(".\n").filter(|push| !push.is_empty()).map(refs).collect()
    }
}

/// A program that answers what git asks a person, and notes each question.
struct Asked {
    program: String,
    record: PathBuf,
}

impl Asked {
    fn new(world: &World, answer: &str) -> Self {
        let record = world.path().join("questions");
        let text = format!("echo \"$1\" >>'{}'\n{answer}", record.display());
        Self { program: script(world, "askpass", &text), record }
    }

    /// How many questions there were since the last time.
    fn count(&self) -> usize {
        let text = std::fs::read_to_string(&self.record).unwrap_or_default();
        std::fs::remove_file(&self.record).ok();
        text.lines().count()
    }
}
