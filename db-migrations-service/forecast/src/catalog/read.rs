//! The catalog of the live database, in one message.

use postgres_link::{AdminConn, BatchError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sql_grammar::QualifiedName;

use super::objects::{Class, Column, Constraint, Object, Part, Relation, Routine, Trigger, Type};
use super::{Catalog, Id};

const SQL: &str = include_str!("read.sql");

/// Reads a [`Catalog`] from a server.
#[derive(Debug)]
pub struct LiveCatalog;

/// The catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The server refused the queries, or the session broke.
    #[error("the catalog could not be read: {0}; let the role read pg_catalog and try again")]
    Query(#[from] BatchError),
    /// The server's answer is not what the queries ask for.
    #[error("the catalog's answer {part} cannot be understood: {source}; check that PostgreSQL is 14 to 18")]
    Answer {
        /// Which of the message's results, from 0.
        part: usize,
        /// What was wrong with it.
        source: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Settings {
    server_version_num: u32,
    search_path: Vec<String>,
    utc: bool,
    user: String,
}

#[derive(Deserialize)]
struct Inherits {
    child: Id,
    parent: Id,
}

#[derive(Deserialize)]
struct Depends {
    class: Class,
    id: Id,
    sub: i32,
    on_class: Class,
    on_id: Id,
    on_sub: i32,
}

impl LiveCatalog {
    /// Reads it within the session's transaction, if it has one open. Names without a schema are looked up along the
    /// session's `search_path`. No lock on a user's relation outlives the message.
    ///
    /// # Errors
    /// [`ReadError`] when the queries fail.
    pub async fn read(conn: &AdminConn) -> Result<Catalog, ReadError> {
        let outcome = conn.batch(SQL).await?;
        let text = |part: usize| outcome.value(part, 0).unwrap_or("null");
        let settings: Settings = json(0, text(0))?;
        let mut catalog = Catalog {
            server_version_num: settings.server_version_num,
            utc: settings.utc,
            user: settings.user,
            search_path: settings.search_path,
            next_id: 4_000_000_000,
            ..Catalog::default()
        };
        for relation in json::<Vec<Relation>>(1, text(1))? {
            catalog.insert(relation);
        }
        for column in json::<Vec<Column>>(2, text(2))? {
            if let Some(relation) = catalog.relations.get_mut(&column.relation) {
                relation.columns.push(column);
            }
        }
        catalog.constraints = json::<Vec<Constraint>>(3, text(3))?.into_iter().map(|c| (c.id, c)).collect();
        catalog.triggers = json::<Vec<Trigger>>(4, text(4))?.into_iter().map(|t| (t.id, t)).collect();
        for edge in json::<Vec<Inherits>>(5, text(5))? {
            catalog.children.entry(edge.parent).or_default().push(edge.child);
        }
        for d in json::<Vec<Depends>>(6, text(6))? {
            let object = Object { class: d.class, id: d.id, sub: d.sub };
            catalog.depends(object, Object { class: d.on_class, id: d.on_id, sub: d.on_sub });
        }
        catalog.parts = json::<Vec<Part>>(7, text(7))?;
        catalog.types = json::<Vec<Type>>(8, text(8))?.into_iter().map(|t| (t.id, t)).collect();
        catalog.binary_casts = json::<Vec<(Id, Id)>>(9, text(9))?.into_iter().collect();
        catalog.routines = json::<Vec<Routine>>(10, text(10))?;
        Ok(catalog)
    }
}

impl Catalog {
    pub(super) fn insert(&mut self, relation: Relation) {
        let name = QualifiedName { schema: relation.schema.clone(), name: relation.name.clone() };
        self.names.insert(name, relation.id);
        self.relations.insert(relation.id, relation);
    }
}

fn json<T: DeserializeOwned>(part: usize, text: &str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|source| ReadError::Answer { part, source })
}
