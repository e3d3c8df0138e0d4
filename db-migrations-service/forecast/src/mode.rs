//! PostgreSQL's eight table-level lock modes.

use serde::{Deserialize, Serialize};

/// A table-level lock mode, weakest first. The order is the order of strength that `pg_locks` readers are used to;
/// conflicts are told by [`LockMode::conflicts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LockMode {
    /// `SELECT`.
    AccessShare,
    /// `SELECT … FOR UPDATE` and its kin.
    RowShare,
    /// `INSERT`, `UPDATE`, `DELETE`, `MERGE`.
    RowExclusive,
    /// `VACUUM`, `CREATE INDEX CONCURRENTLY`, `VALIDATE CONSTRAINT`.
    ShareUpdateExclusive,
    /// `CREATE INDEX`.
    Share,
    /// `CREATE TRIGGER`, `ADD FOREIGN KEY`.
    ShareRowExclusive,
    /// `REFRESH MATERIALIZED VIEW CONCURRENTLY`.
    Exclusive,
    /// Most of `ALTER TABLE`, `DROP`, `TRUNCATE`.
    AccessExclusive,
}

impl LockMode {
    /// All of them, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// The name in `pg_locks.mode`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// The name as the documentation and `LOCK TABLE` write it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Reads the name in `pg_locks.mode`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode of this number in `LOCK TABLE`'s parse tree, 1 for ACCESS SHARE to 8 for ACCESS EXCLUSIVE.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).and_then(|n| Self::ALL.get(n)).copied()
    }

    /// Whether two sessions cannot hold these on one relation at a time (table 13.2 of PostgreSQL's documentation).
    pub const fn conflicts(self, other: Self) -> bool {
        // One bit per mode, ACCESS SHARE the lowest.
        let with = match self {
            Self::AccessShare => 0b1000_0000,
            Self::RowShare => 0b1100_0000,
            Self::RowExclusive => 0b1111_0000,
            Self::ShareUpdateExclusive => 0b1111_1000,
            Self::Share => 0b1110_1100,
            Self::ShareRowExclusive => 0b1111_1100,
            Self::Exclusive => 0b1111_1110,
            Self::AccessExclusive => 0b1111_1111,
        };
        with & (1_u8 << other as u8) != 0
    }

    /// Whether `SELECT` waits for it.
    pub const fn blocks_readers(self) -> bool {
        self.conflicts(Self::AccessShare)
    }

    /// Whether `INSERT`, `UPDATE` and `DELETE` wait for it.
    pub const fn blocks_writers(self) -> bool {
        self.conflicts(Self::RowExclusive)
    }
}

impl std::fmt::Display for LockMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode;

    #[test]
    fn conflicts_are_mutual_and_named() {
        for a in LockMode::ALL {
            assert_eq!(LockMode::from_name(a.name()), Some(a));
            for b in LockMode::ALL {
                assert_eq!(a.conflicts(b), b.conflicts(a), "{a} and {b}");
            }
        }
        assert!(!LockMode::ShareRowExclusive.blocks_readers() && LockMode::ShareRowExclusive.blocks_writers());
        assert!(!LockMode::ShareUpdateExclusive.blocks_writers());
        assert!(!LockMode::Share.conflicts(LockMode::Share));
    }
}
