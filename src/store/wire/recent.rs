//! What was read lately: lines repeat names, and what is shared need not be made again.

/// How many are remembered.
const N_KEPT: usize = 8;

/// Values by the text they were made of.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: Vec<(Box<str>, T)>,
    /// Which one is forgotten next.
    oldest: usize,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), oldest: 0 }
    }
}

impl<T: Clone> Recent<T> {
    /// Returns what was made of `text`, or makes it.
    pub(super) fn shared(&mut self, text: &str, make: impl FnOnce(&str) -> T) -> T {
        if let Some((_, made)) = self.entries.iter().find(|(known, _)| **known == *text) {
            return made.clone();
        }
        let made = make(text);
        let entry = (text.into(), made.clone());
        if self.entries.len() < N_KEPT {
            self.entries.push(entry);
        } else {
            self.entries[self.oldest] = entry;
            self.oldest = (self.oldest + 1) % N_KEPT;
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_what_was_made_of_it() {
        let mut recent = Recent::default();
        let mut n_made = 0;
        for n in (0..N_KEPT).chain(0..N_KEPT).chain(0..3 * N_KEPT) {
            let made = recent.shared(&n.to_string(), |text| {
                n_made += 1;
                text.len() + n
            });
            assert_eq!(made, n.to_string().len() + n);
        }
        assert_eq!((n_made, recent.entries.len()), (3 * N_KEPT, N_KEPT));
    }
}
