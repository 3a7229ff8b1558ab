//! Markdown of others, made to fit below a heading of ours.

use crate::domain::text::markdown::{self, Kind, lines};
use crate::domain::text::multi_line;

/// Returns Markdown without front matter and title, its headings of the third level at least, so that no
/// section of it can be taken for one of the file it becomes a part of. A fence that is left open is closed.
pub fn below_heading(text: &str) -> String {
    let text = multi_line(text);
    let body = &text[markdown::body_offset(&text)..];
    let mut out: Vec<String> = Vec::new();
    let mut has_title = false;
    for line in lines(body) {
        let (level, heading) = match line.kind {
            Kind::Heading(level) => (level, line.text.to_owned()),
            Kind::Underline(level) => (level, out.pop().unwrap_or_default().trim().to_owned()),
            _ => {
                out.push(line.raw.to_owned());
                continue;
            }
        };
        if level == 1 && !has_title {
            has_title = true;
            continue;
        }
        out.push(format!("{} {heading}", "#".repeat((level + 1).clamp(3, 6))));
    }
    let mut out = multi_line(&out.join("\n"));
    if let Some(fence) = markdown::unclosed_fence(&out) {
        out.push('\n');
        out.push_str(&fence);
    }
    out
}
