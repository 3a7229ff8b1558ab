//! Looking at what was read.

use std::borrow::Cow;
use std::cell::Cell;

use super::Value;
use super::read::{Kind, NULL, Node, unescape};

/// A value within a text that was read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its own node is the first; others may follow that are not below it.
    nodes: &'a [Node<'a>],
}

impl<'a> View<'a> {
    /// Looks at the first node, and at what lies below it.
    pub(super) fn of(nodes: &'a [Node<'a>]) -> Self {
        Self { nodes }
    }

    /// What is not there.
    pub const NULL: Self = Self { nodes: &[NULL] };

    fn node(self) -> &'a Node<'a> {
        self.nodes.first().unwrap_or(&NULL)
    }

    fn is(self, kind: Kind) -> bool {
        self.node().kind == kind
    }

    fn below(self) -> &'a [Node<'a>] {
        self.nodes.get(1..=self.node().n_below as usize).unwrap_or_default()
    }

    /// Returns the text of an object, as it is spelled.
    pub fn object_text(self) -> Option<&'a str> {
        self.is(Kind::Obj).then(|| self.node().text)
    }

    /// Returns the members of an object in the order of the text; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let mut rest = if self.is(Kind::Obj) { self.below() } else { &[] };
        std::iter::from_fn(move || {
            let (key, value) = (View { nodes: rest }.as_str()?, View { nodes: rest.get(1..)? });
            rest = rest.get(2 + value.node().n_below as usize..)?;
            Some((key, value))
        })
    }

    /// Returns the member `key`, unless it is absent, null, or this is no object.
    pub fn get(self, key: &str) -> Option<Self> {
        self.get_near(&Cell::new(0), key)
    }

    /// As [`Self::get`], for who reads many members: those that are asked for in the order of the text
    /// are found at once. `at` remembers the place; it begins as 0.
    pub fn get_near(self, at: &Cell<usize>, key: &str) -> Option<Self> {
        let members = if self.is(Kind::Obj) { self.below() } else { return None };
        let end = members.len();
        let (mut place, begin) = (at.get(), at.get());
        loop {
            let value = View { nodes: members.get(place + 1..)? };
            let next = place + 2 + value.node().n_below as usize;
            let next = if next < end { next } else { 0 };
            if members[place].says(key) {
                at.set(next);
                return (!value.is(Kind::Null)).then_some(value);
            }
            place = next;
            if place == begin {
                return None;
            }
        }
    }

    /// Returns the items of an array.
    pub fn items(self) -> Option<impl Iterator<Item = Self>> {
        let mut rest = if self.is(Kind::Arr) { self.below() } else { return None };
        Some(std::iter::from_fn(move || {
            let item = View { nodes: rest };
            rest = rest.get(1 + item.node().n_below as usize..)?;
            Some(item)
        }))
    }

    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        match node.kind {
            Kind::Str => Some(Cow::Borrowed(node.text)),
            Kind::Escaped => unescape(node.text).ok().map(|(text, _)| Cow::Owned(text)),
            _ => None,
        }
    }

    pub fn as_u64(self) -> Option<u64> {
        if self.is(Kind::Number) { self.node().text.parse().ok() } else { None }
    }

    pub fn as_i64(self) -> Option<i64> {
        if self.is(Kind::Number) { self.node().text.parse().ok() } else { None }
    }

    pub fn as_bool(self) -> Option<bool> {
        match self.node().kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// Returns the same value as one that can be written, with the members of objects sorted.
    pub fn to_value(self) -> Value<'a> {
        match self.node().kind {
            Kind::Null => Value::Null,
            Kind::False => Value::False,
            Kind::True => Value::True,
            Kind::Number => {
                self.as_i64().map_or_else(|| Value::UInt(self.as_u64().unwrap_or_default()), Value::Int)
            }
            Kind::Str | Kind::Escaped => Value::Str(self.as_str().unwrap_or_default()),
            Kind::Arr => Value::Arr(self.items().into_iter().flatten().map(Self::to_value).collect()),
            Kind::Obj => {
                let mut members: Vec<_> =
                    self.members().map(|(key, value)| (key, value.to_value())).collect();
                members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
                Value::Obj(members)
            }
        }
    }
}
