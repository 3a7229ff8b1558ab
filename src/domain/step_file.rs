//! The Markdown file of a step: front matter, briefing, and boxes to tick.
//!
//! People and engines edit these files, so reading is strict where a slip would
//! change the meaning (the front matter) and total where text is only counted
//! (the boxes). What is written here is read back to the same values.

mod front_matter;
mod more;
mod render;

pub use front_matter::{FrontMatter, ParseError, Scalar};
pub use render::{
    NewPlan, NewStep, StepLink, prose, render, render_context, render_log, render_plan, render_with,
};

use self::more::kept;
use super::id::StepId;
use super::spec::{QaPolicy, StepKind, StepMore};
use super::text::markdown::{self, Kind};

/// A step file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFile {
    /// `03-api`
    pub id: String,
    pub title: String,
    /// [`StepKind::Work`] if the file does not say.
    pub kind: StepKind,
    /// `None` leaves the choice to the configuration.
    pub qa: Option<QaPolicy>,
    /// Ids of steps; `None` means the step before this one, an empty list none.
    pub depends_on: Option<Vec<String>>,
    /// What most steps do not say.
    pub more: StepMore,
    /// All entries, with those that have no meaning here.
    pub front_matter: FrontMatter,
    /// The byte offset of the text below the front matter.
    pub body: usize,
}

/// How many boxes a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boxes {
    pub open: u32,
    pub done: u32,
}

/// Reads a step file.
///
/// `id` and `title` must be there; entries with other keys than those of
/// [`StepFile`] are kept in its front matter. The body may be anything.
///
/// # Errors
///
/// [`ParseError`] with the first line that is not in the fixed form (`key: text`
/// or `key: [a, b]`), repeats a key, or has a value that the key cannot take.
pub fn parse(text: &str) -> Result<StepFile, ParseError> {
    let Reading { file, errors } = read(text);
    match (errors.into_iter().next(), file) {
        (None, Some(file)) => Ok(file),
        (Some(err), _) => Err(err),
        (None, None) => Err(ParseError { line: 1, message: "the file cannot be read".to_owned() }),
    }
}

/// What could be read of a step file, and what could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `None` without front matter. What could not be read is as if the file did not say it, but that a
    /// step with unreadable dependencies has none.
    pub file: Option<StepFile>,
    /// In the order of lines, no more than [`MAX_ERRORS`]; without any, the file is a step file.
    pub errors: Vec<ParseError>,
}

/// More mistakes than this are not told of one file.
pub const MAX_ERRORS: usize = 20;

/// Reads as much of a step file as can be read; see [`parse`].
pub fn read(text: &str) -> Reading {
    let (front_matter, body, mut errors) = match FrontMatter::read(text) {
        Ok(read) => read,
        Err(err) => return Reading { file: None, errors: vec![err] },
    };
    // A key that is missing may be in one of the lines that cannot be read.
    let is_whole = errors.is_empty();
    let mut required = |key: &str| match front_matter.required_text(key) {
        Ok(text) => text.to_owned(),
        Err(err) => {
            errors.extend(Some(err).filter(|_| is_whole || front_matter.find(key).is_some()));
            String::new()
        }
    };
    let (id, title) = (required("id"), required("title"));
    if !id.is_empty() && id.parse::<StepId>().is_err() {
        errors.push(front_matter.error("id", "`id` is not a step id such as `03-api`"));
    }
    let kind = front_matter.word("type", "one of setup, work, or qa", StepKind::from_word);
    let qa = front_matter.word("qa", "one of skip, light, or full", QaPolicy::from_word);
    let depends_on = depends_on(&front_matter).unwrap_or_else(|err| {
        errors.push(err);
        Some(Vec::new())
    });
    let file = StepFile {
        kind: kept(kind, &mut errors).unwrap_or(StepKind::Work),
        qa: kept(qa, &mut errors),
        depends_on,
        more: more::read(&front_matter, &id, &mut errors),
        id,
        title,
        front_matter,
        body,
    };
    errors.sort();
    errors.truncate(MAX_ERRORS);
    Reading { file: Some(file), errors }
}

fn depends_on(front_matter: &FrontMatter) -> Result<Option<Vec<String>>, ParseError> {
    let ids = front_matter.list("depends_on")?;
    let valid = |ids: &[String]| ids.iter().all(|id| id.parse::<StepId>().is_ok());
    if ids.as_deref().is_none_or(valid) {
        return Ok(ids);
    }
    let message = "`depends_on` is not a list of step ids such as `[01-setup, 02-schema]`";
    Err(front_matter.error("depends_on", message))
}

/// Counts the boxes of list items, nested ones too, in the body of `text`.
///
/// Boxes in fenced code do not count. `text` need not be a valid step file, and
/// takes time linear in its length.
pub fn boxes(text: &str) -> Boxes {
    let mut boxes = Boxes::default();
    for line in markdown::lines(&text[markdown::body_offset(text)..]) {
        match line.kind {
            Kind::Item { ticked: Some(true) } => boxes.done += 1,
            Kind::Item { ticked: Some(false) } => boxes.open += 1,
            _ => {}
        }
    }
    boxes
}

/// Whether a commit ticks the last box of a step file that was `before` in its
/// first parent (`None`: not there) and is `after` in the commit.
///
/// That is: a box was open before, none is open after, and at least one is
/// ticked. A file that arrives with all boxes ticked does not count.
pub fn ticks_last_box(before: Option<&str>, after: &str) -> bool {
    let after = boxes(after);
    after.open == 0 && after.done > 0 && before.is_some_and(|before| boxes(before).open > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "---\nid: 03-api\ntitle: \"Add: the \\\"API\\\"\"\ntype: qa\nqa: light\n\
                        depends_on: [01-a, 02-b]\npaths: [src/**, \"a, b\"]\nowner: me\n---\n# Body\n";

    #[test]
    fn reads_all_fields() {
        let file = parse(FILE).unwrap();
        assert_eq!((file.id.as_str(), file.title.as_str()), ("03-api", "Add: the \"API\""));
        assert_eq!((file.kind, file.qa), (StepKind::Qa, Some(QaPolicy::Light)));
        assert_eq!(file.depends_on, Some(vec!["01-a".to_owned(), "02-b".to_owned()]));
        assert_eq!(file.more.paths, ["src/**", "a, b"]);
        assert_eq!(file.front_matter.entries.len(), 7);
        assert_eq!(&FILE[file.body..], "# Body\n");
    }

    #[test]
    fn absent_fields_have_defaults() {
        let file = parse("---\r\nid: 03-api\r\ntitle: Fix issue #12: it\r\n---\r\n").unwrap();
        assert_eq!(file.title, "Fix issue #12: it");
        assert_eq!((file.kind, file.qa), (StepKind::Work, None));
        assert_eq!((file.depends_on, file.more), (None, StepMore::default()));
        let file = parse("---\nid: 03-api\ntitle: x\ndepends_on: []\n---\n").unwrap();
        assert_eq!(file.depends_on, Some(Vec::new()));
    }

    #[test]
    fn errors_have_their_line() {
        for (entries, line, part) in [
            ("id: 03-api", 3, "no `title`"),
            ("title: x", 3, "no `id`"),
            ("id: api\ntitle: x", 2, "step id"),
            ("id: 03-api\ntitle: x\ntype: task", 4, "setup, work, or qa"),
            ("id: 03-api\ntitle: x\nqa: [full]", 4, "skip, light, or full"),
            ("id: 03-api\ntitle: x\ndepends_on: 01-a", 4, "list"),
            ("id: 03-api\ntitle: x\ndepends_on: [a]", 4, "step ids"),
            ("id: 03-api\ntitle:", 3, "empty"),
        ] {
            let error = parse(&format!("---\n{entries}\n---\n")).unwrap_err();
            assert_eq!(error.line, line, "{entries:?}: {error}");
            assert!(error.message.contains(part), "{entries:?}: {error}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_and_the_rest_is_read() {
        let text =
            "---\nid: 03-api\nbad line\nqa: no\ntimeout: never\ndepends_on: [x]\npaths: [src/**]\n---\n";
        let read = read(text);
        let lines: Vec<usize> = read.errors.iter().map(|err| err.line).collect();
        assert_eq!(lines, [3, 4, 5, 6], "the title may be in line 3: {:?}", read.errors);
        let file = read.file.unwrap();
        assert_eq!((file.id.as_str(), file.more.paths.len()), ("03-api", 1));
        assert_eq!(file.depends_on, Some(Vec::new()), "no circle is made up of what cannot be read");
        assert_eq!(parse(text).unwrap_err(), read.errors[0]);
        assert_eq!(super::read("# Body").file, None);
        let many = format!("---\n{}---\n", "x\n".repeat(100));
        assert_eq!(super::read(&many).errors.len(), MAX_ERRORS);
    }

    #[test]
    fn boxes_of_every_form_count() {
        let text = "---\nid: x\n- [ ] front\n---\n- [ ] a\n  * [x] b\n\t+ [X] c\n1. [ ] d\n2) [ ]\n\
                    - [ ](link)\n- [] e\n> - [ ] quoted\n```\n- [ ] code\n```\n~~~\n- [ ] open fence\n";
        assert_eq!(boxes(text), Boxes { open: 3, done: 2 });
        assert_eq!(boxes(""), Boxes::default());
    }

    #[test]
    fn ticking_the_last_box() {
        for (before, after, want) in [
            (Some("- [ ] a\n- [x] b"), "- [x] a\n- [x] b", true),
            (Some("- [ ] a\n- [ ] b"), "- [x] a\n- [ ] b", false),
            (Some("- [x] a"), "- [x] a\n- [x] b", false),
            (Some("- [ ] a"), "no box left", false),
            (None, "- [x] a", false),
            (Some("```\n- [ ] a\n```"), "- [x] a", false),
        ] {
            assert_eq!(ticks_last_box(before, after), want, "{before:?} → {after:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(---|- \\[[ x]\\]|[a-z:\\[\\]\", \\\\#é]|\\n){0,60}") {
            drop(parse(&text));
            boxes(&text);
        }

        /// Ticking boxes moves them from one count to the other.
        #[test]
        fn ticking_conserves_boxes(text in "(- \\[[ x]\\] a|  |```|1\\. |text|\\n){0,40}") {
            let (before, after) = (boxes(&text), boxes(&text.replace("[ ]", "[x]")));
            prop_assert_eq!(after, Boxes { open: 0, done: before.open + before.done });
            prop_assert_eq!(ticks_last_box(Some(&text), &text.replace("[ ]", "[x]")), before.open > 0);
        }
    }
}
