//! What a terminal is shown: widths, signs, colours, the pager.

use insta::assert_snapshot;

use crate::support::terminal::run_on_terminal;
use crate::support::{BIN, Place, Shown, World, run};

const LONG: &str = "Add a login page that remembers who was here";

fn planned(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.plan(LONG, &["The form", "The API"]);
    a.plan("修理 the till of the shop in the old town", &[]);
    a.plan("Move the archive", &[]);
    a.godzilla_ok(&["start", "1", "-p", "2"]);
    a.godzilla_ok(&["block", "-p", "2", "--reason", "no key"]);
    a.godzilla_ok(&["start", "1", "-p", "1"]);
    a.godzilla_ok(&["cancel", "3"]);
    a
}

/// Runs the program on a terminal, with variables set.
fn show(place: &Place<'_>, size: (u16, u16), args: &[&str], vars: &[(&str, &str)]) -> Shown {
    let mut command = place.command(BIN);
    command.args(args).envs(vars.iter().copied());
    run_on_terminal(command, size.0, size.1)
}

#[test]
fn a_list_is_cut_to_the_terminal_and_never_when_piped() {
    let world = World::new();
    let a = planned(&world);
    let plain = &[("NO_COLOR", "1")];
    assert_snapshot!(show(&a, (160, 40), &["list"], plain), @r"
    ✗ 0002-the-till-of-the-shop-in-the-old-town     blocked    1/2  01-the-till-of-the-shop-in-the-old-town (blocked)  修理 the till of the shop in the old town
    ● 0001-add-a-login-page-that-remembers-who-was  running    1/3  01-the-form (running)                              Add a login page that remembers who was here
    – 0003-move-the-archive                         cancelled  1/2                                                     Move the archive
    ");
    assert_snapshot!(show(&a, (80, 40), &["list"], plain), @r"
    ✗ 0002-the-till-of-the-shop-in…  blocked    1/2  01-the-till-of…  修理 the till…
    ● 0001-add-a-login-page-that-r…  running    1/3  01-the-form (r…  Add a login p…
    – 0003-move-the-archive          cancelled  1/2                   Move the arch…
    ");
    assert_snapshot!(show(&a, (40, 40), &["list"], plain), @r"
    ✗ 0002-the…  block…  1/2  01-th…  修理…
    ● 0001-add…  runni…  1/3  01-th…  Add a…
    – 0003-mov…  cance…  1/2          Move…
    ");
    assert_snapshot!(show(&a, (80, 40), &["list"], &[("NO_COLOR", "1"), ("LC_ALL", "C")]), @r"
    x 0002-the-till-of-the-shop-in~  blocked    1/2  01-the-till-of~  修理 the till~
    * 0001-add-a-login-page-that-r~  running    1/3  01-the-form (r~  Add a login p~
    - 0003-move-the-archive          cancelled  1/2                   Move the arch~
    ");
    assert_snapshot!(a.godzilla(&["list"]), @r"
    ✗ 0002-the-till-of-the-shop-in-the-old-town     blocked    1/2  01-the-till-of-the-shop-in-the-old-town (blocked)  修理 the till of the shop in the old town
    ● 0001-add-a-login-page-that-remembers-who-was  running    1/3  01-the-form (running)                              Add a login page that remembers who was here
    – 0003-move-the-archive                         cancelled  1/2                                                     Move the archive
    ");
}

#[test]
fn steps_fit_the_terminal_and_ascii_does_for_all() {
    let world = World::new();
    let a = planned(&world);
    let table = |size, vars: &[(&str, &str)]| {
        let shown = show(&a, size, &["show", "1"], vars).stdout;
        let lines = shown.lines().skip_while(|line| !line.is_empty()).skip(1);
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(table((40, 40), &[("NO_COLOR", "1")]), @r"
      ✓ 00-setup     comple…  Set up  1 com…
    → ● 01-the-form  running  The f…
      ○ 02-the-api   pending  The A…
    ");
    assert_snapshot!(table((80, 40), &[("NO_COLOR", "1"), ("LC_ALL", ""), ("LANG", "en_US.ISO-8859-1")]), @r"
      + 00-setup     completed  Set up    1 commit
    > * 01-the-form  running    The form
      o 02-the-api   pending    The API
    ");
}

#[test]
fn colours_come_where_they_are_wanted() {
    let world = World::new();
    let a = planned(&world);
    let has_colour = |shown: Shown| {
        assert_eq!(shown.code, Some(0), "{shown}");
        shown.stdout.contains('\u{1b}')
    };
    for (args, vars, want) in [
        (&["list"][..], &[][..], true),
        (&["list"], &[("NO_COLOR", "1")], false),
        (&["list"], &[("NO_COLOR", "")], true),
        (&["list", "--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&["list", "--color", "always"], &[("NO_COLOR", "1")], true),
        (&["list", "--json"], &[("CLICOLOR_FORCE", "1")], false),
    ] {
        assert_eq!(has_colour(show(&a, (80, 40), args, vars)), want, "on a terminal: {args:?} {vars:?}");
    }
    for (args, vars, want) in [
        (&["list"][..], &[][..], false),
        (&["list"], &[("CLICOLOR_FORCE", "1")], true),
        (&["list"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&["list", "--color", "always"], &[], true),
        (&["list"], &[("GIT_PAGER_IN_USE", "true")], true),
        (&["list", "--json", "--color", "always"], &[], false),
    ] {
        let shown = run(a.command(BIN).args(args).envs(vars.iter().copied()));
        assert_eq!(has_colour(shown), want, "piped: {args:?} {vars:?}");
    }
}

#[test]
fn what_is_longer_than_the_screen_is_paged_as_git_would() {
    const MARK: &str = "sed s/^/P:/";
    let world = World::new();
    let a = planned(&world);
    let log = |rows, args: &[&str], vars: &[(&str, &str)]| {
        let shown = show(&a, (200, rows), &[&["log", "1"], args].concat(), vars);
        assert_eq!(shown.code, Some(0), "{vars:?}\n{shown}");
        shown.stdout
    };
    let whole = log(50, &[], &[("GIT_PAGER", MARK)]);
    assert!(whole.lines().count() > 4 && !whole.contains("P:"), "{whole}");
    let paged = log(4, &[], &[("GIT_PAGER", MARK), ("PAGER", "false")]);
    assert!(paged.lines().all(|line| line.starts_with("P:")), "{paged}");
    assert_eq!(paged.replace("P:", ""), whole);
    let said = log(4, &[], &[("PAGER", "echo $LESS $LV; cat")]);
    assert!(said.starts_with("FRX -c\n"), "{said}");
    let kept = log(4, &[], &[("PAGER", "echo $LESS $LV; cat"), ("LESS", "S")]);
    assert!(kept.starts_with("S -c\n"), "{kept}");

    // None is wanted, none can be started, or the person has seen enough.
    assert_eq!(log(4, &["--no-pager"], &[("GIT_PAGER", MARK)]), whole);
    for pager in ["", "cat"] {
        assert_eq!(log(4, &[], &[("GIT_PAGER", pager), ("PAGER", MARK)]), whole, "{pager:?}");
    }
    assert!(log(4, &[], &[("GIT_PAGER", "no-such-pager")]).ends_with(&whole));
    assert_eq!(log(4, &[], &[("GIT_PAGER", "true")]), "");

    let piped = run(a.command(BIN).args(["log", "1"]).env("GIT_PAGER", MARK));
    assert!(!piped.stdout.contains("P:"), "{piped}");
    for command in [&["show", "1"][..], &["list"], &["status"]] {
        let shown = show(&a, (200, 2), command, &[("GIT_PAGER", MARK)]);
        assert!(shown.stdout.starts_with("P:"), "{command:?}\n{shown}");
    }
}

/// A repository may be a stranger's, so its configuration starts nothing.
#[test]
fn a_pager_of_the_repository_is_never_run() {
    let world = World::new();
    let a = planned(&world);
    let log = |vars| show(&a, (200, 4), &["log", "1"], vars);
    a.git(&["config", "core.pager", "touch run; cat"]);
    a.write(".git/included", "[core]\n\tpager = touch run; cat\n");
    a.git(&["config", "include.path", "included"]);
    let vars = &[("PAGER", "sed s/^/P:/")];
    assert!(log(vars).stdout.starts_with("P:") && !a.path.join("run").exists());
    a.git(&["config", "--global", "core.pager", "sed s/^/G:/"]);
    assert!(log(vars).stdout.starts_with("G:") && !a.path.join("run").exists());
    let mut command = a.command("git");
    command.args(["-c", "core.pager=sed s/^/C:/", "godzilla", "log", "1"]).envs(vars.iter().copied());
    assert!(run_on_terminal(command, 200, 4).stdout.starts_with("C:"));
    let mut command = a.command("git");
    command.args(["--no-pager", "godzilla", "log", "1"]);
    assert!(!run_on_terminal(command, 200, 4).stdout.starts_with("G:"));
}

#[test]
fn a_reader_that_has_enough_ends_us_silently() {
    let world = World::new();
    let a = planned(&world);
    let shown = run(a.command("sh").args(["-c", "{ \"$0\" log 1; echo $? >&2; } | :", BIN]));
    assert_eq!(shown.stderr, "0\n");
}
