//! Server-sent events, as they come.

/// Takes events out of a stream of bytes. What is longer than the limit is left out, and said to be.
#[derive(Debug)]
pub(super) struct Parser {
    limit: usize,
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// Whether something of the present event was left out.
    is_cut: bool,
    ends_in_cr: bool,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Empty if it has none.
    pub(super) name: String,
    /// `None` if it was too long.
    pub(super) data: Option<String>,
}

impl Parser {
    pub(super) fn new(limit: usize) -> Self {
        let (line, name, data) = (Vec::new(), String::new(), String::new());
        Self { limit, line, name, data, has_data: false, is_cut: false, ends_in_cr: false }
    }

    /// Takes more bytes, and gives each event that is whole to `take`.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut impl FnMut(Event)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at(end);
            // A line ends in CR, LF or both, and both may come in two pieces.
            let is_second_half = rest[end] == b'\n' && end == 0 && self.ends_in_cr;
            self.ends_in_cr = rest[end] == b'\r';
            rest = &after[1..];
            if !is_second_half {
                self.add(line);
                self.end_line(take);
            }
        }
        if !rest.is_empty() {
            self.ends_in_cr = false;
            self.add(rest);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.line.len());
        self.is_cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, take: &mut impl FnMut(Event)) {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            let is_cut = std::mem::take(&mut self.is_cut);
            if std::mem::take(&mut self.has_data) {
                take(Event { name, data: (!is_cut).then_some(data) });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line.as_ref(), ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if self.data.len() + value.len() > self.limit {
                    self.is_cut = true;
                    self.data.clear();
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str], limit: usize) -> Vec<(String, Option<String>)> {
        let mut parser = Parser::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            parser.push(piece.as_bytes(), &mut |event| found.push((event.name, event.data)));
        }
        found
    }

    fn event(name: &str, data: &str) -> (String, Option<String>) {
        (name.to_owned(), Some(data.to_owned()))
    }

    #[test]
    fn events_are_found_however_they_are_cut() {
        let stream = "event: a\r\ndata: 1\r\n\r\n: life\n\ndata: 2\ndata:3\n\rdata: é\r\revent: none\n\n";
        let wanted = [event("a", "1"), event("", "2\n3"), event("", "é")];
        assert_eq!(events(&[stream], 100), wanted);
        let bytes = stream.as_bytes();
        for size in 1..7 {
            let mut parser = Parser::new(100);
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                parser.push(piece, &mut |event| found.push((event.name, event.data)));
            }
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_and_the_next_one_is_whole() {
        let long = "x".repeat(1000);
        let found = events(&["event: big\ndata: ", &long, &long, "\n\ndata: ok\n\n"], 100);
        assert_eq!(found, [("big".to_owned(), None), event("", "ok")]);
        let many = "data: 0123456789\n".repeat(50);
        assert_eq!(events(&[&many, "\ndata: ok\n\n"], 100), [(String::new(), None), event("", "ok")]);
    }
}
