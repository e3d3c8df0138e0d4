//! Databases that are there for as long as somebody works on them.
//!
//! Each is claimed by an advisory lock of a session of whoever works on it, which ends with their process: one that nobody claims was
//! left behind. All claims are sessions on the database `postgres`, for advisory locks count per database.

use crate::quote::{identifier, literal};
use crate::session::{AdminConn, BatchError};

/// One kind of such databases: its number is the first half of that of each lock, the other is of the database's name.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseClaims(i32);

impl DatabaseClaims {
    /// The kind of this number, which no other kind has.
    pub const fn of(number: i32) -> Self {
        Self(number)
    }

    /// Says that the database `name` is worked on, until `session` ends. Waits for whoever says so already.
    ///
    /// # Errors
    /// The server refuses, or is lost.
    pub async fn claim(self, session: &AdminConn, name: &str) -> Result<(), BatchError> {
        // It is idle as long as the work takes.
        let claim = format!("SET idle_session_timeout = 0; SELECT pg_advisory_lock({})", self.lock(name));
        session.batch(&claim).await.map(drop)
    }

    /// Drops the databases for which `condition` over `pg_database` holds and which nobody claims, telling `dropping` of each
    /// before. Returns how many.
    ///
    /// # Errors
    /// The server refuses, or is lost.
    pub async fn sweep(self, session: &AdminConn, condition: &str, dropping: fn(&str)) -> Result<usize, BatchError> {
        // The right to drop it is the owner's; others' are others' to sweep.
        let query =
            format!("SELECT datname FROM pg_database WHERE ({condition}) AND pg_has_role(datdba, 'USAGE') ORDER BY 1");
        let found = session.batch(&query).await?;
        let mut dropped = 0;
        for name in found.rows().filter_map(|row| row.first().cloned().flatten()) {
            let lock = self.lock(&name);
            let free = session.batch(&format!("SELECT pg_try_advisory_lock({lock})")).await?;
            if free.value(0, 0) == Some("t") {
                dropping(&name);
                session.batch(&drop_database(&name)).await?;
                session.batch(&format!("SELECT pg_advisory_unlock({lock})")).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    fn lock(self, name: &str) -> String {
        format!("{}, hashtext({})", self.0, literal(name))
    }
}

/// The statement that drops a database, whoever is connected to it.
pub fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name))
}
