//! What one statement does to a schema, read off its parse tree.

mod alone;
mod code;
mod forbidden;
mod objects;
mod walk;

use std::collections::BTreeSet;

use crate::parse::Statement;

pub use alone::Alone;

/// What sort of thing a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A schema; its name is in both parts.
    Schema,
    /// A table, view, index, sequence: they share one name space.
    Relation,
    /// A function, procedure or aggregate; overloads are not told apart.
    Routine,
    /// A type or domain.
    Type,
    /// A column; the name is `relation.column`.
    Column,
}

/// `schema.name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The schema.
    pub schema: String,
    /// The name within it.
    pub name: String,
}

impl std::fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// An object by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it is.
    pub name: QualifiedName,
}

/// A use of an object that the statement does not create.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What is used.
    pub object: ObjectName,
    /// Where the name stands, in bytes from the start of the file, where the parser tells.
    pub byte: Option<usize>,
}

/// What one statement does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Objects that it creates (or renames something to).
    pub creates: BTreeSet<ObjectName>,
    /// Temporary tables that it creates, as if they lay in the default schema: nobody else can mean them.
    pub temporary: BTreeSet<ObjectName>,
    /// Objects that it drops (or renames away).
    pub drops: BTreeSet<ObjectName>,
    /// Relations, columns, types and routines whose definition it changes.
    pub alters: BTreeSet<ObjectName>,
    /// Columns that it gives another type.
    pub retypes: BTreeSet<ObjectName>,
    /// Objects that must exist for it to run.
    pub references: BTreeSet<Reference>,
    /// Dotted names inside strings that the server reads later (function bodies, `DO`): perhaps references.
    pub mentions: BTreeSet<QualifiedName>,
    /// Names of columns used anywhere in it, whosever they are.
    pub columns: BTreeSet<String>,
    /// Why it cannot run inside a transaction.
    pub alone: Option<Alone>,
    /// Adds a value to an enum: it may run in a transaction, but what comes after may use the value only once that
    /// has been committed.
    pub commit_before_use: bool,
    /// Why no migration may contain it.
    pub forbidden: Option<&'static str>,
    /// Sets a configuration parameter for the rest of the session.
    pub sets_session: bool,
    /// It may run code of its author: a body, a trigger, a default, a cast.
    pub runs_code: bool,
    /// It writes rows: INSERT, UPDATE, DELETE, MERGE.
    pub writes_rows: bool,
}

/// Reads the facts off `statement`. Relations named without a schema are taken to lie in
/// `default_schema`, which leads the search path when the statement runs.
pub fn facts(statement: &Statement, default_schema: &str) -> Facts {
    let mut facts = Facts {
        alone: alone::alone(statement, default_schema),
        forbidden: forbidden::forbidden(statement),
        runs_code: code::runs_code(statement),
        writes_rows: matches!(statement.node.as_str(), "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt"),
        ..Facts::default()
    };
    walk::walk(statement, default_schema, &mut facts);
    objects::objects(statement, default_schema, &mut facts);
    // What a statement makes itself is no reference, whichever way it is spelled.
    let own: BTreeSet<_> = facts.creates.clone();
    facts.references.retain(|reference| !own.contains(&reference.object));
    facts
}

#[cfg(test)]
mod tests;
