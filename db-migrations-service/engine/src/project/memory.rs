//! What was read of the files, for whoever plans the same ones for many databases.
//!
//! Without it every plan hashes all files and parses those that are pending, so that memory does not grow with the number of
//! migrations. A run over a thousand databases would do that a thousand times over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Project;
use crate::graph::Node;
use crate::migration::MigrationId;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    hashes: Mutex<Option<Vec<String>>>,
    nodes: Mutex<HashMap<MigrationId, Node>>,
}

impl Project {
    /// The same files, of which what was read once is remembered. A file that changes meanwhile is found out when its turn
    /// comes, as in any run.
    #[must_use]
    pub fn remembering(&self) -> Arc<Self> {
        Arc::new(Self {
            catalogue: self.catalogue.clone(),
            migrations: self.migrations.clone(),
            places: self.places.clone(),
            seeds: self.seeds.clone(),
            source: Arc::clone(&self.source),
            whole: self.whole.clone(),
            memory: Some(Memory::default()),
        })
    }

    pub(crate) fn known_hashes(&self) -> Option<Vec<String>> {
        self.memory.as_ref()?.hashes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn keep_hashes(&self, hashes: &[String]) {
        if let Some(memory) = &self.memory {
            *memory.hashes.lock().unwrap_or_else(PoisonError::into_inner) = Some(hashes.to_vec());
        }
    }

    pub(crate) fn known_node(&self, id: &MigrationId) -> Option<Node> {
        self.memory.as_ref()?.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn keep_node(&self, node: &Node) {
        if let Some(memory) = &self.memory {
            let mut nodes = memory.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.insert(node.id.clone(), node.clone());
        }
    }
}
