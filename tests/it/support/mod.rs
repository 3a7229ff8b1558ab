//! A world that nothing outside the test can influence: a bare remote, clones with real hooks, and
//! the program as a person runs it.

pub(crate) mod bounded;
pub(crate) mod http_server;
pub(crate) mod model_server;
pub(crate) mod simulation;
pub(crate) mod ssh_server;
mod template;
pub(crate) mod terminal;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a person has configured.
const GITCONFIG: &str = "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n\
                         [advice]\n\tdetachedHead = false\n[protocol \"file\"]\n\tallow = always\n";

/// What must be free in memory: far more than all tests that run at once put there.
const ROOM_IN_MEMORY: u64 = 1 << 30;

/// The program under test.
pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_git-godzilla");

/// A folder with a bare remote and clones of it.
pub(crate) struct World {
    dir: TempDir,
    /// The folder of the `git` to use, if it is not the first of `PATH`.
    git: Option<PathBuf>,
    sha256: bool,
}

/// A working copy, or any other folder of a [`World`].
pub(crate) struct Place<'w> {
    pub(crate) world: &'w World,
    pub(crate) path: PathBuf,
}

/// A lock on a file, as another process would hold it.
///
/// Letting go is said, not left to closing the file: what another test starts just then has the file too until it is
/// the program that it becomes.
pub(crate) struct Held(File);

impl Held {
    /// Locks the file, which is made if it is not there.
    pub(crate) fn at(path: &Path) -> Self {
        let file = File::options().write(true).create(true).truncate(false).open(path).unwrap();
        file.lock().unwrap();
        Self(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.unlock().unwrap();
    }
}

/// What a person would see of a run.
pub(crate) struct Shown {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl World {
    /// Makes a world with an empty bare repository `srv.git`.
    pub(crate) fn new() -> Self {
        Self::with(None, false)
    }

    /// Makes a world that uses the `git` of another folder.
    pub(crate) fn with(git: Option<PathBuf>, sha256: bool) -> Self {
        let world = Self { git, ..Self::without_remote(sha256) };
        template::empty(sha256).write(&world.path().join("srv.git"));
        world
    }

    fn without_remote(sha256: bool) -> Self {
        let world = Self { dir: dir_in_memory(), git: None, sha256 };
        let home = world.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("gitconfig"), GITCONFIG).unwrap();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a copy of everything, to come back to.
    pub(crate) fn save(&self) -> TempDir {
        let saved = dir_in_memory();
        copy(self.path(), saved.path());
        saved
    }

    /// Makes everything as it was saved.
    pub(crate) fn restore(&self, saved: &TempDir) {
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
        copy(saved.path(), self.path());
    }

    pub(crate) fn place(&self, name: &str) -> Place<'_> {
        Place { world: self, path: self.path().join(name) }
    }

    /// Gives the remote a first commit if it has none, clones it into `name`, and runs `init`.
    pub(crate) fn clone(&self, name: &str) -> Place<'_> {
        let place = self.bare_clone_of(name);
        place.godzilla_ok(&["init", "--yes"]);
        place
    }

    /// As [`Self::clone`], without `init`.
    pub(crate) fn bare_clone_of(&self, name: &str) -> Place<'_> {
        let server = self.path().join("srv.git");
        let branches = std::fs::read_dir(server.join("refs/heads")).unwrap();
        if branches.count() == 0 && !server.join("packed-refs").exists() {
            template::with_a_commit(self.sha256).write(&server);
        }
        self.place("").git(&["clone", "--quiet", "srv.git", name]);
        self.place(name)
    }

    pub(crate) fn git_folder(&self) -> Option<PathBuf> {
        self.git.clone()
    }

    pub(crate) fn is_sha256(&self) -> bool {
        self.sha256
    }

    /// A command with nothing of the machine in its environment but `PATH`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let bin = Path::new(BIN).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = self.git.iter().cloned().chain([bin]).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::join_paths(dirs).unwrap())
            .env("HOME", self.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.path().join("home/gitconfig"))
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        if self.sha256 {
            // An older git takes the format of an empty remote for its default.
            command.env("GIT_DEFAULT_HASH", "sha256");
        }
        command
    }
}

impl Place<'_> {
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.world.command(program);
        command.current_dir(&self.path);
        command
    }

    /// Runs git and returns its output; panics if it fails.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let shown = self.try_git(args);
        assert!(shown.code == Some(0), "git {args:?} in {}\n{shown}", self.path.display());
        shown.stdout
    }

    pub(crate) fn try_git(&self, args: &[&str]) -> Shown {
        run(self.command("git").args(args))
    }

    /// Runs the program and returns what a person would see.
    pub(crate) fn godzilla(&self, args: &[&str]) -> Shown {
        run(self.command(BIN).args(args))
    }

    /// Runs the program as a step of the set-up; panics if it fails.
    #[track_caller]
    pub(crate) fn godzilla_ok(&self, args: &[&str]) -> String {
        let shown = self.godzilla(args);
        assert!(shown.code == Some(0), "git godzilla {args:?} in {}\n{shown}", self.path.display());
        shown.stdout
    }

    /// Runs the program with `--json` and returns the document; panics if it fails.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        let text = self.godzilla_ok(&all);
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"))
    }

    /// Sets a key of the user's own configuration that counts in this clone alone, or takes it back. Our
    /// own git takes programs from nowhere else.
    pub(crate) fn user_config(&self, key: &str, value: Option<&str>) {
        let file = self.world.path().join("home/of-one-clone");
        let file = file.to_str().unwrap();
        match value {
            Some(value) => self.git(&["config", "--file", file, key, value]),
            None => self.git(&["config", "--file", file, "--unset", key]),
        };
        let condition = format!("includeIf.gitdir:{}/.path", self.path.display());
        self.git(&["config", "--global", &condition, file]);
    }

    /// Plans a protocol with steps `One`, `Two`, … and returns its worktree.
    #[track_caller]
    pub(crate) fn plan(&self, title: &str, steps: &[&str]) -> Self {
        let mut args = vec!["plan", title];
        for step in steps {
            args.extend(["--step", step]);
        }
        let planned = self.json(&args);
        Self { world: self.world, path: planned["worktree"].as_str().unwrap().into() }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// As [`Self::write`], for what is to be run.
    pub(crate) fn write_executable(&self, file: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        self.write(file, text);
        std::fs::set_permissions(self.path.join(file), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Commits a gate, with whatever else is there, and pushes it.
    #[track_caller]
    pub(crate) fn commit_gate(&self, file: &str, script: &str) {
        self.write_executable(&format!("scripts/ci/{file}"), script);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", "ci: a gate"]);
        self.git(&["push", "--quiet", "origin", "HEAD"]);
    }

    /// Returns the lines of a stream. Where one of its segments ends is up to the lines.
    pub(crate) fn lines_of(&self, stream: &str) -> String {
        let segments = self.git(&["ls-tree", "--name-only", &format!("{stream}:events")]);
        segments.lines().map(|segment| self.git(&["show", &format!("{stream}:events/{segment}")])).collect()
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path.join(file)).unwrap()
    }

    /// Writes a file and commits it with the user's own git, hooks included.
    #[track_caller]
    pub(crate) fn commit(&self, file: &str, message: &str) -> String {
        self.write(file, &format!("{message}\n"));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Ticks all boxes of a step file, without committing.
    pub(crate) fn tick(&self, name: &str, step: &str) {
        let file = format!(".protocols/{name}/{step}.md");
        self.write(&file, &self.read(&file).replace("- [ ]", "- [x]"));
    }

    /// Ids of all events that a stream of this clone holds, by `log --json --all`.
    pub(crate) fn event_ids(&self, name: &str) -> Vec<String> {
        let text = self.godzilla_ok(&["log", name, "--json"]);
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        text.lines().map(id).collect()
    }

    /// Statuses of all steps, in order.
    pub(crate) fn statuses(&self, name: &str) -> Vec<String> {
        let shown = self.json(&["show", name]);
        let steps = shown["steps"].as_array().unwrap();
        steps.iter().map(|step| step["status"].as_str().unwrap().to_owned()).collect()
    }
}

/// Anybody but root, who can read everything: everything of a world is its own.
pub(crate) struct Nobody<'w> {
    world: &'w World,
    program: PathBuf,
    is_root: bool,
}

impl<'w> Nobody<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        let program = world.path().join("git-godzilla");
        // By another process: a child that another test starts meanwhile would hold it open for writing.
        assert_eq!(run(world.command("cp").arg(BIN).arg(&program)).code, Some(0));
        world.place("").git(&["config", "--global", "safe.directory", "*"]);
        let nobody = Self { world, program, is_root: rustix::process::geteuid().is_root() };
        nobody.take();
        nobody
    }

    /// Takes over what was made since.
    pub(crate) fn take(&self) {
        let chown = || run(self.world.command("chown").args(["-R", "65534:65534"]).arg(self.world.path()));
        assert!(!self.is_root || chown().code == Some(0));
    }

    /// Runs the program in its name and returns the document that it prints.
    #[track_caller]
    pub(crate) fn json(&self, place: &Place<'_>, args: &[&str]) -> Value {
        let mut command = if self.is_root { place.command("setpriv") } else { place.command(&self.program) };
        if self.is_root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.program);
        }
        let shown = run(command.args(args).arg("--json"));
        serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"))
    }
}

/// Makes a folder in memory, where the system offers that: nobody waits for a disk then.
pub(crate) fn dir_in_memory() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    let is_fit = rustix::fs::statvfs(MEMORY).is_ok_and(|it| {
        let has_room = it.f_bavail.saturating_mul(it.f_frsize) > ROOM_IN_MEMORY;
        has_room && !it.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC)
    });
    let dir = if is_fit { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() };
    dir.or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies what is in a folder into another one.
pub(crate) fn copy(from: &Path, to: &Path) {
    let from = format!("{}/.", from.display());
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Runs `test` with all cases at once: for those that mostly wait.
pub(crate) fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let test = &test;
        for case in cases {
            scope.spawn(move || test(case));
        }
    });
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Shown {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Shown {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code: status.code(),
    }
}

impl fmt::Display for Shown {
    /// Stdout, stderr and the exit code as one text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr ---\n{}", self.stderr)?;
        }
        match self.code {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "[exit code: {code}]"),
            None => writeln!(f, "[ended by a signal]"),
        }
    }
}
