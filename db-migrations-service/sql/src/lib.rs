//! SQL read with PostgreSQL's own grammar: where statements begin and end, what each creates, changes and references,
//! and whether it can run inside a transaction.
//!
//! It never judges a name: which schema belongs to whom is the engine's business. It does not see into strings that
//! only the server will read (the bodies of PL/pgSQL functions and of `DO`), except for the dotted names in them,
//! which it reports as [`Facts::mentions`].

mod checksum;
mod facts;
mod ffi;
mod parse;
mod position;
mod tokens;
mod update;

pub use checksum::{checksum, sha256_hex};
pub use facts::{Alone, Facts, ObjectKind, ObjectName, QualifiedName, Reference, facts};
pub use parse::{Statement, SyntaxError, parse};
pub use position::{Position, position_at_byte, position_at_char};
pub use tokens::{Token, TokenKind, tokens};
pub use update::{Assignment, NotPlain, Update, update};
