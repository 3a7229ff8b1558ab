//! Messages: the same commit with our hooks and without differs in tag and trailer alone.

use super::{Life, git_with, message, script, with_each_git, without_ours};
use crate::support::{Shown, World};

/// One way to commit.
#[derive(Clone, Copy, Default)]
struct Case<'a> {
    args: &'a [&'a str],
    config: &'a [&'a str],
    /// What the editor does, as shell; `$1` is the file.
    editor: Option<&'a str>,
    /// The tag is to be there, the trailer is to be there.
    tagged: bool,
    trailed: bool,
}

const OURS: Case<'_> = Case { args: &[], config: &[], editor: None, tagged: true, trailed: true };
const ABORTED: Case<'_> = Case { args: &[], config: &[], editor: None, tagged: false, trailed: false };

/// Puts a text above what git wrote into the file.
const TYPE: &str = r#"{ printf 'fix: typed\n\nA body.\n'; cat "$1"; } >"$1.new" && mv "$1.new" "$1""#;
/// The same for a text that begins with git's own comment character.
const TYPE_HASH: &str = r#"{ printf '#12 typed\n'; cat "$1"; } >"$1.new" && mv "$1.new" "$1""#;

/// Commits without our hooks, takes it back, and commits again with them.
#[track_caller]
fn compare(world: &World, life: &Life<'_>, case: Case<'_>) -> Option<String> {
    let editor = script(world, "editor", case.editor.unwrap_or("exit 0"));
    let try_it = |godzilla: &str| -> (Shown, Option<String>) {
        let before = life.head();
        life.work.write("code.txt", &format!("{:?}{:?}\n", case.args, case.config));
        life.work.git(&["add", "--all"]);
        let mut args: Vec<&str> = case.config.iter().flat_map(|setting| ["-c", setting]).collect();
        args.push("commit");
        args.extend(case.args);
        let shown = git_with(&life.work, &[("GODZILLA", godzilla), ("GIT_EDITOR", &editor)], None, &args);
        let after = life.head();
        let said = (after != before).then(|| message(&life.work, "HEAD"));
        life.work.git(&["reset", "--quiet", "--hard", &before]);
        (shown, said)
    };
    let (plain, without) = try_it("0");
    let (hooked, with) = try_it("1");
    let what = format!("{:?} {:?}\n--- without\n{plain}\n--- with\n{hooked}", case.args, case.config);
    assert_eq!(plain.code, hooked.code, "{what}");
    assert_eq!(with.is_some(), case.trailed, "{what}");
    let (Some(without), Some(with)) = (&without, &with) else {
        assert_eq!(without, with, "{what}");
        return None;
    };
    assert_eq!(without_ours(with), without_ours(without), "{what}");
    assert_eq!(with.contains("[protocol-0001/01]"), case.tagged, "{with}");
    let trailers = life.work.git(&["interpret-trailers", "--parse", script_file(world, with)]);
    assert_eq!(trailers.matches("Godzilla-Step: 0001-add-a-login-page/01-one").count(), 1, "{with}");
    Some(with.clone())
}

/// Puts a text into a file that git can be given.
fn script_file<'w>(world: &'w World, text: &str) -> &'w str {
    let path = world.path().join("message.txt");
    std::fs::write(&path, text).unwrap();
    Box::leak(path.to_str().unwrap().to_owned().into_boxed_str())
}

#[test]
fn only_tag_and_trailer_are_added() {
    with_each_git(|world| {
        let life = Life::begin(world);
        std::fs::write(world.path().join("home/message"), "fix: from a file\n\nBody.\n\nReviewed-by: Bo\n")
            .unwrap();
        let file = world.path().join("home/message");
        let file = file.to_str().unwrap();
        for case in [
            Case { args: &["-m", "fix: x"], ..OURS },
            Case { args: &["-m", "fix: x", "-m", "A body.", "-m", "Reviewed-by: Bo"], ..OURS },
            Case { args: &["-F", file], ..OURS },
            Case { args: &["-F", file, "--signoff"], ..OURS },
            Case { args: &["-m", "fix: x", "--trailer", "Refs: 12"], ..OURS },
            Case { args: &["-m", "#12 fix"], ..OURS },
            Case { args: &["-m", "; not a comment"], ..OURS },
            Case { args: &["-m", "fix: x\n# kept without an editor"], ..OURS },
            Case { args: &["-m", "fix: x", "--no-verify"], ..OURS },
            Case { args: &["-m", "fix: x", "--cleanup=verbatim"], ..OURS },
            Case { args: &["-m", "fix: x\n\n\n\nend  ", "--cleanup=whitespace"], ..OURS },
            Case { args: &["-m", "#12 fix\n\nfix: y"], config: &["commit.cleanup=strip"], ..OURS },
            Case { args: &[], editor: Some(TYPE), ..OURS },
            Case { args: &["-v"], editor: Some(TYPE), ..OURS },
            Case { args: &["-v"], editor: Some(TYPE), config: &["core.commentChar=;"], ..OURS },
            Case { args: &[], editor: Some(TYPE), config: &["commit.verbose=2"], ..OURS },
            Case { args: &[], editor: Some(TYPE_HASH), config: &["core.commentChar=;"], ..OURS },
            Case { args: &[], editor: Some(TYPE_HASH), config: &["core.commentChar=auto"], ..ABORTED },
            Case { args: &[], editor: Some(TYPE), config: &["core.commentChar=auto"], ..OURS },
            Case { args: &["-e", "-m", "#12 fix"], config: &["core.commentChar=auto"], ..OURS },
            Case { args: &["-e", "-v", "-m", "#12 fix\n;x"], config: &["core.commentChar=auto"], ..OURS },
            Case { args: &["-e", "-m", "fix: x\n# c"], ..OURS },
            Case { args: &[], editor: Some(TYPE), config: &["commit.cleanup=scissors"], ..OURS },
            Case { args: &["-e", "-m", "fix: x"], config: &["commit.cleanup=whitespace"], ..OURS },
            Case { args: &["-e", "-m", "fix: x"], config: &["commit.cleanup=verbatim"], ..OURS },
            Case { args: &["-e", "-m", "fix: x"], config: &["commit.status=false"], ..OURS },
            Case { args: &["-m", "fixup! fix: x"], tagged: false, ..OURS },
            Case { args: &["-m", "Revert \"x\""], tagged: false, ..OURS },
            Case { args: &["--allow-empty-message", "-m", "fix: x"], ..OURS },
        ] {
            compare(world, &life, case);
        }
        assert_eq!(life.of_step("01-one"), [""; 0], "all was taken back");
        life.assert_sound();
    });
}

#[test]
fn what_git_aborts_on_is_still_aborted() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let template = world.path().join("home/template");
        std::fs::write(&template, "fix: say what\n\n# a hint\n").unwrap();
        let from_template = format!("commit.template={}", template.to_str().unwrap());
        for case in [
            Case { args: &["-m", ""], ..ABORTED },
            Case { args: &["-m", " \n\n"], ..ABORTED },
            Case { args: &[], ..ABORTED },
            Case { args: &["-v"], ..ABORTED },
            Case { args: &["-e", "-m", "# only a comment"], ..ABORTED },
            Case { args: &["-e", "-m", "; only a comment"], config: &["core.commentChar=;"], ..ABORTED },
            Case { args: &["-m", "# only a comment"], config: &["commit.cleanup=strip"], ..ABORTED },
            Case { args: &["-s"], ..ABORTED },
            Case { args: &["-m", "fix: x"], editor: Some("exit 1"), ..OURS },
            Case { args: &["-e", "-m", "fix: x"], editor: Some("exit 1"), ..ABORTED },
            Case { args: &["-e", "-m", "fix: x"], editor: Some(": >\"$1\""), ..ABORTED },
            Case { args: &[], config: &[&from_template], ..ABORTED },
            Case { args: &[], config: &[&from_template, "commit.verbose=true"], ..ABORTED },
        ] {
            compare(world, &life, case);
        }
        // On the command line git takes the same words.
        let said = Case { args: &["-m", "fix: say what"], config: &[&from_template], ..OURS };
        compare(world, &life, said);
        // A template that somebody did edit is a message as any other.
        let edited =
            Case { editor: Some("sed -i 's/say what/it works/' \"$1\""), config: &[&from_template], ..OURS };
        let said = compare(world, &life, edited).unwrap();
        assert!(said.starts_with("fix: it works [protocol-0001/01]\n"), "{said}");
    });
}

/// `core.commentString` counts from the git that knows it on.
#[test]
fn a_comment_string_of_several_characters_is_known() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let config = &["core.commentString=//"];
        compare(world, &life, Case { editor: Some(TYPE), config, ..OURS });
        compare(world, &life, Case { args: &["-v"], editor: Some(TYPE), config, ..OURS });
        // The last one set wins.
        let config = &["core.commentString=//", "core.commentChar=%"];
        compare(world, &life, Case { args: &["-v"], editor: Some(TYPE), config, ..OURS });
    });
}

#[test]
fn the_tag_can_be_left_out() {
    with_each_git(|world| {
        let life = Life::begin(world);
        life.home.git(&["config", "godzilla.commit.tag", "off"]);
        let case = Case { args: &["-m", "fix: x"], tagged: false, ..OURS };
        let said = compare(world, &life, case).unwrap();
        assert_eq!(said.trim_end(), "fix: x\n\nGodzilla-Step: 0001-add-a-login-page/01-one");
    });
}

#[test]
fn what_is_added_is_exact() {
    with_each_git(|world| {
        let life = Life::begin(world);
        let said = |case| compare(world, &life, case).unwrap();
        assert_eq!(
            said(Case { args: &["-m", "fix: x"], ..OURS }).trim_end(),
            "fix: x [protocol-0001/01]\n\nGodzilla-Step: 0001-add-a-login-page/01-one"
        );
        assert_eq!(
            said(Case { args: &["-m", "fix: x", "-m", "Refs: 1"], ..OURS }).trim_end(),
            "fix: x [protocol-0001/01]\n\nRefs: 1\nGodzilla-Step: 0001-add-a-login-page/01-one"
        );
        assert_eq!(
            said(Case { args: &["-m", "#12 fix"], ..OURS }).trim_end(),
            "#12 fix [protocol-0001/01]\n\nGodzilla-Step: 0001-add-a-login-page/01-one"
        );
    });
}

/// A plain commit is left to commit-msg alone, but only if that is really called.
#[test]
fn either_of_the_two_hooks_is_enough() {
    with_each_git(|world| {
        for (gone, by_alias) in [("commit-msg", false), ("prepare-commit-msg", false), ("", true)] {
            let life = Life::begin(world);
            life.home.git(&["config", "alias.ci", "commit --quiet"]);
            if !gone.is_empty() {
                std::fs::remove_file(life.home.path.join(".git/hooks").join(gone)).unwrap();
            }
            let verb: &[&str] = if by_alias { &["ci"] } else { &["commit", "--quiet"] };
            let before = life.head();
            life.work.write("code.txt", gone);
            life.work.git(&["add", "--all"]);
            life.work.git(&[verb, &["-m", "fix: x"]].concat());
            let said = message(&life.work, "HEAD");
            assert_eq!(
                said.trim_end(),
                "fix: x [protocol-0001/01]\n\nGodzilla-Step: 0001-add-a-login-page/01-one",
                "without {gone}"
            );
            // A copied commit runs prepare-commit-msg alone.
            let copied = life.head();
            life.work.git(&["reset", "--quiet", "--hard", &before]);
            life.work.git(&["cherry-pick", &copied]);
            assert_eq!(message(&life.work, "HEAD"), said);
            std::fs::remove_dir_all(&life.home.path).unwrap();
        }
    });
}
