//! What the catalog says about a project's schemas, as `catalog.sql` answers it.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The schemas of a project, in the order in which they can be created.
#[derive(Debug, Clone)]
pub struct Model {
    /// The project's name.
    pub project: String,
    /// Schemas: what others reference comes first.
    pub schemas: Vec<Schema>,
}

/// One schema.
#[derive(Debug, Clone, Deserialize)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
    /// The service that owns it; filled in from the catalogue.
    #[serde(skip)]
    pub service: Option<String>,
    /// Tables and views, by name.
    pub tables: Vec<Table>,
    /// Functions and procedures, by name.
    pub functions: Vec<Function>,
}

/// A table or a view.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Its name within the schema.
    pub name: String,
    /// `relkind`: r table, p partitioned, v view, m materialized view.
    pub kind: String,
    /// Its comment.
    pub comment: Option<String>,
    /// Row level security is enabled.
    pub row_security: bool,
    /// … and forced, so that it binds the owner too.
    pub force_row_security: bool,
    /// Columns in their order.
    pub columns: Vec<Column>,
    /// Primary key, unique, foreign keys, checks, exclusions; by kind, then name.
    pub constraints: Vec<Constraint>,
    /// Indexes by name, those of constraints included.
    pub indexes: Vec<Index>,
    /// Triggers by name.
    pub triggers: Vec<Trigger>,
    /// Policies by name.
    pub policies: Vec<Policy>,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `format_type`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// NOT NULL.
    pub not_null: bool,
    /// Its default's expression.
    pub default: Option<String>,
    /// The expression of a generated column.
    pub generated: Option<String>,
    /// `always` or `by default`.
    pub identity: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A constraint of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// `contype`: p, u, f, c, x.
    pub kind: String,
    /// `pg_get_constraintdef`.
    pub definition: String,
    /// The columns that it is about.
    pub columns: Vec<String>,
    /// Foreign keys: the schema referenced.
    pub foreign_schema: Option<String>,
    /// Foreign keys: the table referenced.
    pub foreign_table: Option<String>,
    /// Foreign keys: the columns referenced.
    pub foreign_columns: Vec<String>,
    /// Foreign keys: what a delete over there does here.
    pub on_delete: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// An index.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Its name.
    pub name: String,
    /// `pg_get_indexdef`.
    pub definition: String,
    /// It is unique.
    pub unique: bool,
    /// It belongs to a primary key, unique or exclusion constraint.
    pub of_constraint: bool,
    /// Its comment: the query that it serves.
    pub comment: Option<String>,
}

/// A trigger.
#[derive(Debug, Clone, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `pg_get_triggerdef`.
    pub definition: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// A row-level policy.
#[derive(Debug, Clone, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Permissive policies are joined by OR, restrictive ones by AND.
    pub permissive: bool,
    /// select, insert, update, delete or all.
    pub command: String,
    /// The roles that it is for.
    pub roles: Vec<String>,
    /// Which rows are seen.
    pub using: Option<String>,
    /// Which rows may be written.
    pub check: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A function or procedure.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its arguments, with names and defaults.
    pub arguments: String,
    /// What it returns; nothing for a procedure.
    pub result: Option<String>,
    /// immutable, stable or volatile.
    pub volatility: String,
    /// It runs with its owner's rights.
    pub security_definer: bool,
    /// sql, plpgsql …
    pub language: String,
    /// Its comment.
    pub comment: Option<String>,
}

impl Model {
    /// Puts the schemas in an order in which they can be created; between equals, and in circles, the order of
    /// `owners` decides, which lists every schema with the service that owns it.
    pub fn new(project: &str, owners: &[(String, String)], mut schemas: Vec<Schema>) -> Self {
        let place = |name: &str| owners.iter().position(|(schema, _)| schema == name).unwrap_or(usize::MAX);
        for schema in &mut schemas {
            schema.service = owners.get(place(&schema.name)).map(|(_, service)| service.clone());
        }
        schemas.sort_by_key(|schema| place(&schema.name));
        let mut ordered: Vec<Schema> = Vec::with_capacity(schemas.len());
        while !schemas.is_empty() {
            let blocked = |schema: &Schema| {
                let needs = schema.references();
                schemas.iter().any(|other| needs.contains(&other.name))
            };
            let next = schemas.iter().position(|schema| !blocked(schema)).unwrap_or(0);
            ordered.push(schemas.remove(next));
        }
        Self { project: project.to_owned(), schemas: ordered }
    }

    /// Looks a table up.
    pub fn table(&self, schema: &str, table: &str) -> Option<&Table> {
        self.schemas.iter().find(|s| s.name == schema)?.tables.iter().find(|t| t.name == table)
    }

    /// The foreign keys that point at a table: schema, table and constraint, in the model's order.
    pub fn references_to(&self, schema: &str, table: &str) -> Vec<(&Schema, &Table, &Constraint)> {
        let mut found = Vec::new();
        for s in &self.schemas {
            for t in &s.tables {
                found.extend(t.foreign_keys().filter(|k| k.points_at(schema, table)).map(|k| (s, t, k)));
            }
        }
        found
    }
}

impl Schema {
    /// The other schemas that its foreign keys point into.
    pub fn references(&self) -> BTreeSet<String> {
        let keys = self.tables.iter().flat_map(Table::foreign_keys);
        keys.filter_map(|k| k.foreign_schema.clone()).filter(|name| *name != self.name).collect()
    }
}

impl Table {
    /// Whether it is a view of either kind.
    pub fn is_view(&self) -> bool {
        matches!(self.kind.as_str(), "v" | "m")
    }

    /// Its foreign keys, by name.
    pub fn foreign_keys(&self) -> impl Iterator<Item = &Constraint> {
        self.constraints.iter().filter(|c| c.kind == "f")
    }

    /// Whether the column is in the primary key.
    pub fn is_primary(&self, column: &str) -> bool {
        self.in_constraint("p", column)
    }

    /// Whether the column is in a foreign key.
    pub fn is_foreign(&self, column: &str) -> bool {
        self.in_constraint("f", column)
    }

    /// Whether the column alone is unique.
    pub fn is_unique(&self, column: &str) -> bool {
        self.constraints.iter().any(|c| matches!(c.kind.as_str(), "u" | "p") && c.columns == [column])
    }

    fn in_constraint(&self, kind: &str, column: &str) -> bool {
        self.constraints.iter().any(|c| c.kind == kind && c.columns.iter().any(|x| x == column))
    }
}

impl Column {
    /// The type in the words people type.
    pub fn short_type(&self) -> String {
        self.data_type
            .replace("character varying", "varchar")
            .replace("timestamp with time zone", "timestamptz")
            .replace("timestamp without time zone", "timestamp")
            .replace("time without time zone", "time")
            .replace("double precision", "float8")
    }
}

impl Constraint {
    /// Whether it is a foreign key to that table.
    pub fn points_at(&self, schema: &str, table: &str) -> bool {
        self.foreign_schema.as_deref() == Some(schema) && self.foreign_table.as_deref() == Some(table)
    }
}
