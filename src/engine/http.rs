//! A model behind HTTP: it answers, and changes nothing.
//!
//! One request, one answer, in one of three forms of API. The key comes from a variable at the moment of
//! the request, goes into one header, and is taken out of everything that is told.

mod chat;
mod fault;
mod heard;
mod mask;
mod messages;
mod reader;
mod responses;
mod sse;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::fault::Fault;
use self::heard::{Heard, Stop};
use self::mask::Mask;
use super::{Access, Capabilities, Check, Engine, Login, Outcome, Progress, Request, Setup, answer};
use crate::domain::run::{RunStatus, Usage};
use crate::domain::text;
use crate::platform::http::{self, Address, Call, Head, Limits};
use crate::platform::{clock, env};

/// How much of what a server says about an error is shown, in characters.
const MAX_SAID: usize = 500;

/// How long a check may take.
const CHECK: Duration = Duration::from_secs(5);

/// How it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often, after the first time.
    pub retries: u32,
    /// How long before the first time again; twice as long before each next one. A server that says when
    /// is believed.
    pub first: Duration,
    /// The longest wait: whoever asked decides about longer ones.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { retries: 3, first: Duration::from_secs(1), longest: Duration::from_mins(1) }
    }
}

/// An engine that is a model behind HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    setup: Setup,
    patience: Patience,
}

/// The form of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Responses,
    Chat,
    Messages,
}

/// What is asked, in the words that all forms have.
struct Question<'a> {
    model: &'a str,
    prompt: &'a str,
    effort: Option<&'a str>,
    /// What the service itself is to hold the answer to.
    schema: Option<&'a Value>,
}

/// Whom to ask.
struct Service {
    api: Api,
    base: Address,
    key: Option<String>,
}

impl Http {
    pub fn of(setup: Setup) -> Self {
        Self { setup, patience: Patience::default() }
    }

    /// Returns the same engine with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Returns whom to ask, or why nobody can be asked.
    fn service(&self) -> Result<Service, (RunStatus, String)> {
        let name = &self.setup.name;
        let missing = |what: String| (RunStatus::Unavailable, what);
        let Some(url) = &self.setup.base_url else {
            return Err(missing(format!("`engines.{name}.base_url` is not set")));
        };
        let base = Address::parse(url).map_err(|why| missing(format!("`engines.{name}.base_url`: {why}")))?;
        let api = match self.setup.api.as_deref() {
            Some("responses") | None => Api::Responses,
            Some("chat") => Api::Chat,
            Some("messages") => Api::Messages,
            Some(_) => {
                return Err(missing(format!("`engines.{name}.api` is none of responses, chat, messages")));
            }
        };
        let key = match &self.setup.key_env {
            None => None,
            Some(variable) => {
                let value = env::var(variable).map(|value| value.trim().to_owned());
                let value = value.filter(|value| !value.is_empty());
                let no_key = || (RunStatus::Auth, format!("the variable `{variable}` holds no key"));
                Some(value.ok_or_else(no_key)?)
            }
        };
        Ok(Service { api, base: if base.is_bare() { base.join("v1") } else { base }, key })
    }
}

impl Engine for Http {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writes: false, json: true, schema: true, resumes: false, usage: true }
    }

    fn check(&self, _dir: &Path) -> Check {
        let service = match self.service() {
            Ok(service) => service,
            Err((status, hint)) => {
                let login = if status == RunStatus::Auth { Login::Missing } else { Login::Unknown };
                let version = (status == RunStatus::Auth).then(|| self.version());
                return Check { version, login, hint: Some(hint) };
            }
        };
        let address = service.base.join("models");
        let call = Call { address: &address, headers: &service.headers(), body: None };
        let limits = Limits { deadline: Instant::now() + CHECK, idle: CHECK };
        // The list itself is of no interest.
        let answer = http::call(&call, limits, &mut |_, _| ControlFlow::Break(()));
        let origin = service.base.origin();
        let (version, login, hint) = match answer {
            Err(err) => (None, Login::Unknown, Some(format!("{origin} {err}"))),
            Ok(Head { elsewhere: Some(to), .. }) => {
                (None, Login::Unknown, Some(format!("{origin} sends us to {to}: set `base_url` to it")))
            }
            Ok(head) => {
                let login = match (head.status, &service.key) {
                    (401 | 403, _) => Login::Missing,
                    (_, None) => Login::NotNeeded,
                    (200, Some(_)) => Login::Ready,
                    _ => Login::Unknown,
                };
                let hint = match (login, &self.setup.key_env) {
                    (Login::Missing, Some(variable)) => {
                        Some(format!("{origin} does not take the key in `{variable}`"))
                    }
                    (Login::Missing, None) => {
                        Some(format!("{origin} wants a key: set `engines.{}.key_env`", self.setup.name))
                    }
                    _ if service.key.is_some() && service.base.is_in_the_clear() => {
                        Some(format!("the key goes to {origin} in the clear: use https"))
                    }
                    _ => None,
                };
                (Some(self.version()), login, hint)
            }
        };
        let mask = Mask::of(service.key.as_deref());
        Check { version, login, hint: hint.map(|hint| text::one_line(&mask.text(&hint))) }
    }

    fn missing(&self) -> Option<String> {
        self.service().err().map(|(_, why)| text::one_line(&why))
    }

    fn run(&self, request: &Request, tell: &mut dyn FnMut(Progress<'_>)) -> Outcome {
        if request.access == Access::Write {
            let why = "a model behind HTTP cannot change files; set an engine that can for this";
            return Outcome::without_answer(RunStatus::Denied, why);
        }
        let service = match self.service() {
            Ok(service) => service,
            Err((status, why)) => return Outcome::without_answer(status, text::one_line(&why)),
        };
        let Some(model) = &request.model else {
            let why = format!("`engines.{}.model` is not set", self.setup.name);
            return Outcome::without_answer(RunStatus::Unavailable, why);
        };
        let deadline = Instant::now() + request.limits.wall;
        let in_words =
            request.output_schema.as_ref().map(|schema| answer::with_schema(&request.prompt, schema));
        let mut schema = request.output_schema.as_ref();
        let mut used = Usage::default();
        let mut n_retries = 0;
        loop {
            // Without a place for the schema it goes into the prompt.
            let prompt = in_words.as_deref().filter(|_| schema.is_none()).unwrap_or(&request.prompt);
            let question = Question { model, prompt, effort: request.effort.as_deref(), schema };
            let (heard, result) = reader::ask(&service, &question, request.limits, deadline, tell);
            used = used.plus(heard.usage);
            let (fault, after) = match result.and_then(|()| outcome_of(&service, request, &heard)) {
                Ok(outcome) => {
                    if heard.is_clipped {
                        tell(Progress::Notice(
                            "the answer is longer than what is kept of one; its end is lost",
                        ));
                    }
                    if !used.is_unknown() {
                        tell(Progress::Used(used));
                    }
                    return Outcome { usage: used, ..outcome };
                }
                Err(failed) => failed,
            };
            if fault.lacks_schema && schema.take().is_some() {
                tell(Progress::Notice("the service takes no schema; it is asked for in words"));
                continue;
            }
            let said = service.clean(&fault.message);
            let wait = after.unwrap_or_else(|| self.patience.before(n_retries));
            let is_over = !fault.may_pass || n_retries >= self.patience.retries;
            if is_over || wait > self.patience.longest || Instant::now() + wait >= deadline {
                let waits = matches!(fault.status, RunStatus::RateLimited | RunStatus::Quota);
                let until = after.filter(|_| waits).map(|after| clock::now_ms().saturating_add(ms(after)));
                let outcome = Outcome::without_answer(fault.status, said);
                return Outcome { usage: used, until_ms: until, ..outcome };
            }
            n_retries += 1;
            let of = self.patience.retries;
            tell(Progress::Notice(&format!(
                "{said}; again in {:.1} s ({n_retries} of {of})",
                wait.as_secs_f64()
            )));
            if !http::wait(wait, deadline) {
                let outcome =
                    Outcome::without_answer(RunStatus::Killed, "stopped while waiting to try again");
                return Outcome { usage: used, ..outcome };
            }
        }
    }
}

impl Http {
    /// Returns what it is: nobody says a version.
    fn version(&self) -> String {
        self.setup.api.clone().unwrap_or_else(|| Api::Responses.as_str().to_owned())
    }
}

impl Patience {
    fn before(self, n_retries: u32) -> Duration {
        self.first.saturating_mul(1 << n_retries.min(10)).min(self.longest)
    }
}

impl Service {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let key = self.key.clone();
        match self.api {
            Api::Responses | Api::Chat => {
                key.map(|key| ("authorization", format!("Bearer {key}"))).into_iter().collect()
            }
            Api::Messages => {
                let version = ("anthropic-version", messages::VERSION.to_owned());
                key.map(|key| ("x-api-key", key)).into_iter().chain([version]).collect()
            }
        }
    }

    /// Returns what a server said in a line for people, without the key.
    fn clean(&self, said: &str) -> String {
        let said = Mask::of(self.key.as_deref()).text(&text::one_line(said));
        text::clip(&said, MAX_SAID)
    }
}

impl Api {
    fn as_str(self) -> &'static str {
        match self {
            Self::Responses => "responses",
            Self::Chat => "chat",
            Self::Messages => "messages",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Responses => "responses",
            Self::Chat => "chat/completions",
            Self::Messages => "messages",
        }
    }

    fn body(self, question: &Question<'_>) -> Value {
        match self {
            Self::Responses => responses::body(question),
            Self::Chat => chat::body(question),
            Self::Messages => messages::body(question),
        }
    }

    fn event(self, heard: &mut Heard, name: &str, data: &Value) {
        match self {
            Self::Responses => responses::event(heard, name, data),
            Self::Chat => chat::event(heard, data),
            Self::Messages => messages::event(heard, name, data),
        }
    }

    fn whole(self, heard: &mut Heard, data: &Value) {
        match self {
            Self::Responses => responses::whole(heard, data),
            Self::Chat => chat::whole(heard, data),
            Self::Messages => messages::whole(heard, data),
        }
    }
}

/// Returns what an answer that came is, or why it is none.
fn outcome_of(
    service: &Service,
    request: &Request,
    heard: &Heard,
) -> Result<Outcome, (Fault, Option<Duration>)> {
    let mask = Mask::of(service.key.as_deref());
    let fault = |status: RunStatus, why: &str| Err((Fault::of(status, why), None));
    match heard.stop {
        _ if !heard.refusal().is_empty() => return fault(RunStatus::Refused, heard.refusal()),
        Some(Stop::Filtered) => {
            let said = heard.words().trim();
            let why = if said.is_empty() { "the service does not let the model answer this" } else { said };
            return fault(RunStatus::Refused, why);
        }
        Some(Stop::Cut) => {
            return fault(RunStatus::ContextTooLong, "the answer ended where the model may say no more");
        }
        None if heard.has_said() || !heard.usage.is_unknown() => {
            let lost = Fault::of(RunStatus::Unavailable, "the answer ended before its end");
            return Err((Fault { may_pass: true, ..lost }, None));
        }
        None | Some(Stop::Whole) => (),
    }
    let words = mask.text(&text::harmless(heard.words()));
    if request.output_schema.is_none() {
        if words.trim().is_empty() {
            return fault(RunStatus::Crashed, "the answer is empty");
        }
        let outcome = Outcome::without_answer(RunStatus::Succeeded, words);
        return Ok(outcome);
    }
    let found = answer::json_in(heard.arguments()).or_else(|| answer::json_in(heard.words()));
    match found {
        Some(json) => {
            let json = mask.json(json);
            let text = if words.trim().is_empty() { json.to_string() } else { words };
            Ok(Outcome { json: Some(json), ..Outcome::without_answer(RunStatus::Succeeded, text) })
        }
        None if heard.is_clipped => fault(RunStatus::Schema, "the answer is longer than what is kept of one"),
        None if words.trim().is_empty() => fault(RunStatus::Schema, "the answer is empty"),
        // The words themselves, for whoever asks again.
        None => Ok(Outcome::without_answer(RunStatus::Schema, words)),
    }
}

/// Whether a service can hold an answer to every word of a schema: it must leave nothing open.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => {
            let is_closed = match object.get("properties") {
                Some(Value::Object(properties)) => {
                    let required = object.get("required").and_then(Value::as_array);
                    let is_required =
                        |key: &String| required.is_some_and(|all| all.iter().any(|one| one == key));
                    object.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(is_required)
                }
                _ => object.get("type").is_none_or(|kind| kind != "object"),
            };
            is_closed && object.values().all(is_strict)
        }
        Value::Array(values) => values.iter().all(is_strict),
        _ => true,
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setup(url: Option<&str>) -> Setup {
        Setup { name: "near".to_owned(), base_url: url.map(str::to_owned), ..Setup::default() }
    }

    #[test]
    fn who_is_not_set_up_says_what_is_missing() {
        let why = |setup: Setup| Http::of(setup).service().err().unwrap();
        assert_eq!(why(setup(None)).1, "`engines.near.base_url` is not set");
        let (status, said) = why(setup(Some("https://u:secret@example.com")));
        assert!(status == RunStatus::Unavailable && !said.contains("secret"), "{said}");
        let keyed = Setup { key_env: Some("NOT_SET_ANYWHERE".to_owned()), ..setup(Some("http://localhost")) };
        assert_eq!(why(keyed.clone()).0, RunStatus::Auth);
        assert_eq!(Http::of(keyed).check(Path::new("/")).login, Login::Missing);
    }

    #[test]
    fn a_bare_host_gets_the_version_of_its_api() {
        let base = |url: &str| Http::of(setup(Some(url))).service().unwrap().base;
        assert_eq!(base("http://localhost:1"), Address::parse("http://localhost:1/v1").unwrap());
        assert_eq!(base("http://localhost:1/api"), Address::parse("http://localhost:1/api").unwrap());
    }

    #[test]
    fn only_a_schema_that_leaves_nothing_open_is_strict() {
        let closed = json!({"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "array", "items": {"type": "string"}}}});
        assert!(is_strict(&closed));
        let mut open = closed.clone();
        open["required"] = json!([]);
        assert!(!is_strict(&open));
        let mut deep = closed.clone();
        deep["properties"]["a"]["items"] = json!({"type": "object"});
        assert!(!is_strict(&deep));
        let mut more = closed;
        more["additionalProperties"] = json!(true);
        assert!(!is_strict(&more));
    }

    #[test]
    fn patience_doubles_and_ends() {
        let patience = Patience::default();
        assert_eq!(patience.before(0), Duration::from_secs(1));
        assert_eq!(patience.before(2), Duration::from_secs(4));
        assert_eq!(patience.before(60), patience.longest);
    }
}
