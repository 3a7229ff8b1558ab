//! A review in Markdown: the headings of its findings, and the line of its verdict.

use super::{Finding, Opinion, Severity, Word, actions_of, bounded, summary_of};

/// What may stand before a word that means something.
const MARKS: &[char] = &['#', '*', '-', '>', '_', ' ', '\t'];

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Summary,
    Findings(Severity),
    NextActions,
    Verdict,
    Other,
}

/// What the lines before the one that is read have come to.
#[derive(Default)]
struct Reading {
    summary: Vec<String>,
    findings: Vec<(Severity, String)>,
    actions: Vec<String>,
    verdicts: Vec<Word>,
    /// Whether a finding or action may go on in the next line.
    is_open: bool,
}

pub(super) fn read(answer: &str) -> Opinion {
    let lines = unfenced(answer);
    let mut reading = Reading::default();
    let mut section = Section::Summary;
    for line in &lines {
        let is_verdict = verdict_rest(line);
        if section == Section::Verdict && is_verdict.is_none() && heading(line).is_none() {
            if let Some(word) = words(line).first().map(|_| word_of(line)) {
                reading.verdicts.push(word);
                section = Section::Other;
            }
            continue;
        }
        if let Some(rest) = is_verdict {
            if words(rest).is_empty() {
                section = Section::Verdict;
            } else {
                reading.verdicts.push(word_of(rest));
                section = Section::Other;
            }
            reading.is_open = false;
        } else if let Some((next, rest)) = heading(line) {
            section = next;
            reading.is_open = false;
            if !rest.is_empty() {
                reading.take(section, rest, true);
            }
        } else {
            let is_item = is_item(line) || !line.starts_with([' ', '\t']) && !reading.is_open;
            reading.take(section, line, is_item);
        }
    }
    // A heading without a word below it is a verdict that says nothing.
    if section == Section::Verdict {
        reading.verdicts.push(Word::None);
    }
    let findings = reading.findings.iter().filter_map(|(severity, said)| {
        let (path, line) = place(said).map_or((None, None), |(path, line)| (Some(path), line));
        Finding::new(*severity, path, line, said)
    });
    Opinion {
        said: verdict(&reading.verdicts),
        summary: summary_of(&reading.summary.join("\n")),
        findings: bounded(findings.collect()),
        next_actions: actions_of(reading.actions.iter().map(String::as_str)),
        structured: false,
    }
}

impl Reading {
    fn take(&mut self, section: Section, line: &str, is_item: bool) {
        let said = line.trim();
        if said.is_empty() {
            self.is_open = false;
            return;
        }
        let item = without_bullet(said);
        match section {
            Section::Summary if said == QUOTED => (),
            Section::Summary => self.summary.push(said.to_owned()),
            Section::Findings(_) | Section::NextActions if is_none(item) => self.is_open = false,
            Section::Findings(severity) => {
                match self.findings.last_mut().filter(|_| !is_item && self.is_open) {
                    Some((_, last)) => {
                        last.push('\n');
                        last.push_str(said);
                    }
                    None => self.findings.push((severity, item.to_owned())),
                }
                self.is_open = true;
            }
            Section::NextActions => self.actions.push(item.to_owned()),
            Section::Verdict | Section::Other => (),
        }
    }
}

/// The last line counts, unless another one says the opposite: then nobody knows.
fn verdict(said: &[Word]) -> Word {
    match said.last() {
        Some(Word::Pass) if said.contains(&Word::Fail) => Word::None,
        Some(last) => *last,
        None => Word::None,
    }
}

/// What stands for a fence and what it quotes.
const QUOTED: &str = "(quoted)";

/// Returns the lines, with fences left out, in which a reviewer quotes what others wrote; an answer that
/// is one fence is what it holds.
fn unfenced(answer: &str) -> Vec<&str> {
    let whole = answer.trim();
    let inner = fence_of(whole).and_then(|fence| {
        let (first, rest) = whole.split_once('\n')?;
        let (inner, last) = rest.rsplit_once('\n')?;
        let closes_before = || inner.lines().any(|line| closes(line, fence));
        let is_one = fence_of(first) == Some(fence) && closes(last, fence) && !closes_before();
        is_one.then_some(inner)
    });
    let mut lines = Vec::new();
    let mut open = None;
    for line in inner.unwrap_or(answer).lines() {
        match open {
            Some(fence) if closes(line, fence) => open = None,
            Some(_) => (),
            None => {
                open = fence_of(line);
                lines.push(if open.is_some() { QUOTED } else { line });
            }
        }
    }
    lines
}

/// Returns the character and the length of the fence that a line begins.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start_matches(['>', ' ', '\t', '-', '*']);
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let len = line.len() - line.trim_start_matches(mark).len();
    (len >= 3).then_some((mark, len))
}

/// Whether a line ends a fence: the same character, at least as often, and nothing else.
fn closes(line: &str, (mark, len): (char, usize)) -> bool {
    let line = line.trim_start_matches(['>', ' ', '\t']).trim_end();
    line.len() >= len && line.chars().all(|c| c == mark)
}

/// Returns what follows the word `Verdict` at the beginning of a line.
/// What is indented as code is quoted.
fn verdict_rest(line: &str) -> Option<&str> {
    if line.starts_with("    ") || line.starts_with('\t') {
        return None;
    }
    let line = line.trim_start_matches(MARKS);
    let rest = line.get(7..).filter(|_| line[..7].eq_ignore_ascii_case("verdict"))?;
    (!rest.starts_with(|c: char| c.is_alphanumeric())).then_some(rest)
}

/// Returns PASS or FAIL if exactly one of them stands there: PASS alone, FAIL with anything but PASS.
fn word_of(said: &str) -> Word {
    let words = words(said);
    let is = |word: &str, of: &str| word.eq_ignore_ascii_case(of);
    match words.as_slice() {
        [word] if is(word, "pass") => Word::Pass,
        [first, rest @ ..] if is(first, "fail") && !rest.iter().any(|word| is(word, "pass")) => Word::Fail,
        _ => Word::None,
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// Returns the section that a line begins, and what it says already. What weighs less than it is said to
/// do begins only with a heading of its own: `- Note: …` among what blocks is one of these.
fn heading(line: &str) -> Option<(Section, &str)> {
    let is_marked = line.trim_start().starts_with('#');
    let bare = line.trim_start_matches(MARKS);
    let end = bare.find([':', '(', '*', '_', '\n']).unwrap_or(bare.len());
    let (title, after) = bare.split_at(end);
    let rest = after.trim_start_matches(['*', '_', ' ']);
    let rest = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let has_colon = rest.starts_with(':');
    let rest = rest.trim_start_matches([':', '*', '_', ' ']).trim();
    let section = match title.trim().to_ascii_lowercase().as_str() {
        "blocking" | "blocking findings" | "blocking issues" | "blockers" => {
            Some(Section::Findings(Severity::Blocking))
        }
        "warnings" | "warning findings" => Some(Section::Findings(Severity::Warning)),
        "notes" => Some(Section::Findings(Severity::Note)),
        "warning" if rest.is_empty() => Some(Section::Findings(Severity::Warning)),
        "note" if rest.is_empty() => Some(Section::Findings(Severity::Note)),
        "next actions" | "next steps" => Some(Section::NextActions),
        "summary" => Some(Section::Summary),
        "findings" if rest.is_empty() => Some(Section::Other),
        _ => None,
    };
    match section {
        Some(section) if has_colon || rest.is_empty() => Some((section, rest)),
        // A word at the beginning of a sentence.
        Some(_) => None,
        None => is_marked.then_some((Section::Other, "")),
    }
}

fn is_item(line: &str) -> bool {
    without_bullet(line.trim()) != line.trim()
}

/// Returns a line without `-`, `*`, `+`, `1.` or `1)` before it.
fn without_bullet(line: &str) -> &str {
    let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = || after_number.strip_prefix(['.', ')']).filter(|_| after_number.len() < line.len());
    let rest = line.strip_prefix(['-', '*', '+']).or_else(numbered);
    rest.filter(|rest| rest.starts_with([' ', '\t'])).map_or(line, str::trim_start)
}

/// Whether an item says that there is none.
fn is_none(item: &str) -> bool {
    const NONE: &[&str] =
        &["none", "none found", "nothing", "n a", "no findings", "no issues", "no blocking findings"];
    let said = words(item).join(" ").to_ascii_lowercase();
    said.is_empty() || NONE.contains(&said.as_str())
}

/// Returns the first path that a finding names, with its line.
fn place(said: &str) -> Option<(&str, Option<u64>)> {
    let ends_word = |c: char| {
        c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | ')' | '[' | ']' | ',' | ';' | '*')
    };
    said.split(ends_word).find_map(|word| {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        let mut parts = word.splitn(3, ':');
        let path = parts.next()?;
        let line = parts.next().and_then(|line| line.parse().ok());
        let (path, line) = match path.split_once("#L") {
            Some((path, anchor)) => (path, anchor.parse().ok()),
            None => (path, line),
        };
        (!word.contains("://") && looks_like_path(path)).then_some((path, line))
    })
}

/// Whether a word is a path rather than prose: it has a folder, or an extension that begins with a letter.
fn looks_like_path(word: &str) -> bool {
    let (folders, name) = word.rsplit_once('/').unwrap_or(("", word));
    let has_extension = name.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && extension.len() <= 5
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let is_made_of = word.chars().all(|c| c.is_alphanumeric() || "/._-+@".contains(c));
    // `and/or` is no path.
    is_made_of && (has_extension || (!folders.is_empty() && word.starts_with('.')) || folders.contains('/'))
}
