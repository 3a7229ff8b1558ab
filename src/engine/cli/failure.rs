//! What the words of a failing program mean: by its service's status where it tells one, else by what
//! such programs are known to say.

use crate::domain::run::RunStatus;
use crate::platform::clock;

/// The longest time to wait for that is believed.
const MAX_WAIT_MS: u64 = 31 * 24 * 60 * 60 * 1000;

/// How much of what a program says of its failure is looked at and kept.
const MAX_MESSAGE: usize = 2000;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Failure {
    pub(in crate::engine) status: RunStatus,
    pub(in crate::engine) message: String,
    /// When it may be tried again, in milliseconds since 1970.
    pub(in crate::engine) until_ms: Option<u64>,
}

/// What programs say, in lower case, in the order in which it counts: a used up quota is told as a rate
/// limit as well, and a wrong key as a request that was refused.
const WORDS: &[(RunStatus, &[&str])] = &[
    (
        RunStatus::ContextTooLong,
        &[
            "context_length_exceeded",
            "context window",
            "prompt is too long",
            "maximum context length",
            "input token count",
            "exceeds the maximum number of tokens",
            "contextoverflow",
        ],
    ),
    (
        RunStatus::Quota,
        &[
            "insufficient_quota",
            "quota exceeded",
            "exceeded your current quota",
            "exhausted your daily quota",
            "exhausted your capacity",
            "terminalquota",
            "usage limit",
            "session limit",
            "weekly limit",
            "credit balance",
            "billing",
            "out of credits",
        ],
    ),
    (
        RunStatus::RateLimited,
        &[
            "rate limit",
            "rate_limit",
            "ratelimit",
            "too many requests",
            "status: 429",
            "error 429",
            "error: 429",
            "resource_exhausted",
        ],
    ),
    (
        RunStatus::Auth,
        &[
            "not logged in",
            "please run /login",
            "unauthorized",
            "failed to authenticate",
            "authentication",
            "invalid api key",
            "invalid_api_key",
            "api key not valid",
            "api key is missing",
            "missing environment variable",
            "set an auth method",
            "invalid auth method",
            "status: 401",
            "error: 401",
            "status: 403",
            "error: 403",
            "permission_denied",
            "oauth token",
        ],
    ),
    (
        RunStatus::Refused,
        &["content policy", "usage policy", "content_filter", "content-filter", "cyber_policy", "safety"],
    ),
    (
        RunStatus::Unavailable,
        &[
            "high demand",
            "overloaded",
            "stream disconnected",
            "error sending request",
            "connection refused",
            "connection error",
            "connect to api",
            "econnrefused",
            "econnreset",
            "enotfound",
            "fetch failed",
            "api error: terminated",
            "network error",
            "internal server error",
            "service unavailable",
            "model_not_found",
            "model not found",
            "providermodelnotfound",
            "unable to connect",
            "status: 5",
            "error: 5",
        ],
    ),
];

impl Failure {
    /// Returns what a status of HTTP, if one is known, and a message mean.
    pub(in crate::engine) fn of(http: Option<u64>, message: &str) -> Self {
        let message: String = message.chars().take(MAX_MESSAGE).collect();
        let lower = message.to_ascii_lowercase();
        let by_words = WORDS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)));
        let by_words = by_words.map(|(status, _)| *status);
        let status = match (http, by_words) {
            (Some(429), Some(RunStatus::Quota)) | (Some(402), _) => RunStatus::Quota,
            (Some(429), _) => RunStatus::RateLimited,
            (Some(401 | 403), _) => RunStatus::Auth,
            (Some(413), _) => RunStatus::ContextTooLong,
            (Some(404 | 500..), None | Some(RunStatus::Auth)) => RunStatus::Unavailable,
            (_, Some(status)) => status,
            _ => RunStatus::Crashed,
        };
        let waits = matches!(status, RunStatus::RateLimited | RunStatus::Quota);
        let until_ms = waits.then(|| until_in(&lower, clock::now_ms())).flatten();
        Self { status, message, until_ms }
    }

    /// Returns a failure of a kind that is known.
    pub(in crate::engine) fn known(status: RunStatus, message: &str) -> Self {
        Self { status, ..Self::of(None, message) }
    }

    /// Takes the time that its service told apart from words, in milliseconds since 1970.
    #[must_use]
    pub(in crate::engine) fn until(self, at_ms: Option<u64>) -> Self {
        let waits = matches!(self.status, RunStatus::RateLimited | RunStatus::Quota);
        let told = at_ms.filter(|at| waits && is_near(*at, clock::now_ms()));
        Self { until_ms: told.or(self.until_ms), ..self }
    }
}

/// Returns when a message in lower case says that it may be tried again.
fn until_in(lower: &str, now_ms: u64) -> Option<u64> {
    const BEFORE: &[&str] =
        &["try again in ", "retry in ", "reset after ", "resets in ", "retry after ", "limit reached|"];

    let rest = BEFORE.iter().find_map(|before| lower.split_once(before)).map(|(_, rest)| rest)?;
    if let Some(at) = moment(rest).filter(|at| is_near(*at, now_ms)) {
        return Some(at);
    }
    let wait = duration_ms(rest).filter(|wait| *wait <= MAX_WAIT_MS)?;
    Some(now_ms.saturating_add(wait))
}

/// Returns a moment that a text begins with, told as seconds since 1970.
fn moment(text: &str) -> Option<u64> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().ok().filter(|_| digits.len() >= 10)?.checked_mul(1000)
}

/// Whether a moment is one that could be waited for.
fn is_near(at_ms: u64, now_ms: u64) -> bool {
    at_ms > now_ms && at_ms - now_ms <= MAX_WAIT_MS
}

/// Returns a duration such as `1h2m3s`, `11.054s`, `20` or `4 days 20 hours 9 minutes` that a text begins
/// with, in milliseconds.
fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: Option<u64> = None;
    loop {
        rest = rest.trim_start();
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..length].trim_end_matches('.');
        let Some(thousandths) = thousandths(number) else { return total };
        rest = rest[length..].trim_start();
        let unit_len = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let factor = match &rest[..unit_len] {
            "d" | "day" | "days" => 24 * 60 * 60,
            "h" | "hr" | "hour" | "hours" => 60 * 60,
            "m" | "min" | "minute" | "minutes" => 60,
            "s" | "sec" | "second" | "seconds" | "" => 1,
            "ms" => 0,
            _ => return total,
        };
        let part = if factor == 0 { thousandths / 1000 } else { thousandths.checked_mul(factor)? };
        total = Some(total.unwrap_or(0).checked_add(part)?);
        rest = rest[unit_len..].trim_start_matches([',', ' ']);
    }
}

/// Returns a decimal number in thousandths.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_say_is_understood() {
        let status = |http, message| Failure::of(http, message).status;
        for (http, message, wanted) in [
            (None, "unexpected status 401 Unauthorized: bad key, url: http://localhost/v1", RunStatus::Auth),
            (None, "Missing environment variable: `SCRIPTED_KEY`.", RunStatus::Auth),
            (None, "Quota exceeded. Check your plan and billing details.", RunStatus::Quota),
            (None, "exceeded retry limit, last status: 429 Too Many Requests", RunStatus::RateLimited),
            (
                None,
                "Codex ran out of room in the model's context window. Start a new thread",
                RunStatus::ContextTooLong,
            ),
            (
                None,
                "We're currently experiencing high demand, which may cause temporary errors.",
                RunStatus::Unavailable,
            ),
            (None, "stream disconnected before completion: error sending request", RunStatus::Unavailable),
            (None, "You've hit your usage limit. Try again in 3 days 1 hour.", RunStatus::Quota),
            (None, "Not logged in · Please run /login", RunStatus::Auth),
            (None, "Prompt is too long", RunStatus::ContextTooLong),
            (Some(429), "slow down", RunStatus::RateLimited),
            (Some(429), "You exceeded your current quota", RunStatus::Quota),
            (Some(529), "Overloaded", RunStatus::Unavailable),
            (Some(500), "no", RunStatus::Unavailable),
            (Some(401), "no", RunStatus::Auth),
            (Some(400), "no", RunStatus::Crashed),
            (Some(400), "maximum context length is 10", RunStatus::ContextTooLong),
            (None, "TypeError: x is not a function", RunStatus::Crashed),
            (None, "", RunStatus::Crashed),
        ] {
            assert_eq!(status(http, message), wanted, "{http:?} {message}");
        }
    }

    #[test]
    fn the_time_to_wait_for_is_read_and_not_believed_blindly() {
        let now = 1_700_000_000_000;
        for (message, wanted) in [
            ("try again in 11.054s.", Some(11_054)),
            ("please retry in 22.5s", Some(22_500)),
            ("your quota will reset after 5h30m12s.", Some(((5 * 60 + 30) * 60 + 12) * 1000)),
            ("or try again in 4 days 20 hours 9 minutes.", Some((((4 * 24 + 20) * 60) + 9) * 60_000)),
            ("retry after 20", Some(20_000)),
            ("try again in 250ms", Some(250)),
            ("usage limit reached|1700000060", Some(60_000)),
            ("try again in a while", None),
            ("try again in 99999999999999999999h", None),
            ("try again in 900 days", None),
            ("usage limit reached|1600000000", None),
            ("", None),
        ] {
            assert_eq!(until_in(message, now), wanted.map(|wait| now + wait), "{message}");
        }
    }

    #[test]
    fn only_what_passes_by_itself_has_a_time() {
        let soon = clock::now_ms() + 60_000;
        assert_eq!(Failure::of(Some(429), "slow down").until(Some(soon)).until_ms, Some(soon));
        assert_eq!(Failure::of(Some(429), "slow down").until(Some(1)).until_ms, None);
        assert_eq!(Failure::of(Some(401), "try again in 20s").until(Some(soon)).until_ms, None);
    }
}
