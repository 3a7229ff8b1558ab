//! The issue that a plan is about, as the program of its forge tells it: `gh` or `glab`.
//!
//! What an issue says comes from strangers. It is cleaned here, and prompts have it as data.

use std::time::Duration;

use serde_json::Value;

use super::context::Context;
use super::error::Error;
use super::init::choose_remote;
use crate::domain::text;
use crate::platform::process::{self, Limits};

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 2 << 20;

/// How much of an issue is taken, in characters.
const MAX_BODY: usize = 60_000;

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub number: u64,
    /// One line, never empty.
    pub title: String,
    /// Markdown; empty if there is none.
    pub body: String,
    pub url: Option<String>,
}

/// A repository at a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    host: String,
    /// `owner/name`, or with groups above.
    path: String,
}

/// A program that knows issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Gh,
    Glab,
}

/// Returns an issue of the repository that the remote is (`origin`, else the first).
///
/// # Errors
///
/// [`Error::State`] if there is no remote, or its forge is not known; [`Error::Engine`] if the program of
/// the forge is not there, fails, or answers something else.
pub fn fetch(ctx: &Context, number: u64) -> Result<Issue, Error> {
    let Some(remote) = choose_remote(&ctx.repo, None)? else {
        return Err(Error::state(
            "issue.remote",
            "there is no remote that could have issues",
            "git remote -v",
        ));
    };
    let url = remote.urls.first().map(String::as_str).unwrap_or_default();
    let Some((program, place)) = place(url).and_then(|place| Some((Program::of(&place)?, place))) else {
        return Err(Error::state(
            "issue.forge",
            format!("nobody here knows the issues of the remote {}", remote.name),
            "read it yourself: git godzilla plan --from FILE",
        ));
    };
    let said = ask(program, &place, number)?;
    program
        .read(number, &said)
        .ok_or_else(|| failed(program, &format!("it said something else than issue {number}")))
}

impl Program {
    fn of(place: &Place) -> Option<Self> {
        if place.host.contains("github") {
            Some(Self::Gh)
        } else {
            place.host.contains("gitlab").then_some(Self::Glab)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gh => "gh",
            Self::Glab => "glab",
        }
    }

    fn args(self, place: &Place, number: u64) -> Vec<String> {
        let Place { host, path } = place;
        let number = number.to_string();
        let args: &[&str] = match self {
            Self::Gh => {
                &["issue", "view", &number, "--repo", &format!("{host}/{path}"), "--json", "title,body,url"]
            }
            Self::Glab => {
                &["issue", "view", &number, "--repo", &format!("https://{host}/{path}"), "--output", "json"]
            }
        };
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    fn read(self, number: u64, said: &[u8]) -> Option<Issue> {
        let said: Value = serde_json::from_slice(said.get(..said.len().min(MAX_ANSWER))?).ok()?;
        let (body, url) = match self {
            Self::Gh => ("body", "url"),
            Self::Glab => ("description", "web_url"),
        };
        let title = text::clip(&text::one_line(said["title"].as_str()?), 120);
        let url = said[url].as_str().map(text::one_line).filter(|url| url.starts_with("https://"));
        (!title.is_empty()).then(|| Issue {
            number,
            title,
            body: text::clip(&text::multi_line(said[body].as_str().unwrap_or_default()), MAX_BODY),
            url: url.map(|url| text::clip(&url, 300)),
        })
    }
}

/// Runs the program outside of the repository, so that nothing in it has a say in what it does.
fn ask(program: Program, place: &Place, number: u64) -> Result<Vec<u8>, Error> {
    let mut command = process::command(program.name());
    command.args(program.args(place, number)).current_dir("/");
    for (name, value) in [("GH_PROMPT_DISABLED", "1"), ("GH_NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1")] {
        command.env(name, value);
    }
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GH_FORCE_TTY"] {
        command.env_remove(name);
    }
    let limits = Limits { total: Some(LIMIT), isolated: true, ..Limits::default() };
    let output = process::run(&mut command, None, limits, |_| ()).map_err(|err| match err {
        process::Error::Start { .. } => Error::Engine {
            code: "issue.program",
            message: format!(
                "`{}`, which knows the issues of {}, cannot be started",
                program.name(),
                place.host
            ),
            hint: Some("install it, or read the issue yourself: git godzilla plan --from FILE".to_owned()),
        },
        err => failed(program, &super::error_chain(&err)),
    })?;
    if output.status.success() && output.stdout.len() <= MAX_ANSWER {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(program, &text::clip(&text::one_line(&said), 300)))
}

fn failed(program: Program, why: &str) -> Error {
    let name = program.name();
    Error::Engine {
        code: "issue.failed",
        message: format!("`{name}` did not tell the issue: {why}"),
        hint: Some(format!("{name} auth status")),
    }
}

/// Returns where a URL of a remote leads, without the user and the password that it may hold.
fn place(url: &str) -> Option<Place> {
    let (host, path) = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => {
            let (host, path) = rest.split_once('/')?;
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            (host.split_once(':').map_or(host, |(host, _)| host), path)
        }
        Some(_) => return None,
        None => {
            let (host, path) = url.split_once(':')?;
            (host.rsplit_once('@').map_or(host, |(_, host)| host), path)
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_plain = is_word(host) && path.contains('/') && path.split('/').all(is_word);
    is_plain.then(|| Place { host: host.to_lowercase(), path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_out_of_urls_and_passwords_are_not() {
        for url in [
            "https://github.com/ada/shop.git",
            "https://ada:s3cret@github.com/ada/shop",
            "git@github.com:ada/shop.git",
            "ssh://git@GitHub.com:22/ada/shop/",
        ] {
            let place = place(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!((place.host.as_str(), place.path.as_str()), ("github.com", "ada/shop"));
            assert_eq!(Program::of(&place), Some(Program::Gh));
        }
        let group = place("https://gitlab.example.com/a/b/shop").unwrap();
        assert_eq!((Program::of(&group), group.path.as_str()), (Some(Program::Glab), "a/b/shop"));
        for url in [
            "",
            "/srv/shop.git",
            "../shop",
            "https://github.com/shop",
            "git@github.com:-x/shop",
            "ext::sh -c 'evil github.com/a/b'",
            "https://github.com/ada/../shop",
            "file:///github.com/a/b",
        ] {
            assert_eq!(place(url), None, "{url}");
        }
    }

    #[test]
    fn an_issue_is_cleaned() {
        let said = br#"{"title":"Add\u001b[31m login\nnow","body":"Please\u0007.\r\n\r\n```\nx\n```","url":"javascript:x"}"#;
        let issue = Program::Gh.read(7, said).unwrap();
        assert_eq!((issue.title.as_str(), issue.url), ("Add login now", None));
        assert_eq!(issue.body, "Please.\n\n```\nx\n```");
        let said = br#"{"title":"T","description":"D","web_url":"https://gitlab.com/a/b/-/issues/7"}"#;
        let issue = Program::Glab.read(7, said).unwrap();
        assert_eq!((issue.body.as_str(), issue.url.is_some()), ("D", true));
        for said in [b"".as_slice(), b"[]", b"{}", br#"{"title":" "}"#, br#"{"title":7}"#] {
            assert_eq!(Program::Gh.read(7, said), None);
        }
    }

    #[test]
    fn the_program_is_given_names_and_no_options_of_others() {
        let place = place("https://github.com/ada/shop.git").unwrap();
        let args = Program::Gh.args(&place, 12).join(" ");
        assert_eq!(args, "issue view 12 --repo github.com/ada/shop --json title,body,url");
    }
}
