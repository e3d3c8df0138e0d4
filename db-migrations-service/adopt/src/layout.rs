//! The tools.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whose folder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `1_name.up.sql`, `1_name.down.sql`
    GolangMigrate,
    /// `1_name.sql`, or with `.up.sql` and `.down.sql`
    Sqlx,
    /// `1_name.sql` with `-- migrate:up` and `-- migrate:down`
    Dbmate,
    /// `1_name.sql` with `-- +goose Up` and `-- +goose Down`
    Goose,
    /// `V1.2__name.sql`, `U1.2__name.sql`
    Flyway,
    /// `2024-01-31-120000_name/up.sql`, `down.sql`
    Diesel,
    /// `V1__name.sql`
    Refinery,
    /// `20240131120000_name/migration.sql`
    Prisma,
    /// `sqitch.plan`, `deploy/name.sql`, `revert/name.sql`
    Sqitch,
    /// `001_name.sql`, with or without `001_name.down.sql`; no history table
    Numbered,
}

impl Layout {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::GolangMigrate,
        Self::Sqlx,
        Self::Dbmate,
        Self::Goose,
        Self::Flyway,
        Self::Diesel,
        Self::Refinery,
        Self::Prisma,
        Self::Sqitch,
        Self::Numbered,
    ];

    /// Its name, as the catalogue writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GolangMigrate => "golang-migrate",
            Self::Sqlx => "sqlx",
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::Flyway => "flyway",
            Self::Diesel => "diesel",
            Self::Refinery => "refinery",
            Self::Prisma => "prisma",
            Self::Sqitch => "sqitch",
            Self::Numbered => "numbered",
        }
    }

    /// What its history table is called where nobody says otherwise; `None` for one without.
    pub fn history_table(self) -> Option<&'static str> {
        Some(match self {
            Self::GolangMigrate | Self::Dbmate => "schema_migrations",
            Self::Sqlx => "_sqlx_migrations",
            Self::Goose => "goose_db_version",
            Self::Flyway => "flyway_schema_history",
            Self::Diesel => "__diesel_schema_migrations",
            Self::Refinery => "refinery_schema_history",
            Self::Prisma => "_prisma_migrations",
            Self::Sqitch => "changes",
            Self::Numbered => return None,
        })
    }

    /// The tool runs them in the order of their names as texts, not as numbers.
    pub(crate) fn orders_by_text(self) -> bool {
        matches!(self, Self::Dbmate | Self::Diesel | Self::Prisma)
    }

    /// Its history says in which order it has applied them.
    pub fn keeps_order(self) -> bool {
        !matches!(self, Self::GolangMigrate | Self::Dbmate | Self::Numbered)
    }

    /// Reads files in folders below, whatever they are called.
    pub(crate) fn looks_below(self) -> bool {
        matches!(self, Self::Flyway | Self::Refinery)
    }

    /// A file as it should be named.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::GolangMigrate => "<version>_<name>.up.sql or .down.sql",
            Self::Sqlx => "<version>_<name>.sql, or .up.sql and .down.sql",
            Self::Dbmate | Self::Goose => "<version>_<name>.sql",
            Self::Flyway => "V<version>__<name>.sql, with U<version>__<name>.sql for the way back",
            Self::Diesel => "<version>_<name>/up.sql, with down.sql beside it",
            Self::Refinery => "V<version>__<name>.sql or U<version>__<name>.sql",
            Self::Prisma => "<version>_<name>/migration.sql",
            Self::Sqitch => "deploy/<name>.sql, and put it into sqitch.plan",
            Self::Numbered => "<number>_<name>.sql, with <number>_<name>.down.sql for the way back",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of the tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no tool whose folders are read; use one of: {known}", known = Layout::ALL.map(Layout::as_str).join(", "))]
pub struct UnknownLayout(String);

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(text: &str) -> Result<Self, UnknownLayout> {
        let same = |layout: &Self| layout.as_str() == text;
        Self::ALL.into_iter().find(same).ok_or_else(|| UnknownLayout(text.to_owned()))
    }
}
