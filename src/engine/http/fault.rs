//! What an answer that is none means.

use serde_json::Value;

use crate::domain::run::RunStatus;
use crate::platform::http::Head;

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: RunStatus,
    /// As the server says it, or why it says nothing; not yet cleaned.
    pub(super) message: String,
    /// Whether the same request may do better.
    pub(super) may_pass: bool,
    /// Whether the service cannot be given a schema.
    pub(super) lacks_schema: bool,
}

impl Fault {
    pub(super) fn of(status: RunStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), may_pass: false, lacks_schema: false }
    }

    /// Returns what an answer with another status than 200 means.
    pub(super) fn of_answer(head: &Head, body: &[u8]) -> Self {
        if let Some(origin) = &head.elsewhere {
            let message =
                format!("it sends us to {origin}, where the key is not meant to go: set `base_url` to it");
            return Self::of(RunStatus::Unavailable, message);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body);
            // A page for people says nothing here.
            let is_page = head.content_type.contains("html");
            Value::String(if is_page { String::new() } else { text.into_owned() })
        });
        Self::of_error(Some(head.status), error_in(&body))
    }

    /// Returns what an error means that a service tells, with the status of the answer if it is one.
    pub(super) fn of_error(http: Option<u16>, error: &Value) -> Self {
        let field = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        let codes = format!("{} {} {}", field("code"), field("type"), field("status")).to_ascii_lowercase();
        let said = error.as_str().unwrap_or_else(|| field("message")).trim();
        let (status, may_pass) = meaning(http, &codes, &said.to_lowercase());
        let code = field("code").trim();
        let mut message = http.map(|http| format!("HTTP {http}")).unwrap_or_default();
        for part in [code, said].into_iter().filter(|part| !part.is_empty()) {
            message += if message.is_empty() { "" } else { ": " };
            message += part;
        }
        if message.is_empty() {
            "it told of an error without a word".clone_into(&mut message);
        }
        let speaks_of = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let lacks_schema = matches!(http, Some(400 | 422))
            && speaks_of(&["response_format", "json_schema", "text.format", "tool_choice", "output_config"]);
        Self { status, message, may_pass, lacks_schema }
    }
}

/// Returns the error that a body tells of: services wrap it in different ways.
fn error_in(body: &Value) -> &Value {
    match body.get("error") {
        Some(error) if !error.is_null() => error,
        _ => body.get("detail").filter(|detail| detail.is_string()).unwrap_or(body),
    }
}

/// Returns what it means, and whether the same request may do better.
fn meaning(http: Option<u16>, codes: &str, said: &str) -> (RunStatus, bool) {
    let code = |words: &[&str]| words.iter().any(|word| codes.contains(word));
    let speaks_of = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // First what is said in words: statuses are used for many things.
    if http == Some(402)
        || code(&["insufficient_quota", "billing", "credit"])
        || speaks_of(&[
            "exceeded your current quota",
            "credit balance",
            "insufficient credit",
            "billing details",
        ])
    {
        (RunStatus::Quota, false)
    } else if http == Some(413)
        || code(&["context_length", "context_window", "request_too_large", "string_above_max_length"])
        || speaks_of(&["prompt is too long", "maximum context length", "context window", "input is too long"])
    {
        (RunStatus::ContextTooLong, false)
    } else if code(&["content_filter", "content_policy", "policy_violation", "invalid_prompt", "refus"]) {
        (RunStatus::Refused, false)
    } else if matches!(http, Some(401 | 403))
        || code(&["authentication", "invalid_api_key", "permission", "unauthenticated"])
    {
        (RunStatus::Auth, false)
    } else if http == Some(429) || code(&["rate_limit", "too_many_requests", "resource_exhausted"]) {
        (RunStatus::RateLimited, true)
    } else if matches!(http, Some(408 | 409 | 425 | 500..=599))
        || code(&["overloaded", "server_error", "api_error", "unavailable", "internal", "timeout"])
    {
        (RunStatus::Unavailable, true)
    } else if http == Some(404) || http.is_some_and(|http| (300..400).contains(&http)) {
        (RunStatus::Unavailable, false)
    } else {
        (RunStatus::Crashed, false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_means_what_it_says_first_and_then_what_its_status_says() {
        use RunStatus as R;

        for (http, error, status, may_pass) in [
            (Some(401), json!({"code": "invalid_api_key", "message": "no"}), R::Auth, false),
            (Some(403), json!({"message": "not for you"}), R::Auth, false),
            (Some(429), json!({"type": "rate_limit_error", "message": "slow"}), R::RateLimited, true),
            (Some(429), json!({"code": "insufficient_quota", "message": "none left"}), R::Quota, false),
            (Some(400), json!({"message": "Your credit balance is too low to use it"}), R::Quota, false),
            (Some(402), json!("pay"), R::Quota, false),
            (Some(400), json!({"code": "context_length_exceeded"}), R::ContextTooLong, false),
            (Some(400), json!({"message": "prompt is too long: 210000 tokens"}), R::ContextTooLong, false),
            (Some(413), json!({"type": "request_too_large"}), R::ContextTooLong, false),
            (Some(400), json!({"code": "content_filter"}), R::Refused, false),
            (Some(400), json!({"message": "bad"}), R::Crashed, false),
            (Some(404), json!({"code": "model_not_found"}), R::Unavailable, false),
            (Some(500), json!({"type": "server_error"}), R::Unavailable, true),
            (Some(529), json!({"type": "overloaded_error"}), R::Unavailable, true),
            (None, json!({"type": "overloaded_error", "message": "later"}), R::Unavailable, true),
            (None, json!({"code": "rate_limit_exceeded"}), R::RateLimited, true),
            (None, json!({"code": "context_length_exceeded"}), R::ContextTooLong, false),
            (None, json!({}), R::Crashed, false),
        ] {
            let fault = Fault::of_error(http, &error);
            assert_eq!((fault.status, fault.may_pass), (status, may_pass), "{http:?} {error}");
            assert!(!fault.message.is_empty(), "{http:?} {error}");
        }
    }

    #[test]
    fn who_cannot_be_given_a_schema_says_so_in_a_bad_request() {
        let said = json!({"message": "'response_format' is not supported with this model"});
        assert!(Fault::of_error(Some(400), &said).lacks_schema);
        assert!(!Fault::of_error(Some(500), &said).lacks_schema);
        assert!(!Fault::of_error(Some(400), &json!({"message": "bad"})).lacks_schema);
    }
}
