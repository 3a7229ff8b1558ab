//! Sets of small numbers, as bits.

/// A line, or whatever else a content holds, by its number.
pub(crate) type Item = u32;

/// A set of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Items(Vec<u64>);

impl Items {
    pub(crate) fn insert(&mut self, item: Item) {
        let (word, bit) = place(item);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    pub(crate) fn contains(&self, item: Item) -> bool {
        let (word, bit) = place(item);
        self.0.get(word).is_some_and(|held| held & bit != 0)
    }

    /// Takes in all of `other`.
    pub(crate) fn unite(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Returns what is here and in none of `others`, in order.
    pub(crate) fn without<'i>(&'i self, others: &[&'i Self]) -> impl Iterator<Item = Item> + use<'i> {
        let others = others.to_vec();
        self.bits(move |word| others.iter().fold(!0, |left, other| left & !other.word(word)))
    }

    /// Returns what is both here and in `other`, in order.
    pub(crate) fn both<'i>(&'i self, other: &'i Self) -> impl Iterator<Item = Item> + use<'i> {
        self.bits(|word| other.word(word))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Item> + use<'_> {
        self.bits(|_| !0)
    }

    fn word(&self, word: usize) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }

    /// Returns the items of which `mask` has the bits.
    fn bits(&self, mask: impl Fn(usize) -> u64) -> impl Iterator<Item = Item> {
        let words = self.0.iter().enumerate().map(move |(word, bits)| (word, bits & mask(word)));
        words.flat_map(|(word, mut left)| {
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 64).then(|| Item::try_from(word).unwrap() * 64 + bit)
            })
        })
    }
}

impl FromIterator<Item> for Items {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|item| all.insert(item));
        all
    }
}

fn place(item: Item) -> (usize, u64) {
    (item as usize / 64, 1 << (item % 64))
}
