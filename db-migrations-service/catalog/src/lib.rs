//! What a schema is: every object of a database in one canonical form, its fingerprint, and the difference of two.
//!
//! A rollback is proven, and drift is found, by comparing what the catalog said then with what it says now. So a
//! [`Snapshot`] holds every object of the chosen schemas as named properties in a form that depends neither on the
//! order in which the objects were made nor on the version of the server; a [`Fingerprint`] is a Merkle tree of
//! SHA-256 over it, and [`difference()`] tells two of them apart in words that a person reads.
//!
//! # What is canonical, and how far
//! The server's own deparser (`pg_get_viewdef` and its kin) says what a definition is, with nothing on the search path
//! and in fixed formats. PostgreSQL 14 to 18 word the same definition differently in two places, which [`Snapshot`]
//! evens out: which words are quoted as keywords, and the qualifiers of columns in a view that reads one relation. For
//! that, such a view's qualifiers are taken away, so `s.t` and `t` of such a view's columns read the same.
//! Other wordings may differ for rarer constructs; two servers of one version never differ.
//!
//! Real differences between versions stay differences, because migrations feel them: on PostgreSQL 14 everybody may
//! create in `public` until that is revoked; ALL on a table includes MAINTAIN since 17 (both are rendered ALL). Names
//! of NOT NULL constraints, which only PostgreSQL 18 keeps, and comments on them are left out.
//!
//! # What it does not hold
//! Data, values of sequences, whether a materialized view is filled, sizes, statistics gathered; members of extensions
//! (the extension and its version stand for them); conversions, procedural languages, text search parsers and
//! templates, foreign servers, subscriptions, large objects, roles and settings of the database.

mod object;
mod snapshot;
mod read;
mod follow;
mod grants;
mod canonical;
mod fingerprint;
mod difference;
mod words;

pub use difference::{Difference, difference};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use follow::Follower;
pub use object::{Kind, ObjectId, Properties};
pub use read::{ReadError, Scope};
pub use snapshot::Snapshot;
