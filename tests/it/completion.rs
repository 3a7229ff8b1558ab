//! Completion in real shells. A shell that is not here is said to be skipped; `.ci/run` installs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::schemas::assert_valid;
use crate::support::{Place, World, run};

const LOGIN: &str = "0001-add-a-login-page";
const TILL: &str = "0002-fix-the-till";

/// A clone with two protocols, and the script of a shell in its folder.
fn set_up<'w>(world: &'w World, shell: &str) -> Place<'w> {
    let a = world.clone("a");
    a.plan("Add a login page", &["The form", "The API"]);
    a.plan("Fix the till", &[]);
    a.godzilla_ok(&["completions", shell, "--install"]);
    a
}

/// Whether a program runs here; says so if not.
fn is_here(world: &World, program: &str) -> bool {
    let is_here =
        world.command(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_here {
        println!("skipped: there is no {program} here");
    }
    is_here
}

fn bash_completion() -> Option<PathBuf> {
    let roots = ["/usr/share", "/usr/local/share", "/opt/homebrew/share"].map(Path::new);
    let script =
        roots.map(|root| root.join("bash-completion/bash_completion")).into_iter().find(|path| path.exists());
    if script.is_none() {
        println!("skipped: there is no bash-completion here");
    }
    script
}

/// Asks `function` as readline would, and returns what bash would offer.
#[track_caller]
fn ask_bash(place: &Place<'_>, script: &Path, function: &str, words: &[&str]) -> Vec<String> {
    const ASK: &str = r#"
        . "$1"; function=$2; shift 2
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMPREPLY=()
        declare -F "$function" >/dev/null || _completion_loader "$1"
        "$function" "$1" "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
        ((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"; exit 0"#;
    let mut command = place.command("bash");
    command.args(["--norc", "-c", ASK, "bash"]).arg(script).arg(function).args(words);
    let shown = run(&mut command);
    assert!(shown.code == Some(0) && shown.stderr.is_empty(), "{words:?}\n{shown}");
    shown.stdout.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn bash_completes_both_ways_of_calling_us() {
    let world = World::new();
    let Some(script) = bash_completion() else { return };
    let a = set_up(&world, "bash");
    let git = |words: &[&str]| ask_bash(&a, &script, "__git_wrap__git_main", words);
    if git(&["git", "commi"]).is_empty() {
        println!("skipped: there is no completion of git here");
    } else {
        assert_eq!(git(&["git", "godz"]), ["godzilla"]);
        assert_eq!(git(&["git", "godzilla", "sk"]), ["skip"]);
        assert_eq!(git(&["git", "godzilla", "show", ""]), [LOGIN, TILL]);
        assert_eq!(git(&["git", "godzilla", "start", "-p", "1", "01"]), ["01-the-form"]);
        assert_eq!(git(&["git", "godzilla", "plan", "--qa", "=", "f"]), ["full"]);
        let elsewhere = world.place("home");
        let words = ["git", "-C", "../a", "godzilla", "show", "0002"];
        assert_eq!(ask_bash(&elsewhere, &script, "__git_wrap__git_main", &words), [TILL]);
    }
    let ours = |words: &[&str]| ask_bash(&a, &script, "__git_godzilla_main", words);
    assert_eq!(ours(&["git-godzilla", "sk"]), ["skip"]);
    assert_eq!(ours(&["git-godzilla", "show", "0001"]), [LOGIN]);
    assert_eq!(ours(&["git-godzilla", "plan", "--qa", "="]), ["skip", "light", "full"]);
    assert_eq!(ours(&["git-godzilla", "plan", "--from", ""]), [""; 0], "paths are readline's");
}

#[test]
fn fish_completes_both_ways_of_calling_us() {
    let world = World::new();
    if !is_here(&world, "fish") {
        return;
    }
    let a = set_up(&world, "fish");
    let ask = |line: &str| {
        let shown = run(a.command("fish").args(["-c", "complete -C $argv[1]", line]));
        assert!(shown.stderr.is_empty(), "{line}\n{shown}");
        shown.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let login = format!("{LOGIN}\tplanned: Add a login page");
    let till = format!("{TILL}\tplanned: Fix the till");
    assert_eq!(ask("git godzilla sk"), ["skip\tGive a step up; the next one's turn comes"]);
    assert_eq!(ask("git godzilla show "), [login.as_str(), &till]);
    assert_eq!(ask("git -C . godzilla show 0002"), [till.as_str()]);
    assert_eq!(ask("git-godzilla show 0001"), [login.as_str()]);
    assert_eq!(ask("git godzilla start -p 1 01"), ["01-the-form\tpending: The form"]);
    assert_eq!(ask("git godzilla plan --qa=f"), ["--qa=full\tEvery gate"]);
    assert_eq!(ask("git godzilla plan --from REA"), ["README"]);
    assert_eq!(ask("git godzilla show REA"), [""; 0]);
    assert!(ask("git godz")[0].starts_with("godzilla"));
}

/// Types into a zsh of its own, presses the key that completes, and reads back the line.
#[test]
fn zsh_completes_both_ways_of_calling_us() {
    const ZSHRC: &str = r"PS1= PS2= fpath=(~/.local/share/zsh/site-functions $fpath)
        autoload -Uz compinit && compinit -D -u
        complete-and-say() { zle complete-word; print -r -- '<<'$BUFFER'>>'; BUFFER= }
        zle -N complete-and-say; bindkey '^T' complete-and-say";
    const TYPE: &str = r"zmodload zsh/zpty || exit 77
        zpty z zsh -d -i
        for line; do
          zpty -w -n z $line$'\C-t'; zpty -r z out '*<<*>>*' || exit 1
          print -r -- ${${out##*<<}%%>>*}
        done; zpty -d z";
    let world = World::new();
    if !is_here(&world, "zsh") {
        return;
    }
    let a = set_up(&world, "zsh");
    world.place("home").write(".zshrc", ZSHRC);
    let lines = [
        ("git godzilla sk", "git godzilla skip "),
        ("git godzilla show 0002", "git godzilla show 0002-fix-the-till "),
        ("git-godzilla start -p 1 01", "git-godzilla start -p 1 01-the-form "),
        ("git godzilla plan --qa=f", "git godzilla plan --qa=full "),
        ("git godzilla plan --from REA", "git godzilla plan --from README "),
        ("git godzilla show REA", "git godzilla show REA"),
        ("git godz", "git godzilla "),
    ];
    let typed = lines.map(|(typed, _)| typed);
    let shown = run(a.command("zsh").args(["-f", "-c", TYPE, "zsh"]).args(typed).env("TERM", "dumb"));
    if shown.code == Some(77) {
        println!("skipped: this zsh has no zpty");
        return;
    }
    let want: Vec<&str> = lines.iter().map(|(_, want)| *want).collect();
    assert_eq!(shown.stdout.lines().collect::<Vec<_>>(), want, "{shown}");
}

#[test]
fn pressing_a_key_writes_nothing_and_outside_says_nothing() {
    let world = World::new();
    let a = world.clone("a");
    a.plan("Add a login page", &[]).git(&["push", "--quiet", "origin", "HEAD"]);
    let b = world.clone("b");
    a.plan("Fix the till", &[]).git(&["push", "--quiet", "origin", "HEAD"]);
    b.git(&["fetch", "--quiet"]);
    b.git(&["update-ref", "refs/godzilla/protocols/0003-$(reboot)", "HEAD"]);
    let before = files(&b.path.join(".git"));
    let offered = b.godzilla_ok(&["__complete", "--", "show", ""]);
    assert_eq!(
        offered,
        format!("{LOGIN}\tplanned: Add a login page\n{TILL}\tplanned: Fix the till\n:none\n")
    );
    assert!(b.godzilla_ok(&["__complete", "--", "start", "-p", "2", ""]).contains("01-fix-the-till\t"));
    assert_eq!(b.godzilla_ok(&["__complete", "--", "start", "-p", "99", ""]), ":none\n");
    assert!(files(&b.path.join(".git")) == before, "a file of the repository changed");
    let home = world.place("home");
    for words in [&["show", ""][..], &["start", ""], &["-C", "absent", "show", ""], &["sync", ""]] {
        let shown = home.godzilla(&[&["__complete", "--"], words].concat());
        assert_eq!(shown.to_string(), ":none\n", "{words:?}");
    }
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
        }
    }
    found
}

#[test]
fn scripts_are_installed_once_and_never_over_a_foreign_file() {
    let world = World::new();
    let home = world.place("home");
    for (shell, file) in [
        ("bash", ".local/share/bash-completion/completions/git-godzilla"),
        ("zsh", ".local/share/zsh/site-functions/_git-godzilla"),
        ("fish", ".config/fish/conf.d/git-godzilla.fish"),
    ] {
        let script = home.godzilla_ok(&["completions", shell]);
        for (args, want) in [
            (&["--install"][..], "written"),
            (&["--install"], "unchanged"),
            (&["--uninstall"], "removed"),
            (&["--uninstall"], "unchanged"),
            (&[], "printed"),
        ] {
            let answer = home.json(&[&["completions", shell], args].concat());
            assert_valid("completions.v1", &answer);
            assert_eq!(answer["result"], want, "{answer:#}");
            assert_eq!(home.path.join(file).exists(), matches!(args, ["--install"]));
        }
        home.write(file, "# mine\n");
        let refused = home.godzilla(&["completions", shell, "--install"]);
        assert!(refused.code == Some(4) && home.read(file) == "# mine\n", "{refused}");
        home.write(file, &format!("{script}# of an older version\n"));
        home.godzilla_ok(&["completions", shell, "--install"]);
        assert_eq!(home.read(file), script);
        if is_here(&world, shell) {
            let check = if shell == "fish" { "--no-execute" } else { "-n" };
            let shown = run(home.command(shell).arg(check).arg(file));
            assert_eq!(shown.to_string(), "", "{shell}");
        }
    }
    let shown = run(home.command(crate::support::BIN).arg("completions").env("SHELL", "/bin/zsh"));
    assert!(shown.stdout.starts_with("#compdef git-godzilla\n"), "{shown}");
    assert_eq!(home.godzilla(&["completions"]).code, Some(2));
}
