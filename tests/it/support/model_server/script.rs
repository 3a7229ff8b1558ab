//! What the server is to answer, and to what.

use serde::Deserialize;
use serde_json::{Value, json};

/// The form in which a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Api {
    Responses,
    Chat,
    Messages,
    Gemini,
}

/// What is answered to whom.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scenario {
    /// For side calls such as titles: tried first, and never used up.
    pub(crate) rules: Vec<Turn>,
    /// The first that matches and is not used up is taken.
    pub(crate) turns: Vec<Turn>,
}

/// One answer of the model, and what is asked for it; by default, anything is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Turn {
    pub(crate) api: Option<Api>,
    /// Texts that occur in the body of the request, all of them.
    pub(crate) when: Vec<String>,
    /// Texts that do not.
    pub(crate) when_not: Vec<String>,
    /// Texts that occur in the last message of the conversation.
    pub(crate) when_last: Vec<String>,
    /// Whether the request offers tools.
    pub(crate) tools: Option<bool>,
    /// Whether the request asks for JSON of a schema.
    pub(crate) schema: Option<bool>,
    /// How often it answers, if not once; the turn counts as used when it did so that often.
    pub(crate) times: Option<u32>,

    pub(crate) reasoning: Option<String>,
    pub(crate) text: Option<String>,
    /// A text that is this document.
    pub(crate) json: Option<Value>,
    pub(crate) tool_calls: Vec<Call>,
    pub(crate) usage: Used,
    /// The reason of the end, in the words of the API, if it is not the usual one.
    pub(crate) stop: Option<String>,

    /// An answer that is an error.
    pub(crate) error: Option<Failure>,
    /// An error inside of an answer that began well.
    pub(crate) stream_error: Option<Failure>,
    pub(crate) fault: Option<Fault>,
    /// An answer that is these bytes.
    pub(crate) raw: Option<Raw>,
    /// The text is followed by so many bytes of `x`.
    pub(crate) flood: usize,
}

/// A tool that the model calls.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Value,
    /// A text in place of arguments, as for `apply_patch` of the Responses API.
    pub(crate) input: Option<String>,
}

/// What a turn uses: whole input and whole output, what is cached and what is reasoning included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Used {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

/// An error as the API tells it. `{{KEY}}` in the message stands for the key of the request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) message: String,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    /// The header: seconds, or a date.
    pub(crate) retry_after: Option<String>,
}

/// What happens to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// It ends before the answer.
    DropBefore,
    /// It ends in the middle of the answer.
    DropMid,
    /// Nothing comes until the server ends.
    HangBefore,
    /// The first event comes, and then nothing until the server ends.
    HangMid,
    /// The first event comes, and then signs of life until the server ends.
    Trickle,
}

/// An answer byte for byte.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Default for Used {
    fn default() -> Self {
        Self { input: 100, cached: 0, output: 20, reasoning: 0 }
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            status: 200,
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

impl From<Vec<Turn>> for Scenario {
    fn from(turns: Vec<Turn>) -> Self {
        Self { rules: Vec::new(), turns }
    }
}

impl Scenario {
    /// Answers side calls, as often as they come.
    pub(crate) fn rule(mut self, rule: Turn) -> Self {
        self.rules.push(rule);
        self
    }
}

impl Turn {
    /// An answer in words.
    pub(crate) fn says(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// An answer that is a document.
    pub(crate) fn json(value: Value) -> Self {
        Self { json: Some(value), ..Self::default() }
    }

    /// A call of a tool with arguments.
    pub(crate) fn calls(name: &str, arguments: Value) -> Self {
        Self::default().and_calls(name, arguments)
    }

    /// One more call in the same turn.
    pub(crate) fn and_calls(mut self, name: &str, arguments: Value) -> Self {
        self.tool_calls.push(Call { name: name.to_owned(), arguments, input: None });
        self
    }

    /// A call of a tool that takes a text, as codex' `apply_patch` does.
    pub(crate) fn calls_with_text(name: &str, input: &str) -> Self {
        let call = Call { name: name.to_owned(), arguments: json!({}), input: Some(input.to_owned()) };
        Self { tool_calls: vec![call], ..Self::default() }
    }

    /// An error; `kind` and `code` are the API's words, where they are not the usual ones.
    pub(crate) fn fails(status: u16, message: &str) -> Self {
        let error = Failure { status, message: message.to_owned(), ..Failure::default() };
        Self { error: Some(error), ..Self::default() }
    }

    /// An answer that begins well and then tells of an error.
    pub(crate) fn fails_inside(code: &str, message: &str) -> Self {
        let error = Failure {
            message: message.to_owned(),
            code: Some(code.to_owned()),
            kind: Some(code.to_owned()),
            ..Failure::default()
        };
        Self { stream_error: Some(error), ..Self::default() }
    }

    /// Bytes in place of an answer.
    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let content_type = content_type.to_owned();
        let raw = Raw { status, content_type, headers: Vec::new(), body: body.into() };
        Self { raw: Some(raw), ..Self::default() }
    }

    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Only for a request in which this text occurs.
    pub(crate) fn when(mut self, text: &str) -> Self {
        self.when.push(text.to_owned());
        self
    }

    /// Only for a request in which this text does not occur.
    pub(crate) fn when_not(mut self, text: &str) -> Self {
        self.when_not.push(text.to_owned());
        self
    }

    /// Only for a request whose last message holds this text.
    pub(crate) fn when_last(mut self, text: &str) -> Self {
        self.when_last.push(text.to_owned());
        self
    }

    /// Only for a request that offers tools, or that offers none.
    pub(crate) fn with_tools(mut self, tools: bool) -> Self {
        self.tools = Some(tools);
        self
    }

    pub(crate) fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub(crate) fn usage(mut self, input: u64, cached: u64, output: u64, reasoning: u64) -> Self {
        self.usage = Used { input, cached, output, reasoning };
        self
    }

    pub(crate) fn stops_with(mut self, reason: &str) -> Self {
        self.stop = Some(reason.to_owned());
        self
    }

    /// Says when to come again, if this is an error.
    pub(crate) fn retry_after(mut self, when: &str) -> Self {
        self.error.get_or_insert_default().retry_after = Some(when.to_owned());
        self
    }

    /// Says what kind of error it is, in the words of the API.
    pub(crate) fn code(mut self, code: &str) -> Self {
        let error = self.error.get_or_insert_default();
        error.kind = Some(code.to_owned());
        error.code = Some(code.to_owned());
        self
    }

    /// Lets so many bytes follow the text.
    pub(crate) fn flood(mut self, bytes: usize) -> Self {
        self.flood = bytes;
        self
    }

    /// Returns what the model says; `None` if it says nothing.
    pub(super) fn words(&self) -> Option<String> {
        let words = self.json.as_ref().map(Value::to_string).or_else(|| self.text.clone());
        if self.flood == 0 { words } else { Some(words.unwrap_or_default() + super::FLOOD) }
    }

    fn matches(&self, api: Api, body: &Value, text: &str) -> bool {
        let last = last_message(api, body);
        self.api.is_none_or(|wanted| wanted == api)
            && self.when.iter().all(|part| text.contains(part))
            && !self.when_not.iter().any(|part| text.contains(part))
            && self.when_last.iter().all(|part| last.contains(part))
            && self.tools.is_none_or(|tools| tools == has_tools(body))
            && self.schema.is_none_or(|schema| schema == wants_schema(api, body))
    }
}

/// A scenario that is being played.
#[derive(Debug, Default)]
pub(super) struct Play {
    scenario: Scenario,
    /// How often each turn answered.
    used: Vec<u32>,
}

impl Play {
    pub(super) fn of(scenario: Scenario) -> Self {
        let used = vec![0; scenario.turns.len()];
        Self { scenario, used }
    }

    /// Returns the answer to a request, and what it is; `None` if none is scripted.
    pub(super) fn pick(&mut self, api: Api, body: &Value) -> Option<(String, Turn)> {
        // As a person would write it: texts in which JSON escapes something match as they are, too.
        let text = format!("{body}\n{}", all_texts(body));
        let rules = &self.scenario.rules;
        if let Some(idx) = rules.iter().position(|rule| rule.matches(api, body, &text)) {
            return Some((format!("rule {idx}"), rules[idx].clone()));
        }
        let turns = &self.scenario.turns;
        let is_next = |idx: &usize| {
            self.used[*idx] < turns[*idx].times.unwrap_or(1) && turns[*idx].matches(api, body, &text)
        };
        let idx = (0..turns.len()).find(is_next)?;
        self.used[idx] += 1;
        Some((format!("turn {idx}"), turns[idx].clone()))
    }

    /// Returns the turns that did not answer as often as they were to.
    pub(super) fn left(&self) -> Vec<usize> {
        let turns = &self.scenario.turns;
        (0..turns.len()).filter(|idx| self.used[*idx] < turns[*idx].times.unwrap_or(1)).collect()
    }
}

fn has_tools(body: &Value) -> bool {
    body.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty())
}

fn wants_schema(api: Api, body: &Value) -> bool {
    let at = |pointer: &str| body.pointer(pointer).is_some_and(|value| !value.is_null());
    match api {
        Api::Responses => body.pointer("/text/format/type") == Some(&json!("json_schema")),
        Api::Chat => at("/response_format/json_schema"),
        Api::Messages => at("/output_config/format") || at("/output_format") || at("/tool_choice/name"),
        Api::Gemini => at("/generationConfig/responseJsonSchema") || at("/generationConfig/responseSchema"),
    }
}

/// Returns the texts of the last message.
fn last_message(api: Api, body: &Value) -> String {
    let key = match api {
        Api::Responses => "input",
        Api::Gemini => "contents",
        Api::Chat | Api::Messages => "messages",
    };
    match body.get(key) {
        Some(Value::Array(messages)) => messages.last().map(all_texts).unwrap_or_default(),
        Some(other) => all_texts(other),
        None => String::new(),
    }
}

/// Returns all texts of a document, a line each.
fn all_texts(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(values) => values.iter().map(all_texts).collect(),
        Value::Object(object) => object.values().map(all_texts).collect(),
        _ => String::new(),
    }
}
