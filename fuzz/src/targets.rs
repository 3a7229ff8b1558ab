//! The functions; the integration tests include this file.

#[path = "left.rs"]
mod left;
#[path = "repository.rs"]
mod repository;

use std::collections::HashMap;

pub use left::{guard_folders, intents, keep_chains};
pub use repository::{answers, archives, guards, kept_worktrees, pushes};

use git_godzilla::ci::{self, Source};
use git_godzilla::domain::fold::fold;
use git_godzilla::domain::id::Ulid;
use git_godzilla::domain::message::{self, Rules};
use git_godzilla::domain::redact::{Known, Redactor};
use git_godzilla::domain::review::{MAX_FINDINGS, Opinion, Reviewer, Severity, Word};
use git_godzilla::domain::{outline, step_file, text};
use git_godzilla::hooks::stdin;
use git_godzilla::platform::git::{Repo, TreeEntry};
use git_godzilla::service::review;
use git_godzilla::service::settings::Settings;
use git_godzilla::store::content::{Content, sha256};
use git_godzilla::store::exported::{self, Record};
use git_godzilla::store::{spec, tip, wire};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("event_lines", event_lines),
    ("stream_trees", stream_trees),
    ("plans", plans),
    ("messages", messages),
    ("hook_stdin", hook_stdin),
    ("ci_environments", ci_environments),
    ("settings", settings),
    ("reviews", reviews),
    ("redaction", redaction),
    ("exports", exports),
    ("archives", archives),
    ("pushes", pushes),
    ("answers", answers),
    ("guards", guards),
    ("kept_worktrees", kept_worktrees),
    ("intents", intents),
    ("guard_folders", guard_folders),
    ("keep_chains", keep_chains),
];

/// Event lines: each is read or set aside, has one canonical form, and the set of them folds.
pub fn event_lines(data: &[u8]) {
    let mut content = Content::default();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(decoded) = wire::decode(line) {
            let canonical = decoded.canonical.unwrap_or_else(|| String::from_utf8(line.to_vec()).unwrap());
            let again = wire::decode(canonical.as_bytes()).unwrap();
            assert_eq!((again.canonical, again.event), (None, decoded.event));
        }
        content.add_raw(line);
    }
    content.normalize();
    let folded = fold(&content.events(), &content.decoded_specs());
    assert_eq!(folded.outcomes.len(), content.lines().len());

    let mut united = content.clone();
    united.unite(&content);
    assert_eq!(united, content);
}

/// Tip trees: read or refused, and what is read is written and read again as it was.
pub fn stream_trees(data: &[u8]) {
    repository::with_repo(|repo| stream_tree(repo, data));
}

fn stream_tree(repo: &Repo, data: &[u8]) {
    let mut root = vec![TreeEntry::blob(
        "format",
        repo.write_blob(br#"{"format":1,"min_read":1,"min_write":1}"#).unwrap(),
    )];
    let mut events = Vec::new();
    // Files are divided by bytes that no text has: `name \xfe bytes \xff`.
    for part in data.split(|byte| *byte == 0xff) {
        let (name, bytes) = part.split_at(part.iter().position(|byte| *byte == 0xfe).unwrap_or(0));
        let is_name = !name.is_empty() && !matches!(name, b"." | b".." | b".git") && !name.contains(&0);
        if !is_name || name.contains(&b'/') {
            continue;
        }
        let entry = TreeEntry::blob(name, repo.write_blob(&bytes[1..]).unwrap());
        let folder = if name.first().is_some_and(u8::is_ascii_digit) { &mut events } else { &mut root };
        if folder.iter().all(|known: &TreeEntry| known.name != entry.name) && name != b"events" {
            folder.push(entry);
        }
    }
    events.sort_by(|a, b| a.name.cmp(&b.name));
    root.push(TreeEntry::tree("events", repo.write_tree(&events).unwrap()));
    let Ok(tree) = repo.write_tree(&root) else { return };
    let Ok(content) = tip::read(repo, tree) else { return };
    let folded = fold(&content.events(), &content.decoded_specs());
    if content.may_be_written() {
        let written = tip::write(repo, &content, folded.protocol.as_ref()).unwrap();
        let mut again = tip::read(repo, written).unwrap();
        again.format = content.format;
        assert_eq!(again, content);
    }
}

/// The file that `import` reads: what a line says can be written and read again, and what all of them say folds.
pub fn exports(data: &[u8]) {
    let mut content = Content::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(record) = Record::decode(line) else { continue };
        let written = match &record {
            Record::Header { object_format } => exported::header_line(object_format),
            Record::Stream { name, format } => exported::stream_line(name.as_ref(), *format),
            Record::Event(line) => exported::event_line(line),
            Record::Spec(text) => exported::spec_line(text),
            Record::Reject { line, marker } => exported::reject_line(*line, marker),
            Record::File { path, mode, bytes } => exported::file_line(path, *mode, bytes).unwrap(),
            Record::End { streams, events } => {
                let size = |n: &u64| usize::try_from(*n).unwrap();
                exported::end_line(size(streams), size(events))
            }
        };
        let is_ours = matches!(record, Record::Header { .. });
        assert!(is_ours || !written.chars().any(text::is_raw), "{written:?}");
        assert_eq!(Record::decode(written.as_bytes()).as_ref(), Ok(&record), "{written}");
        match record {
            Record::Event(line) => content.add(*line),
            Record::Spec(text) => drop(content.specs.insert(sha256(text.as_bytes()), text)),
            Record::Reject { line, marker } => drop(content.rejects.insert(line, marker)),
            _ => (),
        }
    }
    content.normalize();
    let folded = fold(&content.events(), &content.decoded_specs());
    assert_eq!(folded.outcomes.len(), content.lines().len());
}

/// Plans in Markdown, step files, and specs.
pub fn plans(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop(outline::parse(&text));
    let boxes = step_file::boxes(&text);
    assert!(!step_file::ticks_last_box(Some(&text), &text), "{boxes:?}");
    drop(step_file::parse(&text));
    if let Ok(decoded) = spec::decode(data) {
        let (_, text) = spec::encode(&decoded);
        assert_eq!(spec::decode(text.as_bytes()).unwrap(), decoded);
    }
}

/// Commit messages and drafts of them.
pub fn messages(data: &[u8]) {
    let rules = Rules::default();
    let parsed = message::parse(data, "0007-add-login");
    drop(message::parse_draft(data, &rules, "0007-add-login"));
    message::has_content(data, &rules);
    // A trailer that counts is also a hint, unless its value goes on in the next line.
    let is_folded = data.windows(2).any(|pair| pair[0] == b'\n' && pair[1].is_ascii_whitespace());
    if let Some(step) = parsed.step.filter(|_| !is_folded) {
        assert!(message::hints(data).contains(&step));
    }
}

/// What git tells hooks on stdin.
pub fn hook_stdin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let n_lines = text.lines().count();
    assert!(stdin::pushed(&text).len() <= n_lines);
    assert!(stdin::rewritten(&text).len() <= n_lines);
    assert!(stdin::received(&text).len() <= n_lines);
}

/// The environment of a CI job, one variable a line, and the file of its event after an empty line.
pub fn ci_environments(data: &[u8]) {
    struct Job {
        variables: HashMap<String, String>,
        file: String,
    }
    impl Source for Job {
        fn var(&self, name: &str) -> Option<String> {
            self.variables.get(name).cloned()
        }

        fn read(&self, _: &str) -> Option<String> {
            Some(self.file.clone())
        }
    }
    let text = String::from_utf8_lossy(data);
    let (variables, file) = text.split_once("\n\n").unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let detected = ci::detect(&Job { variables, file: file.to_owned() });
    for said in [&detected.workflow, &detected.job, &detected.branch, &detected.url].into_iter().flatten() {
        assert!(said.len() <= 8000 && !said.chars().any(char::is_control), "{said:?}");
    }
    let is_web = |url: String| ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    assert!(detected.url.is_none_or(|url| is_web(url.to_ascii_lowercase())));
}

/// `godzilla.toml`.
pub fn settings(data: &[u8]) {
    let settings = Settings::of_file(data);
    assert!(!settings.qa_gates.is_empty() && !settings.qa_gates.split('/').any(|part| part == ".."));
    assert!(
        settings.warnings.iter().all(|warning| !warning.chars().any(char::is_control)),
        "{:?}",
        settings.warnings
    );
}

/// What a program said: it is cleaned in the same way whatever the pieces, and once is enough. The first
/// byte tells how long the pieces are.
pub fn redaction(data: &[u8]) {
    let clean = |text: &[u8], len: usize| {
        let mut redactor = Redactor::new(Known::new(["correct-horse"]));
        let mut out = Vec::new();
        for piece in text.chunks(len) {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        out
    };
    let (len, text) = data.split_first().map_or((1, data), |(len, text)| (usize::from(*len) + 1, text));
    // What was kept has bars in it, so that nobody takes it for a leak.
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'|').collect();
    let text = text.as_slice();
    let once = clean(text, usize::MAX);
    assert_eq!(String::from_utf8_lossy(&clean(text, len)), String::from_utf8_lossy(&once));
    // Only a line longer than what is held may be cut elsewhere the second time.
    if text.split(|byte| *byte == b'\n').all(|line| line.len() < 30_000) {
        assert_eq!(String::from_utf8_lossy(&clean(&once, usize::MAX)), String::from_utf8_lossy(&once));
    }
}

/// Answers of reviewers, as text and as JSON: nothing passes that does not say so, and nothing of them steers
/// a terminal or leads out of the repository.
pub fn reviews(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let by = || Reviewer { run: Ulid::nil(), engine: "fuzz".to_owned(), model: None };
    let json = serde_json::from_str(&text).map(|answer| review::of_json(&answer)).ok();
    for opinion in json.into_iter().chain([Opinion::of_text(&text)]) {
        let judged = opinion.judged(by());
        let n_blocking = judged.count(Severity::Blocking);
        if judged.result == "pass" {
            assert!(opinion.said == Word::Pass && n_blocking == 0 || judged.downgraded.is_some());
        }
        assert!(judged.downgraded.is_none() || (opinion.structured && n_blocking > 0));
        assert!(opinion.findings.len() <= MAX_FINDINGS);
        for finding in &opinion.findings {
            assert!(!finding.message.chars().any(|c| !"\n\t".contains(c) && c.is_control()), "{finding:?}");
            let path = finding.path.as_deref().unwrap_or("x");
            assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{finding:?}");
        }
    }
}
