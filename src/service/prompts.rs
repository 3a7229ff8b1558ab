//! The library of prompts, and what a project has in the place of some of them.
//!
//! Built in are the files of `prompts/` of our own repository. A project may have files of the same
//! names in a folder `prompts/` of its own; they count as they are in the *base* of a protocol, and only
//! if this clone has agreed to exactly these bytes, since a prompt tells an engine what to do.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::ask::Prompt;
use super::context::Context;
use super::error::Error;
use super::gates::Folder;
use super::resolve;
use super::streams::Streams;
use super::trust::{Trust, Word};
use crate::domain::id::{Digest, Oid};
use crate::domain::prompt::{self, Values};
use crate::domain::step_file::{FrontMatter, Scalar};
use crate::domain::text;
use crate::platform::git::{Repo, TreeEntry};

/// Where a project has its own prompts.
pub const FOLDER: &str = "prompts";

/// The largest prompt that a project may have, in bytes.
const MAX_TEMPLATE: usize = 64 * 1024;

macro_rules! library {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../prompts/", $name, ".md")))),+]
    };
}

/// All prompts by name, in the order of a protocol's life, then those about whole repositories.
static LIBRARY: &[(&str, &str)] = library![
    "protocol-new",
    "protocol-new-again",
    "decompose",
    "execute-step",
    "fix",
    "quality-validator",
    "protocol-resume",
    "protocol-review-merge",
    "protocol-review-merge-resume",
    "protocol-pipeline",
    "project-init",
    "project-setup",
    "repo-discovery",
    "discovery-inventory",
    "discovery-architecture",
    "discovery-api-reference",
    "discovery-ci-notes",
    "java-testing",
    "python-discovery",
    "javascript-discovery",
    "mixed-discovery",
];

/// Where a prompt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    /// The project's own, from this commit of its base.
    Project(Oid),
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Project(_) => "project",
        }
    }
}

/// A prompt before anything is put in.
#[derive(Clone, Debug)]
pub struct Template {
    pub name: &'static str,
    /// One line; empty if the file does not say.
    pub description: String,
    /// Below the front matter.
    pub text: String,
    /// The SHA-256 of the whole file.
    pub digest: Digest,
    pub origin: Origin,
    /// Why the project's own one is not used.
    pub notice: Option<String>,
}

/// A prompt that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub prompt: Prompt,
    /// Why the project's own prompt is not used, if it has one; to be told to people.
    pub notice: Option<String>,
}

impl Template {
    /// Returns what runs record, as in `review@3f2a9c01b7de`.
    pub fn version(&self) -> String {
        format!("{}@{}", self.name, &self.digest.to_string()[..12])
    }

    fn read(name: &'static str, file: &[u8], origin: Origin) -> Result<Self, String> {
        if file.len() > MAX_TEMPLATE {
            return Err(format!("it is larger than {} KiB", MAX_TEMPLATE / 1024));
        }
        let whole = std::str::from_utf8(file).map_err(|_| "it is not UTF-8".to_owned())?;
        let (front_matter, body) = FrontMatter::parse(whole).unwrap_or_default();
        let description = match front_matter.find("description") {
            Some(Scalar::Text(said)) => text::clip(&text::one_line(said), 200),
            _ => String::new(),
        };
        let text = text::multi_line(&whole[body..]);
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let digest = Digest(Sha256::digest(file).into());
        Ok(Self { name, description, text, digest, origin, notice: None })
    }
}

/// Returns the names of all prompts.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIBRARY.iter().map(|(name, _)| *name)
}

/// Returns the built-in prompt of a name.
///
/// # Errors
///
/// [`Error::Unknown`] with names that may have been meant.
pub fn built_in(name: &str) -> Result<Template, Error> {
    let Some((name, file)) = LIBRARY.iter().find(|(known, _)| *known == name) else {
        let near =
            names().filter(|known| strsim::damerau_levenshtein(known, name) <= 3 || known.contains(name));
        return Err(Error::Unknown {
            what: "prompt",
            text: text::clip(&text::one_line(name), 80),
            near: near.take(3).map(str::to_owned).collect(),
        });
    };
    Template::read(name, file.as_bytes(), Origin::BuiltIn).map_err(|why| {
        Error::state("prompt.broken", format!("the prompt {name}: {why}"), "please report this")
    })
}

/// Returns the folder with the project's own prompts at a commit: `prompts/`, if a file in it has the name
/// of one of ours. What to agree to is all of the folder, by its digest.
///
/// # Errors
///
/// [`Error::State`] if it holds what cannot be agreed to, such as a link that leads out of it.
pub fn overrides_at(repo: &Repo, commit: Oid) -> Result<Option<Folder>, Error> {
    let Some(folder) = repo.tree_path(repo.tree_of(commit)?, FOLDER)?.filter(TreeEntry::is_tree) else {
        return Ok(None);
    };
    let is_ours = |entry: &TreeEntry| {
        let name = entry.name.strip_suffix(b".md").unwrap_or_default();
        !entry.is_tree() && names().any(|known| known.as_bytes() == name)
    };
    if !repo.tree(folder.oid)?.iter().any(is_ours) {
        return Ok(None);
    }
    Folder::read(repo, FOLDER, folder.oid).map(Some)
}

/// Returns the prompt of a name: the project's own at `base`, if there is one that was agreed to, else the
/// built-in one, with a notice if the project has another one. Without a base it is the built-in one.
///
/// # Errors
///
/// [`Error::Unknown`] for a name that is none, [`Error`] if the base cannot be read.
pub fn find(ctx: &Context, name: &str, base: Option<Oid>) -> Result<Template, Error> {
    let own = built_in(name)?;
    let Some(base) = base else { return Ok(own) };
    let not_used = |why: Cow<'_, str>| {
        let notice = format!("the project's own prompt {FOLDER}/{name}.md is not used: {why}");
        Template { notice: Some(notice), ..own.clone() }
    };
    let folder = match overrides_at(&ctx.repo, base) {
        Ok(Some(folder)) => folder,
        Ok(None) => return Ok(own),
        Err(Error::State { message, .. }) => return Ok(not_used(message.into())),
        Err(err) => return Err(err),
    };
    let Some(file) = folder.file(&format!("{name}.md")) else { return Ok(own) };
    let theirs = match Template::read(own.name, file, Origin::Project(base)) {
        Ok(theirs) => theirs,
        Err(why) => return Ok(not_used(why.into())),
    };
    if theirs.digest == own.digest {
        return Ok(own);
    }
    if Trust::load(&ctx.repo)?.is_agreed(&folder, Word::Base) {
        return Ok(theirs);
    }
    Ok(not_used("nobody has agreed here to these bytes".into()))
}

/// Returns the base whose prompts count here, its name and its commit: that of the protocol whose branch is
/// checked out, else the project's; `None` if there is none yet.
///
/// # Errors
///
/// [`Error`] if refs or the protocol cannot be read.
pub fn base(ctx: &Context) -> Result<Option<(String, Oid)>, Error> {
    let streams = Streams::read(ctx)?;
    if let Some(name) = resolve::current(&streams)?
        && let Some(protocol) = streams.look(&name)?.folded.protocol
    {
        return Ok(Some((protocol.created.base, protocol.created.base_commit)));
    }
    match super::plan::find_base(ctx, &streams, None) {
        Ok(base) => Ok(Some(base)),
        Err(Error::State { .. }) => Ok(None),
        Err(err) => Err(err),
    }
}

/// Returns all prompts as they would be used.
///
/// # Errors
///
/// [`Error`] if the base cannot be read.
pub fn all(ctx: &Context, base: Option<Oid>) -> Result<Vec<Template>, Error> {
    names().map(|name| find(ctx, name, base)).collect()
}

/// Puts values into the prompt of a name, chosen as [`find`] does. `base` is the commit of the protocol's
/// base; `None` for the built-in prompt whatever the project has.
///
/// # Errors
///
/// [`Error::State`] (`prompt.place`) if the prompt names a place that there is no value for; else as
/// [`find`].
pub fn render(ctx: &Context, name: &str, base: Option<Oid>, values: &Values) -> Result<Rendered, Error> {
    fill(&find(ctx, name, base)?, values)
}

/// Puts values into a prompt.
///
/// # Errors
///
/// [`Error::State`] (`prompt.place`) if it names a place that there is no value for.
pub fn fill(template: &Template, values: &Values) -> Result<Rendered, Error> {
    let text = prompt::render(&template.text, values).map_err(|err| {
        Error::state(
            "prompt.place",
            format!("the prompt {}: {err}", template.name),
            format!("git godzilla prompt show {}", template.name),
        )
    })?;
    let prompt = Prompt { text, template: Some(template.version()) };
    Ok(Rendered { prompt, notice: template.notice.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_library_is_in_it_and_says_what_it_is() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts");
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut known: Vec<String> = names().map(|name| format!("{name}.md")).collect();
        files.sort();
        known.sort();
        assert_eq!(files, known);
        for name in names() {
            let template = built_in(name).unwrap();
            assert!(!template.description.is_empty(), "{name}");
            assert!(template.text.len() > 200, "{name} says too little");
            assert!(!template.text.contains("description:"), "{name}: the front matter is no part of it");
            assert_eq!(template.version().len(), name.len() + 13);
        }
    }

    #[test]
    fn names_that_are_none_are_answered_with_near_ones() {
        let Err(Error::Unknown { near, .. }) = built_in("decompos") else { panic!("it is none") };
        assert_eq!(near, ["decompose"]);
        assert!(built_in("../decompose").is_err());
    }

    #[test]
    fn what_a_prompt_asks_for_must_be_given() {
        let template = built_in("decompose").unwrap();
        let all = Values::default()
            .quote("title", "Add login")
            .data("plan", "the plan", "# Plan")
            .data("snapshot", "the repository", "src/main.rs")
            .word("step", "01-form")
            .data("step_file", "the step file", "---\nid: 01-form\n---\n");
        let rendered = fill(&template, &all).unwrap();
        assert!(rendered.prompt.text.contains("`Add login`"), "{}", rendered.prompt.text);
        assert!(!rendered.prompt.text.contains("{{"));
        assert_eq!(rendered.prompt.template, Some(template.version()));
        let Err(Error::State { code, message, .. }) = fill(&template, &Values::default()) else {
            panic!("nothing was given")
        };
        assert_eq!(code, "prompt.place");
        assert!(message.contains("{{title}}"), "{message}");
    }

    #[test]
    fn files_that_are_no_prompts_are_refused() {
        for (file, why) in [
            (b"\xff".as_slice(), "it is not UTF-8"),
            (b"---\ndescription: x\n---\n\n", "it is empty"),
            (&vec![b'a'; MAX_TEMPLATE + 1], "it is larger than 64 KiB"),
        ] {
            assert_eq!(Template::read("fix", file, Origin::BuiltIn).unwrap_err(), why);
        }
        let plain = Template::read("fix", b"Do \x1b[1mthis\x1b[0m.", Origin::BuiltIn).unwrap();
        assert_eq!((plain.text.as_str(), plain.description.as_str()), ("Do this.", ""));
    }
}
