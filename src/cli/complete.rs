//! What can follow the words that were typed: one answer for all shells.
//!
//! Commands, options and their values come from the definition of the command line; names of
//! protocols, steps, remotes and branches from the caller.

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::domain::text;
use crate::service::complete::Named;

/// What takes the place of the last word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) candidates: Vec<Named>,
    /// What else fits, which the shell knows best.
    pub(super) paths: Option<Paths>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    Any,
    Folders,
}

/// A kind of name that only the repository knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Protocol,
    Step,
    Remote,
    Branch,
}

/// The words before the last one, understood as far as they go.
pub(super) struct Typed<'a> {
    root: &'a Command,
    command: &'a Command,
    /// Arguments with the values that they were given.
    given: Vec<(&'a Arg, String)>,
    /// The option whose value comes next.
    waiting: Option<&'a Arg>,
    n_positionals: usize,
    /// Whether `--` ended the options.
    is_escaped: bool,
    last: String,
    /// How much of `last` stands before the piece that the shell completes.
    n_before: usize,
}

impl<'a> Typed<'a> {
    /// Understands `words`, the last of which is to be completed and may be empty.
    pub(super) fn new(root: &'a Command, words: &[String]) -> Self {
        let (mut words, n_before) = join(words);
        let last = words.pop().unwrap_or_default();
        let mut typed = Self {
            root,
            command: root,
            given: Vec::new(),
            waiting: None,
            n_positionals: 0,
            is_escaped: false,
            last,
            n_before,
        };
        for word in &words {
            typed.take(word);
        }
        typed
    }

    /// Returns the value that was given to an argument.
    pub(super) fn value(&self, id: &str) -> Option<&str> {
        let mut given = self.given.iter().rev();
        given.find(|(arg, _)| arg.get_id() == id).map(|(_, value)| value.as_str())
    }

    fn take(&mut self, word: &str) {
        if let Some(arg) = self.waiting.take() {
            self.given.push((arg, word.to_owned()));
        } else if self.is_escaped {
            self.take_positional(word);
        } else if word == "--" {
            self.is_escaped = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(name));
            self.take_option(arg, value);
        } else if let Some(shorts) = word.strip_prefix('-').filter(|shorts| !shorts.is_empty()) {
            self.take_shorts(shorts);
        } else if let Some(command) = self.command.find_subcommand(word) {
            self.command = command;
            self.n_positionals = 0;
        } else {
            self.take_positional(word);
        }
    }

    fn take_shorts(&mut self, shorts: &str) {
        for (idx, c) in shorts.char_indices() {
            let arg = self.command.get_arguments().find(|arg| arg.get_short() == Some(c));
            let rest = &shorts[idx + c.len_utf8()..];
            let takes_rest = arg.is_some_and(takes_value) && !rest.is_empty();
            self.take_option(arg, takes_rest.then(|| rest.strip_prefix('=').unwrap_or(rest)));
            if takes_rest {
                break;
            }
        }
    }

    fn take_option(&mut self, arg: Option<&'a Arg>, value: Option<&str>) {
        let Some(arg) = arg else { return };
        match value {
            None if takes_value(arg) => self.waiting = Some(arg),
            value => self.given.push((arg, value.unwrap_or_default().to_owned())),
        }
    }

    fn take_positional(&mut self, word: &str) {
        if let Some(arg) = self.positional() {
            self.given.push((arg, word.to_owned()));
            self.n_positionals += 1;
        }
    }

    /// The positional argument that the next word is for.
    fn positional(&self) -> Option<&'a Arg> {
        if let Some(last) = self.command.get_positionals().find(|arg| arg.is_last_set() && self.is_escaped) {
            return Some(last);
        }
        let mut positionals = self.command.get_positionals().filter(|arg| !arg.is_last_set());
        let repeated = || self.command.get_positionals().last().filter(|arg| takes_many(arg));
        positionals.nth(self.n_positionals).or_else(repeated)
    }

    /// Returns what fits; `names` tells the names of a kind.
    pub(super) fn answer(&self, names: &dyn Fn(Kind) -> Vec<Named>) -> Answer {
        if let Some(arg) = self.waiting {
            return self.values(arg, "", names);
        }
        if !self.is_escaped && self.last.starts_with('-') {
            let option = self.last.strip_prefix("--").and_then(|long| long.split_once('='));
            let Some((name, _)) = option else { return self.fitting(self.options()) };
            let arg =
                self.command.get_arguments().find(|arg| arg.get_long() == Some(name) && takes_value(arg));
            return arg.map(|arg| self.values(arg, &format!("--{name}="), names)).unwrap_or_default();
        }
        if self.command.has_subcommands() {
            return self.fitting(commands(self.command));
        }
        self.positional().map(|arg| self.values(arg, "", names)).unwrap_or_default()
    }

    fn values(&self, arg: &Arg, before: &str, names: &dyn Fn(Kind) -> Vec<Named>) -> Answer {
        let known = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
        let mut values: Vec<Named> = known
            .map(|value| Named {
                name: value.get_name().to_owned(),
                about: value.get_help().map(ToString::to_string).unwrap_or_default(),
            })
            .collect();
        if let Some(kind) = kind(arg) {
            values = names(kind);
        } else if arg.get_id() == PAGE {
            values = commands(self.root);
        }
        for value in &mut values {
            value.name.insert_str(0, before);
        }
        Answer { paths: paths(arg), ..self.fitting(values) }
    }

    fn options(&self) -> Vec<Named> {
        let is_given = |arg: &Arg| self.given.iter().any(|(given, _)| given.get_id() == arg.get_id());
        let is_repeated = |arg: &Arg| matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        let excludes = |one: &Arg, other: &Arg| {
            self.command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
        };
        let is_excluded =
            |arg: &Arg| self.given.iter().any(|(given, _)| excludes(given, arg) || excludes(arg, given));
        let options = self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
        let open = options.filter(|arg| (is_repeated(arg) || !is_given(arg)) && !is_excluded(arg));
        let name = |arg: &Arg| match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => Some(format!("--{long}")),
            (None, short) => short.map(|short| format!("-{short}")),
        };
        open.filter_map(|arg| Some(Named { name: name(arg)?, about: about(arg.get_help()) })).collect()
    }

    /// Keeps what begins as the last word does and can be typed as it is in every shell.
    fn fitting(&self, mut candidates: Vec<Named>) -> Answer {
        candidates.retain(|found| found.name.starts_with(&self.last) && found.name.chars().all(is_plain));
        for found in &mut candidates {
            found.name.drain(..self.n_before);
            found.about = text::clip(&text::one_line(&found.about), 80);
        }
        Answer { candidates, paths: None }
    }
}

/// The argument that names a command of ours.
const PAGE: &str = "page";

/// The kind of names that an argument takes; commands keep to these ids.
fn kind(arg: &Arg) -> Option<Kind> {
    let value_name = arg.get_value_names().and_then(|names| names.first());
    match (arg.get_id().as_str(), value_name.map(clap::builder::Str::as_str)) {
        ("protocol", _) => Some(Kind::Protocol),
        ("name", _) if arg.is_positional() => Some(Kind::Protocol),
        ("step", _) => Some(Kind::Step),
        ("remote", _) => Some(Kind::Remote),
        ("branch", _) | (_, Some("BRANCH")) => Some(Kind::Branch),
        _ => None,
    }
}

fn paths(arg: &Arg) -> Option<Paths> {
    match arg.get_value_hint() {
        ValueHint::DirPath => Some(Paths::Folders),
        ValueHint::AnyPath | ValueHint::FilePath => Some(Paths::Any),
        // A command line of somebody else's.
        _ if arg.is_last_set() => Some(Paths::Any),
        _ => None,
    }
}

fn commands(parent: &Command) -> Vec<Named> {
    let shown = parent.get_subcommands().filter(|command| !command.is_hide_set());
    shown
        .map(|command| Named { name: command.get_name().to_owned(), about: about(command.get_about()) })
        .collect()
}

fn about(said: Option<&clap::builder::StyledStr>) -> String {
    said.map(ToString::to_string).unwrap_or_default()
}

fn takes_value(arg: &Arg) -> bool {
    arg.is_positional() || arg.get_action().takes_values()
}

fn takes_many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// Whether no shell sees more in it than a letter.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./+@,=~".contains(c)
}

/// Puts together what bash took apart at `=` and `:`; with how much of the last word it does not
/// look at.
fn join(words: &[String]) -> (Vec<String>, usize) {
    let mut joined: Vec<String> = Vec::new();
    let mut n_before = 0;
    let mut after_break = false;
    for word in words {
        let is_break = !word.is_empty() && word.chars().all(|c| matches!(c, '=' | ':'));
        match joined.last_mut() {
            Some(last) if is_break || after_break => {
                n_before = last.len() + if is_break { word.len() } else { 0 };
                last.push_str(word);
            }
            _ => {
                n_before = 0;
                joined.push(word.clone());
            }
        }
        after_break = is_break;
    }
    (joined, n_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(words: &[&str]) -> Answer {
        let root = crate::cli::definition();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let typed = Typed::new(&root, &words);
        typed.answer(&|kind| {
            let names: &[&str] = match kind {
                Kind::Protocol => &["0001-add-a-login-page", "0002-fix-the-till", "$(reboot)", "a b", "x\ny"],
                Kind::Step => &["00-setup", "01-the-form"],
                Kind::Remote => &["origin"],
                Kind::Branch => &["main", "topic/one"],
            };
            let named =
                |name: &&str| Named { name: (*name).to_owned(), about: "\u{1b}[2Jsaid\tso".to_owned() };
            names.iter().map(named).collect()
        })
    }

    #[track_caller]
    fn assert_offered(words: &[&str], want: &[&str]) {
        let answer = answer(words);
        let names: Vec<&str> = answer.candidates.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, want, "{words:?}");
    }

    #[test]
    fn commands_options_and_values_come_from_the_definition() {
        assert_offered(&["sk"], &["skip"]);
        assert_offered(&["hooks", "in"], &["install"]);
        assert_offered(&["plan", "--qa", ""], &["skip", "light", "full"]);
        assert_offered(&["plan", "--qa=l"], &["--qa=light"]);
        assert_offered(&["--color", "n"], &["never"]);
        assert_offered(&["plan", "--dr"], &["--dry-run"]);
        assert_offered(&["man", "pla"], &["plan"]);
        assert_offered(&["hoo"], &["hooks"]);
        assert_offered(&["no-such", "--x"], &[]);
        assert_offered(&[], &answer(&[""]).candidates.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn names_come_where_a_name_is_meant_and_hostile_ones_never() {
        const BOTH: &[&str] = &["0001-add-a-login-page", "0002-fix-the-till"];
        assert_offered(&["show", ""], BOTH);
        assert_offered(&["start", "-p", ""], BOTH);
        assert_offered(&["start", "--protocol=0002"], &["--protocol=0002-fix-the-till"]);
        assert_offered(&["start", "-p", "1", "01"], &["01-the-form"]);
        assert_offered(&["-C", "show", "start", "0"], &["00-setup", "01-the-form"]);
        assert_offered(&["explain", "1", "--step", ""], &["00-setup", "01-the-form"]);
        assert_offered(&["sync", ""], &["origin"]);
        assert_offered(&["plan", "x", "--base", "t"], &["topic/one"]);
        assert_offered(&["plan", ""], &[]);
        assert_offered(&["show", "1", ""], &[]);
        assert_eq!(answer(&["sync", ""]).candidates[0].about, "said so");
    }

    #[test]
    fn an_option_is_offered_once_and_not_beside_what_excludes_it() {
        let long =
            |words: &[&str]| answer(words).candidates.into_iter().map(|found| found.name).collect::<Vec<_>>();
        let all = long(&["plan", "--"]);
        for name in ["--from", "--step", "--json", "--help"] {
            assert!(all.iter().any(|found| found == name), "{name} in {all:?}");
        }
        assert!(!long(&["plan", "--json", "--"]).contains(&"--json".to_owned()));
        let beside = long(&["plan", "--step", "One", "--"]);
        assert!(
            beside.contains(&"--step".to_owned()) && !beside.contains(&"--from".to_owned()),
            "{beside:?}"
        );
        assert_offered(&["plan", "--", "--fr"], &[]);
    }

    #[test]
    fn paths_are_left_to_the_shell() {
        for (words, want) in [
            (&["plan", "--from", ""][..], Some(Paths::Any)),
            (&["ci-report", "--output=re"], Some(Paths::Any)),
            (&["ci-report", "--", "make", ""], Some(Paths::Any)),
            (&["demo", "--keep", ""], Some(Paths::Folders)),
            (&["-C", ""], Some(Paths::Folders)),
            (&["show", ""], None),
            (&["plan", ""], None),
        ] {
            assert_eq!(answer(words).paths, want, "{words:?}");
        }
    }

    #[test]
    fn what_bash_took_apart_is_one_word() {
        assert_offered(&["plan", "--qa", "=", "l"], &["light"]);
        assert_offered(&["plan", "--qa", "="], &["skip", "light", "full"]);
        assert_offered(
            &["ci-report", "--url", "https", ":", "//ci/1", "-p", "0001"],
            &["0001-add-a-login-page"],
        );
        assert_offered(&["=", ""], &[]);
        assert_offered(&[":"], &[]);
    }
}
