//! Output in lines, without trust in their length.

/// How long an event may be. A longer one is passed over.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// Splits bytes into lines, and holds one at most.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    is_cut: bool,
    n_cut: usize,
}

impl Lines {
    /// Gives each line that is whole to `take`, without its end; empty ones are none.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            self.add(&bytes[..at]);
            self.finish(&mut take);
            bytes = &bytes[at + 1..];
        }
        self.add(bytes);
    }

    /// Gives what is left to `take`, if it is anything.
    pub(super) fn finish(&mut self, mut take: impl FnMut(&[u8])) {
        if std::mem::take(&mut self.is_cut) {
            self.n_cut += 1;
        } else if !self.line.trim_ascii().is_empty() {
            take(self.line.trim_ascii());
        }
        self.line.clear();
        // One long line must not hold its memory for the rest of the run.
        self.line.shrink_to(64 * 1024);
    }

    /// Returns how many lines were too long.
    pub(super) fn n_cut(&self) -> usize {
        self.n_cut
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.is_cut {
            return;
        }
        if self.line.len() + bytes.len() > MAX_LINE {
            self.is_cut = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }
}

/// The last bytes of what was said.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    limit: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        // No more than counts, however much comes at once.
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.limit * 2 {
            self.bytes.drain(..self.bytes.len() - self.limit);
        }
    }

    /// Returns them as a text; what is none is marked.
    pub(super) fn text(&self) -> String {
        let surplus = self.bytes.len().saturating_sub(self.limit);
        String::from_utf8_lossy(&self.bytes[surplus..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_come() {
        let text = b"one\r\n\n  two  \nthree";
        for size in 1..text.len() {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.feed(piece, |line| got.push(String::from_utf8_lossy(line).into_owned()));
            }
            lines.finish(|line| got.push(String::from_utf8_lossy(line).into_owned()));
            assert_eq!((got.join("|").as_str(), lines.n_cut()), ("one|two|three", 0), "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_held() {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..1024 {
            lines.feed(&piece, |_| panic!("there is no whole line"));
            assert!(lines.line.capacity() <= 2 * MAX_LINE);
        }
        lines.feed(b"\nshort\n", |line| got.push(line.to_vec()));
        assert_eq!((got, lines.n_cut()), (vec![b"short".to_vec()], 1));
        assert!(lines.line.capacity() <= 64 * 1024);
    }

    #[test]
    fn the_end_of_what_was_said_is_kept() {
        let mut tail = Tail::new(5);
        tail.add(b"0123456789");
        tail.add(b"ab\xff");
        assert_eq!(tail.text(), "89ab\u{fffd}");
    }
}
