//! What an object is called.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The properties of an object by their names. A property at its default is absent.
pub type Properties = BTreeMap<String, String>;

macro_rules! kinds {
    ($($variant:ident $words:literal),+ $(,)?) => {
        /// What kind of object it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(
                #[doc = concat!("A ", $words, ".")]
                #[serde(rename = $words)]
                $variant,
            )+
        }

        impl Kind {
            /// Its name in words, for example `materialized view`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)+
                }
            }

            pub(crate) fn from_words(words: &str) -> Option<Self> {
                match words {
                    $($words => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

// In the order in which differences are told: what holds before what hangs on it.
kinds! {
    Schema "schema",
    Extension "extension",
    Table "table",
    ForeignTable "foreign table",
    View "view",
    MaterializedView "materialized view",
    Enum "enum",
    CompositeType "composite type",
    RangeType "range type",
    Domain "domain",
    Type "type",
    Column "column",
    Constraint "constraint",
    Index "index",
    Trigger "trigger",
    Rule "rule",
    Policy "policy",
    Statistics "statistics",
    Sequence "sequence",
    Function "function",
    Procedure "procedure",
    Aggregate "aggregate",
    Operator "operator",
    OperatorClass "operator class",
    Cast "cast",
    Collation "collation",
    TextSearchConfiguration "text search configuration",
    TextSearchDictionary "text search dictionary",
    DefaultPrivileges "default privileges",
    EventTrigger "event trigger",
    Publication "publication",
}

impl Kind {
    /// Relations of which columns, constraints, triggers and the like are part.
    pub(crate) fn holds_parts(self) -> bool {
        matches!(self, Self::Table | Self::ForeignTable | Self::View | Self::MaterializedView | Self::Domain)
    }

    /// The name includes the object that it is part of.
    fn is_named_within(self) -> bool {
        matches!(self, Self::Column | Self::Constraint | Self::Trigger | Self::Rule | Self::Policy)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which object of a database. Displays as kind and qualified name, `index plans.plans_title_idx`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// The schema's name; `None` for what belongs to the database.
    pub schema: Option<String>,
    /// The kind.
    pub kind: Kind,
    /// The table, view or domain that it is part of: set for columns, constraints, indexes, triggers, rules, policies
    /// and statistics.
    pub of: Option<String>,
    /// Its own name, quoted where SQL wants that, with the types of its arguments where these tell it from its
    /// namesakes.
    pub name: String,
}

impl ObjectId {
    /// The qualified name without the kind, as SQL writes it: `plans.plans.title`.
    pub fn qualified_name(&self) -> String {
        let mut parts = Vec::with_capacity(3);
        if !matches!(self.kind, Kind::Schema | Kind::DefaultPrivileges | Kind::Cast) {
            parts.extend(self.schema.as_deref().map(quoted));
        }
        if self.kind.is_named_within() {
            parts.extend(self.of.as_deref().map(quoted));
        }
        parts.push(self.name.clone());
        parts.join(".")
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.qualified_name())?;
        if self.kind == Kind::DefaultPrivileges
            && let Some(schema) = &self.schema
        {
            write!(f, " in {}", quoted(schema))?;
        }
        Ok(())
    }
}

/// Whether an identifier reads the same with and without quotes, keywords aside: which words are keywords depends on
/// the server's version, so they are never quoted here.
pub(crate) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// An identifier for people.
pub(crate) fn quoted(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
