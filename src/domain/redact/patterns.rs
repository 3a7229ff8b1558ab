//! Tokens whose makers gave them a form.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::Found;

/// A form of token: how it begins, and what follows.
struct Pattern {
    kind: &'static str,
    /// Exactly so, the longer of two first.
    begins: &'static [&'static str],
    /// An expression that ends where the token does: so that nothing can begin right after it.
    rest: &'static str,
    /// The part that is secret, if it is one after all.
    secret: fn(&[u8]) -> Option<Range<usize>>,
}

const fn pattern(kind: &'static str, begins: &'static [&'static str], rest: &'static str) -> Pattern {
    Pattern { kind, begins, rest, secret: whole }
}

/// The special ones before the general ones.
const PATTERNS: &[Pattern] = &[
    pattern("aws", &["AKIA", "ASIA", "ABIA", "ACCA"], r"[A-Z0-9]{16}\b"),
    pattern("github", &["github_pat_"], r"\w{22,}"),
    pattern("github", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\w{20,}(?:[.-][\w-]{8,})*"),
    pattern(
        "gitlab",
        &[
            "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-", "glagent-",
            "gloas-", "glffct-", "glwt-",
        ],
        r"[\w-]{18,}(?:\.[\w-]+)*",
    ),
    pattern("anthropic", &["sk-ant-"], r"[\w-]{20,}"),
    pattern("openrouter", &["sk-or-"], r"[\w-]{20,}"),
    Pattern {
        kind: "openai",
        begins: &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-"],
        rest: r"[\w-]{20,}",
        secret: no_words,
    },
    pattern("google", &["AIza", "GOCSPX-"], r"[\w-]{24,}"),
    pattern("google", &["ya29."], r"[\w-]{20,}(?:\.[\w-]+)*"),
    pattern(
        "slack",
        &["xoxa-", "xoxb-", "xoxe-", "xoxe.xoxp-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        r"[\w-]{10,}",
    ),
    Pattern {
        kind: "slack",
        begins: &["hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/"],
        rest: r"[\w/-]{20,}",
        secret: after_the_last_of_the_host,
    },
    Pattern {
        kind: "discord",
        begins: &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        rest: r"[\w/-]{20,}",
        secret: after_the_last_of_the_host,
    },
    pattern("stripe", &["sk_live_", "sk_test_", "rk_live_", "rk_test_"], r"\w{10,}"),
    pattern("stripe", &["whsec_"], r"[\w+/]{20,}=*"),
    pattern("npm", &["npm_"], r"\w{30,}"),
    pattern("pypi", &["pypi-"], r"[\w-]{50,}"),
    pattern("crates-io", &["cio"], r"[A-Za-z0-9]{32}\b"),
    pattern("rubygems", &["rubygems_"], r"[0-9a-f]{40,}\b"),
    pattern("huggingface", &["hf_", "api_org_"], r"[A-Za-z0-9]{30,}\b"),
    pattern("digitalocean", &["dop_v1_", "doo_v1_", "dor_v1_"], r"[0-9a-f]{60,}\b"),
    pattern("docker", &["dckr_pat_", "dckr_oat_"], r"[\w-]{20,}"),
    pattern("sendgrid", &["SG."], r"[\w-]{16,}\.[\w-]{16,}"),
    pattern("twilio", &["SK"], r"[0-9a-f]{32}\b"),
    pattern("shopify", &["shpat_", "shpca_", "shppa_", "shpss_"], r"[0-9a-fA-F]{32,}\b"),
    pattern("telegram", &[":AA"], r"[\w-]{32,}"),
    pattern("vault", &["hvs.", "hvb.", "hvr."], r"[\w-]{20,}"),
    pattern("doppler", &["dp.pt.", "dp.st.", "dp.ct."], r"[\w.-]*\w{30,}"),
    pattern("linear", &["lin_api_", "lin_oauth_"], r"\w{30,}"),
    pattern("databricks", &["dapi"], r"[0-9a-f]{32}(?:-[0-9]+)?\b"),
    pattern("atlassian", &["ATATT3", "ATCTT3"], r"[\w=-]{40,}"),
    pattern("age", &["AGE-SECRET-KEY-1"], r"[A-Z0-9]{50,}\b"),
    pattern("planetscale", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], r"[\w.-]{30,}"),
    pattern("groq", &["gsk_"], r"\w{30,}"),
    pattern("xai", &["xai-"], r"[\w-]{40,}"),
    pattern("replicate", &["r8_"], r"\w{30,}"),
    pattern("perplexity", &["pplx-"], r"\w{30,}"),
    pattern("notion", &["ntn_"], r"\w{40,}"),
    pattern("postman", &["PMAK-"], r"[0-9a-f]{20,}(?:-[0-9a-f]{20,})?\b"),
    pattern("newrelic", &["NRAK-"], r"[A-Z0-9]{27}\b"),
    pattern("tailscale", &["tskey-"], r"[\w-]{20,}"),
    pattern("fly", &["FlyV1 "], r"[\w+/=,-]{20,}"),
    pattern("jwt", &["eyJ"], r"[\w-]{8,}(?:\.[\w-]*){2,4}"),
    Pattern {
        kind: "bearer",
        begins: &["Bearer ", "bearer ", "BEARER "],
        rest: r"[\w.~+/=-]{16,}",
        secret: bearer,
    },
    Pattern {
        kind: "signature",
        begins: &["X-Amz-Signature=", "X-Goog-Signature=", "X-Amz-Security-Token=", "&sig=", "?sig="],
        rest: r"[\w%.~+/=-]{16,}",
        secret: after_the_equals_sign,
    },
    Pattern {
        kind: "password",
        begins: &["--password ", "--passwd ", "--token ", "--api-key ", "--secret ", "--passphrase "],
        rest: r#"["']?[^\s"'<>$\[-][^\s"'<>]{3,}"#,
        secret: argument,
    },
    Pattern {
        kind: "password",
        begins: &["://"],
        rest: r#"[^\s/@:"'<>\\]*:[^\s/@"'<>\\]+@"#,
        secret: in_address,
    },
];

static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let alternatives: Vec<String> = PATTERNS.iter().map(alternative).collect();
    let all = format!("(?-u)(?:{})", alternatives.join("|"));
    Regex::new(&all).expect("the patterns are ours")
});

/// Returns the expression of one pattern; what begins with a letter begins a word.
fn alternative(pattern: &Pattern) -> String {
    let begins: Vec<String> = pattern.begins.iter().map(|literal| regex::escape(literal)).collect();
    let boundary = if begins[0].starts_with(|c: char| c.is_ascii_alphanumeric()) { r"\b" } else { "" };
    format!("{boundary}(?:{}){}", begins.join("|"), pattern.rest)
}

pub(super) fn expression() -> &'static str {
    TOKENS.as_str()
}

/// Returns the tokens in `text`.
pub(super) fn find(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for token in TOKENS.find_iter(text) {
        let bytes = token.as_bytes();
        let begins =
            |pattern: &&Pattern| pattern.begins.iter().any(|begin| bytes.starts_with(begin.as_bytes()));
        let Some(pattern) = PATTERNS.iter().find(begins) else { continue };
        if let Some(part) = (pattern.secret)(bytes) {
            let at = token.start() + part.start..token.start() + part.end;
            found.push(Found { at, kind: pattern.kind });
        }
    }
    found
}

#[expect(clippy::unnecessary_wraps, reason = "the others may find none")]
fn whole(token: &[u8]) -> Option<Range<usize>> {
    Some(0..token.len())
}

fn has_digit(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
}

/// Words with hyphens between them, as in names of classes, are no key.
fn no_words(token: &[u8]) -> Option<Range<usize>> {
    let mixed = token.iter().any(u8::is_ascii_uppercase) || !token[3..].contains(&b'-');
    (has_digit(token) && mixed).then_some(0..token.len())
}

fn after(token: &[u8], at: usize) -> Option<Range<usize>> {
    (at < token.len()).then_some(at..token.len())
}

fn bearer(token: &[u8]) -> Option<Range<usize>> {
    if has_digit(token) { after(token, "bearer ".len()) } else { None }
}

fn after_the_equals_sign(token: &[u8]) -> Option<Range<usize>> {
    after(token, memchr::memchr(b'=', token)? + 1)
}

/// The host and the kind of hook stay.
fn after_the_last_of_the_host(token: &[u8]) -> Option<Range<usize>> {
    let n_slashes = if token.starts_with(b"hooks") { 1 } else { 2 };
    after(token, memchr::memchr_iter(b'/', token).nth(n_slashes)? + 1)
}

fn argument(token: &[u8]) -> Option<Range<usize>> {
    let at = memchr::memchr(b' ', token)? + 1;
    let at = at + usize::from(matches!(token.get(at), Some(b'"' | b'\'')));
    after(token, at)
}

fn in_address(token: &[u8]) -> Option<Range<usize>> {
    let colon = memchr::memchr(b':', &token[3..])? + 3;
    let password = &token[colon + 1..token.len() - 1];
    let stands_for_one = matches!(password.first(), Some(b'$' | b'{' | b'*' | b'[' | b'%'));
    // A port, as in a mirror of another address.
    (!stands_for_one && password != b"x-oauth-basic").then_some(colon + 1..token.len() - 1)
}
