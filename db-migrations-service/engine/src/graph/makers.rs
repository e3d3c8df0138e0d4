//! Which pending migrations make an object.
//!
//! A thousand migrations make some twenty thousand columns, indexes and tables. Nobody asks for their names again, only
//! whether a name is among them, so what is kept of each is a hash of 128 bits.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use sql_grammar::{ObjectKind, ObjectName};

/// A name of some kind. Two names share one with a probability of 2⁻¹⁰⁰ in a set of a thousand migrations, and nobody can
/// look for such a pair: the keys are drawn anew by every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark([u64; 2]);

impl Mark {
    pub(super) fn of(object: &ObjectName) -> Self {
        Self::new(object.kind, &object.name.schema, &object.name.name)
    }

    fn new(kind: ObjectKind, schema: &str, name: &str) -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
        Self(KEYS.each_ref().map(|key| key.hash_one((kind, schema, name))))
    }
}

/// Pairs of an object and the index of a migration that makes it, sorted.
#[derive(Debug)]
pub(super) struct Makers(Vec<(Mark, u32)>);

impl Makers {
    /// `made` yields what each migration makes, in their order.
    pub(super) fn new(made: impl Iterator<Item = Box<[Mark]>>) -> Self {
        let mut all = Vec::new();
        for (at, marks) in made.enumerate() {
            all.extend(marks.iter().map(|mark| (*mark, at as u32)));
        }
        all.sort_unstable();
        Self(all)
    }

    /// Those that make `object`, lowest index first.
    pub(super) fn of(&self, object: &ObjectName) -> impl Iterator<Item = usize> {
        self.marked(Mark::of(object))
    }

    /// Whether any makes it.
    pub(super) fn make(&self, kind: ObjectKind, schema: &str, name: &str) -> bool {
        self.marked(Mark::new(kind, schema, name)).next().is_some()
    }

    fn marked(&self, mark: Mark) -> impl Iterator<Item = usize> {
        let from = self.0.partition_point(|(other, _)| *other < mark);
        self.0[from..].iter().take_while(move |(other, _)| *other == mark).map(|(_, at)| *at as usize)
    }
}
