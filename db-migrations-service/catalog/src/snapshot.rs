//! All objects of a scope at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fingerprint::Fingerprint;
use crate::object::{Kind, ObjectId, Properties};

/// The canonical form; a snapshot of another one cannot be compared and is not read.
const FORMAT: u32 = 1;

/// Every object of the chosen schemas with its properties, as of one moment.
///
/// Serialised it is a tree of schema, kind, relation and name, so that what objects share is written once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    pub(crate) objects: BTreeMap<Arc<ObjectId>, Arc<Object>>,
}

/// Shared by the snapshots in which it is the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub fingerprint: Fingerprint,
    pub properties: Properties,
}

impl Snapshot {
    /// The objects and their properties, sorted.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectId, &Properties)> {
        self.objects.iter().map(|(id, object)| (&**id, &object.properties))
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The names of its schemas, sorted.
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        let schemas = self.objects.keys().filter(|id| id.kind == Kind::Schema);
        schemas.filter_map(|id| id.schema.as_deref())
    }

    pub(crate) fn insert(&mut self, id: ObjectId, properties: Properties) -> Arc<ObjectId> {
        let id = Arc::new(id);
        let fingerprint = Fingerprint::of_object(&id, &properties);
        self.objects.insert(Arc::clone(&id), Arc::new(Object { fingerprint, properties }));
        id
    }
}

/// Schema, `""` for the database → kind → relation, `""` for none → name.
type Tree<S, P> = BTreeMap<S, BTreeMap<Kind, BTreeMap<S, BTreeMap<S, P>>>>;

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    format: u32,
    objects: T,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut objects: Tree<&str, &Properties> = Tree::new();
        for (id, properties) in self.objects() {
            let schema = objects.entry(id.schema.as_deref().unwrap_or_default()).or_default();
            let of = schema.entry(id.kind).or_default().entry(id.of.as_deref().unwrap_or_default()).or_default();
            of.insert(&id.name, properties);
        }
        Stored { format: FORMAT, objects }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored: Stored<Tree<String, Properties>> = Stored::deserialize(deserializer)?;
        if stored.format != FORMAT {
            let format = stored.format;
            return Err(D::Error::custom(format!(
                "the snapshot has format {format} and this program reads {FORMAT}; take a new one"
            )));
        }
        let mut snapshot = Self::default();
        for (schema, kinds) in stored.objects {
            for (kind, relations) in kinds {
                for (of, names) in relations {
                    for (name, properties) in names {
                        let id = ObjectId { schema: filled(&schema), kind, of: filled(&of), name };
                        snapshot.insert(id, properties);
                    }
                }
            }
        }
        Ok(snapshot)
    }
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
