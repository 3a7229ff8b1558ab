//! What has come of an answer so far.

use serde_json::Value;

use super::fault::Fault;
use crate::domain::run::Usage;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Whole,
    /// The model may say no more.
    Cut,
    /// The service does not let it say this.
    Filtered,
}

/// What has come of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How much of each text is kept, in bytes.
    limit: usize,
    words: String,
    /// What a tool was called with, which is the answer where a schema was asked for.
    arguments: String,
    refusal: String,
    /// Whether something was left out.
    pub(super) is_clipped: bool,
    /// What was said since somebody took it.
    news: String,
    pub(super) usage: Usage,
    /// The figures that `usage` is made of, for an API that tells them in parts.
    pub(super) counts: [Option<u64>; 4],
    /// `None` while it has not ended.
    pub(super) stop: Option<Stop>,
    /// The error that the answer told of.
    pub(super) fault: Option<Fault>,
}

impl Heard {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn say(&mut self, piece: &str) {
        let kept = keep(&mut self.words, piece, self.limit);
        self.is_clipped |= kept < piece.len();
        self.news.push_str(&piece[..kept]);
    }

    pub(super) fn add_arguments(&mut self, piece: &str) {
        self.is_clipped |= keep(&mut self.arguments, piece, self.limit) < piece.len();
    }

    pub(super) fn refuse(&mut self, piece: &str) {
        self.is_clipped |= keep(&mut self.refusal, piece, self.limit) < piece.len();
    }

    pub(super) fn has_said(&self) -> bool {
        !self.words.is_empty() || !self.refusal.is_empty()
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }

    pub(super) fn arguments(&self) -> &str {
        &self.arguments
    }

    /// Returns why the model will not do it; empty if it does.
    pub(super) fn refusal(&self) -> &str {
        &self.refusal
    }

    /// Returns what was said since the last call.
    pub(super) fn take_news(&mut self) -> String {
        std::mem::take(&mut self.news)
    }
}

/// Adds as much of `piece` as there is room for. Returns how much that is, in bytes.
fn keep(text: &mut String, piece: &str, limit: usize) -> usize {
    let mut room = limit.saturating_sub(text.len()).min(piece.len());
    while !piece.is_char_boundary(room) {
        room -= 1;
    }
    text.push_str(&piece[..room]);
    room
}

/// Returns a number of tokens; `None` for what is no number.
pub(super) fn amount(value: &Value) -> Option<u64> {
    /// More than anything uses: what is said beyond it is not believed.
    const MAX: u64 = 1 << 50;

    value.as_u64().filter(|amount| *amount <= MAX)
}

/// Returns what a request cost in millionths of a dollar, where the service says it.
pub(super) fn cost_of(usage: &Value) -> Option<u64> {
    /// A million dollars.
    const MAX_MICROS: f64 = 1e12;

    let micros = usage["cost"].as_f64()? * 1e6;
    // Checked: it is neither negative nor large.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in bounds")]
    (0.0..=MAX_MICROS).contains(&micros).then(|| micros.round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut heard = Heard::new(5);
        heard.say("abé");
        assert!(!heard.is_clipped);
        heard.say("éf");
        assert_eq!((heard.words(), heard.is_clipped), ("abé", true));
        assert_eq!(heard.take_news(), "abé");
        assert_eq!(heard.take_news(), "");
    }

    #[test]
    fn what_is_no_amount_is_unknown() {
        for value in [json!(null), json!(-1), json!("3"), json!(1.5), json!(u64::MAX)] {
            assert_eq!(amount(&value), None, "{value}");
        }
        assert_eq!(amount(&json!(0)), Some(0));
        assert_eq!(cost_of(&json!({"cost": 0.0123})), Some(12_300));
        for cost in [json!(null), json!(-0.5), json!(1e300), json!("1")] {
            assert_eq!(cost_of(&json!({ "cost": cost })), None);
        }
    }
}
