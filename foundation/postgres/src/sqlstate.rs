//! The SQLSTATE codes this workspace decides by, named once.
//!
//! Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. Only codes that some code branches on
//! stand here; for people the server's own message says more than a list would.

/// Class 08: the connection to the server is gone.
pub const CLASS_CONNECTION: &str = "08";
/// Class 28: who connects is not accepted (wrong password, no matching `pg_hba.conf` line).
pub const CLASS_INVALID_AUTHORIZATION: &str = "28";
/// The client and the server lost track of each other's messages.
pub const PROTOCOL_VIOLATION: &str = "08P01";
/// A statement that cannot run inside a transaction block did.
pub const ACTIVE_SQL_TRANSACTION: &str = "25001";
/// A write in a transaction that only reads.
pub const READ_ONLY_SQL_TRANSACTION: &str = "25006";
/// The transaction has failed already; only ROLLBACK is accepted.
pub const IN_FAILED_SQL_TRANSACTION: &str = "25P02";
/// `idle_in_transaction_session_timeout` ran out, and the session with it.
pub const IDLE_IN_TRANSACTION_TIMEOUT: &str = "25P03";
/// There is no prepared statement of this name.
pub const INVALID_SQL_STATEMENT_NAME: &str = "26000";
/// No `pg_hba.conf` line lets this client in, or the role does not exist or may not log in.
pub const INVALID_AUTHORIZATION: &str = "28000";
/// The password is wrong.
pub const INVALID_PASSWORD: &str = "28P01";
/// The database does not exist.
pub const INVALID_CATALOG_NAME: &str = "3D000";
/// The schema does not exist.
pub const INVALID_SCHEMA_NAME: &str = "3F000";
/// A NOT NULL column was given NULL.
pub const NOT_NULL_VIOLATION: &str = "23502";
/// A foreign key has no row to point at, or a row that is pointed at was removed.
pub const FOREIGN_KEY_VIOLATION: &str = "23503";
/// A unique constraint or index refused a duplicate.
pub const UNIQUE_VIOLATION: &str = "23505";
/// A CHECK constraint refused the row.
pub const CHECK_VIOLATION: &str = "23514";
/// An exclusion constraint found the row in the way of another.
pub const EXCLUSION_VIOLATION: &str = "23P01";
/// A serializable transaction has to be tried again.
pub const SERIALIZATION_FAILURE: &str = "40001";
/// PostgreSQL broke a deadlock by ending this transaction.
pub const DEADLOCK_DETECTED: &str = "40P01";
/// The SQL does not parse.
pub const SYNTAX_ERROR: &str = "42601";
/// The role may not do this.
pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The table or view does not exist.
pub const UNDEFINED_TABLE: &str = "42P01";
/// The column does not exist.
pub const UNDEFINED_COLUMN: &str = "42703";
/// The object, most often a role, does not exist.
pub const UNDEFINED_OBJECT: &str = "42704";
/// The table exists already.
pub const DUPLICATE_TABLE: &str = "42P07";
/// The object, most often a role, exists already.
pub const DUPLICATE_OBJECT: &str = "42710";
/// The database exists already.
pub const DUPLICATE_DATABASE: &str = "42P04";
/// A disk is full.
pub const DISK_FULL: &str = "53100";
/// `max_connections`, or the limit of the role or database, is reached.
pub const TOO_MANY_CONNECTIONS: &str = "53300";
/// The database or role is used by other sessions.
pub const OBJECT_IN_USE: &str = "55006";
/// `lock_timeout` ran out, or NOWAIT found the lock taken.
pub const LOCK_NOT_AVAILABLE: &str = "55P03";
/// `statement_timeout` ran out, or somebody cancelled the statement.
pub const QUERY_CANCELED: &str = "57014";
/// The session was ended by an administrator or a shutdown of the server.
pub const ADMIN_SHUTDOWN: &str = "57P01";
/// The session was ended because another server process crashed.
pub const CRASH_SHUTDOWN: &str = "57P02";
/// The server starts up, shuts down or recovers, and takes no sessions now.
pub const CANNOT_CONNECT_NOW: &str = "57P03";
/// The database of this session was dropped.
pub const DATABASE_DROPPED: &str = "57P04";
/// The session was idle longer than `idle_session_timeout`.
pub const IDLE_SESSION_TIMEOUT: &str = "57P05";
