//! The order of pending migrations over all services.
//!
//! A migration waits for the one before it in its own schema, for those that create what it references, for what its
//! header requires, and – where that closes no circle – for those that create what the bodies of its functions
//! mention. References are found by parsing; what no pending migration creates must stand in the target already.

mod makers;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sql_grammar::{ObjectKind, ObjectName, QualifiedName, Reference};

use crate::error::{EngineError, ErrorCode};
use crate::migration::MigrationId;
use crate::project::Script;
use crate::run::pieces::Cuts;
use makers::{Makers, Mark};

/// What the graph knows of one pending migration; its SQL is not kept.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub id: MigrationId,
    /// The place of its service in the catalogue, which breaks ties.
    pub rank: usize,
    pub statements: usize,
    pub transactional: bool,
    pub sets_session: bool,
    pub cuts: Cuts,
    /// Moved into the graph's makers when it is built.
    creates: Box<[Mark]>,
    /// Without what it creates itself.
    alters: Box<[ObjectName]>,
    references: Box<[Reference]>,
    /// Sorted.
    mentions: Box<[QualifiedName]>,
    pub requires: Vec<MigrationId>,
    pub contract_of: Vec<MigrationId>,
    /// Tables that it fills batch by batch.
    pub fills: Vec<QualifiedName>,
}

impl Node {
    /// `was_begun` says which statements an interrupted run has begun: what they referenced may be gone by now.
    pub(crate) fn new(id: MigrationId, rank: usize, script: &Script, was_begun: impl Fn(usize) -> bool) -> Self {
        let mut creates = BTreeSet::new();
        let mut alters = BTreeSet::new();
        let mut temporary = BTreeSet::new();
        let mut references = BTreeSet::new();
        let mut mentions = BTreeSet::new();
        for (index, (_, facts)) in script.statements.iter().enumerate() {
            if !was_begun(index) {
                // What an earlier statement of the same file made is no reference to another migration.
                let own = |r: &&Reference| creates.contains(&r.object) || temporary.contains(&r.object);
                references.extend(facts.references.iter().filter(|r| !own(r)).cloned());
            }
            creates.extend(facts.creates.iter().cloned());
            temporary.extend(facts.temporary.iter().cloned());
            alters.extend(facts.alters.iter().cloned());
            mentions.extend(facts.mentions.iter().cloned());
        }
        Self {
            id,
            rank,
            statements: script.statements.len(),
            transactional: script.is_transactional(),
            sets_session: script.sets_session(),
            cuts: script.cuts(),
            alters: alters.difference(&creates).cloned().collect(),
            creates: creates.iter().map(Mark::of).collect(),
            references: references.into_iter().collect(),
            mentions: mentions.into_iter().collect(),
            // What is taken away was replaced first.
            requires: script.directives.requires.iter().chain(&script.directives.contract_of).cloned().collect(),
            contract_of: script.directives.contract_of.clone(),
            fills: script.fills(),
        }
    }
}

/// What one migration waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub to: usize,
    why: Why,
}

/// Why it waits; names are found by their place in its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    SchemaOrder,
    Header,
    Reference(u32),
    Mention(u32),
}

#[derive(Debug)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    /// For each node, what it waits for.
    pub edges: Vec<Vec<Edge>>,
    makers: Makers,
}

impl Graph {
    /// Relations that the chosen migrations change and none of all makes: those that others may be using.
    pub(crate) fn touched(&self, chosen: &BTreeSet<usize>) -> BTreeSet<&QualifiedName> {
        chosen
            .iter()
            .flat_map(|&at| &self.nodes[at].alters)
            .filter(|object| object.kind == ObjectKind::Relation && self.makers.of(object).next().is_none())
            .map(|object| &object.name)
            .collect()
    }

    /// Links `nodes`. `exists` says whether a required migration that is not among them is applied already.
    pub(crate) fn build(mut nodes: Vec<Node>, exists: impl Fn(&MigrationId) -> bool) -> Result<Self, EngineError> {
        let makers = Makers::new(nodes.iter_mut().map(|node| std::mem::take(&mut node.creates)));
        let index: BTreeMap<&MigrationId, usize> = nodes.iter().enumerate().map(|(at, n)| (&n.id, at)).collect();
        let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); nodes.len()];
        let mut previous: HashMap<&str, usize> = HashMap::new();
        for (id, &at) in &index {
            if let Some(before) = previous.insert(&id.schema, at) {
                edges[at].push(Edge { to: before, why: Why::SchemaOrder });
            }
        }
        for (at, node) in nodes.iter().enumerate() {
            for required in &node.requires {
                match index.get(required) {
                    Some(&to) => push(&mut edges[at], Edge { to, why: Why::Header }),
                    None if exists(required) => {}
                    None => {
                        return Err(EngineError::new(
                            ErrorCode::UnresolvedReference,
                            format!("{} requires {required}, which is neither among the files nor applied", node.id),
                        )
                        .cure("correct the `-- requires:` line, or add the migration it names")
                        .migration(&node.id));
                    }
                }
            }
            for (place, reference) in node.references.iter().enumerate() {
                if let Some(to) = creator(&makers, &nodes, at, &reference.object) {
                    push(&mut edges[at], Edge { to, why: Why::Reference(place as u32) });
                }
            }
        }
        let mut graph = Self { nodes, edges, makers };
        graph.refuse_cycles()?;
        graph.add_mentions();
        Ok(graph)
    }

    /// References into schemas for which `managed` is true that nothing pending creates, with the node's index: they
    /// must stand in the target already.
    pub(crate) fn unresolved(&self, managed: impl Fn(&str) -> bool) -> Vec<(usize, &Reference)> {
        let mut open = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for reference in &node.references {
                let object = &reference.object;
                let checked = matches!(object.kind, ObjectKind::Relation | ObjectKind::Routine | ObjectKind::Type);
                if checked && managed(&object.name.schema) && !self.is_made_by_pending(at, object) {
                    open.push((at, reference));
                }
            }
        }
        open
    }

    /// References into schemas for which `elsewhere` is true, with the node's index: no database can follow them.
    pub(crate) fn crossing(&self, elsewhere: impl Fn(&str) -> bool) -> Vec<(usize, &Reference)> {
        let nodes = self.nodes.iter().enumerate();
        let all = nodes.flat_map(|(at, node)| node.references.iter().map(move |reference| (at, reference)));
        all.filter(|(_, reference)| elsewhere(&reference.object.name.schema)).collect()
    }

    /// The migrations that create `object`, when all of them come later in the referencing migration's own schema.
    pub(crate) fn only_later(&self, object: &ObjectName) -> Option<&MigrationId> {
        self.makers.of(object).next().map(|at| &self.nodes[at].id)
    }

    fn is_made_by_pending(&self, at: usize, object: &ObjectName) -> bool {
        if creator(&self.makers, &self.nodes, at, object).is_some() {
            return true;
        }
        // A relation's row type bears its name; identity sequences and the indexes behind constraints begin with
        // their table's; and what a DO block builds by EXECUTE is at least mentioned in it.
        let QualifiedName { schema, name } = &object.name;
        let relation = ObjectName { kind: ObjectKind::Relation, name: object.name.clone() };
        let relation_type =
            object.kind == ObjectKind::Type && creator(&self.makers, &self.nodes, at, &relation).is_some();
        let alters = |table: &str| {
            self.nodes[at]
                .alters
                .iter()
                .any(|o| o.kind == ObjectKind::Relation && o.name.schema == *schema && o.name.name == table)
        };
        let mut tables = name.match_indices('_').map(|(end, _)| &name[..end]);
        let implicit = object.kind == ObjectKind::Relation
            && tables.any(|table| alters(table) || self.makers.make(ObjectKind::Relation, schema, table));
        let is_mentioned = |node: &Node| node.mentions.binary_search(&object.name).is_ok();
        relation_type || implicit || self.nodes.iter().any(is_mentioned)
    }

    /// Indexes in the order in which they can be applied; among those that are ready the oldest version goes first.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = self.edges.iter().map(Vec::len).collect();
        let mut waits_on: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (at, edges) in self.edges.iter().enumerate() {
            for edge in edges {
                waits_on[edge.to].push(at);
            }
        }
        let key = |at: usize| (self.nodes[at].id.version, self.nodes[at].rank, at);
        let mut ready: BTreeSet<_> = (0..self.nodes.len()).filter(|&at| waiting[at] == 0).map(key).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some((_, _, at)) = ready.pop_first() {
            order.push(at);
            for &next in &waits_on[at] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.insert(key(next));
                }
            }
        }
        order
    }

    /// `wanted` and everything that it waits for.
    pub(crate) fn closure(&self, wanted: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = wanted.into_iter().collect();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(self.edges[at].iter().map(|edge| edge.to));
            }
        }
        found
    }

    fn refuse_cycles(&self) -> Result<(), EngineError> {
        let placed: BTreeSet<usize> = self.order().into_iter().collect();
        // Every node that is left waits for another one that is left: walking on must come back.
        let Some(start) = (0..self.nodes.len()).find(|at| !placed.contains(at)) else { return Ok(()) };
        let mut path: Vec<(usize, &Edge)> = Vec::new();
        let mut at = start;
        loop {
            if let Some(from) = path.iter().position(|(seen, _)| *seen == at) {
                path.drain(..from);
                break;
            }
            let Some(edge) = self.edges[at].iter().find(|edge| !placed.contains(&edge.to)) else { return Ok(()) };
            path.push((at, edge));
            at = edge.to;
        }
        let related: Vec<_> = path.iter().map(|(at, _)| self.nodes[*at].id.clone()).collect();
        let names: Vec<String> = related.iter().chain(related.first()).map(ToString::to_string).collect();
        let reasons: Vec<String> =
            path.iter().map(|(at, edge)| format!("{}: {}", self.nodes[*at].id, self.why(*at, edge))).collect();
        let mut error = EngineError::new(
            ErrorCode::DependencyCycle,
            format!("migrations wait for each other: {} ({})", names.join(" → "), reasons.join("; ")),
        )
        .cure("move one of these references into a later migration; nothing was run");
        error.related = related;
        Err(error)
    }

    /// Why the node at `at` waits, in words.
    fn why(&self, at: usize, edge: &Edge) -> String {
        let (node, to) = (&self.nodes[at], &self.nodes[edge.to].id);
        match edge.why {
            Why::SchemaOrder => format!("{to} comes before it in its schema"),
            Why::Header => format!("its header requires {to}"),
            Why::Reference(place) => {
                format!("it references {}, which {to} creates", node.references[place as usize].object.name)
            }
            Why::Mention(place) => format!("it mentions {}, which {to} creates", node.mentions[place as usize]),
        }
    }

    /// Mentions are guesses: each is followed only where it closes no circle.
    fn add_mentions(&mut self) {
        for at in 0..self.nodes.len() {
            for place in 0..self.nodes[at].mentions.len() {
                let name = &self.nodes[at].mentions[place];
                let made_by = [ObjectKind::Relation, ObjectKind::Routine, ObjectKind::Type]
                    .into_iter()
                    .find_map(|kind| creator(&self.makers, &self.nodes, at, &ObjectName { kind, name: name.clone() }));
                if let Some(to) = made_by
                    && !self.edges[at].iter().any(|edge| edge.to == to)
                    && !self.closure([to]).contains(&at)
                {
                    self.edges[at].push(Edge { to, why: Why::Mention(place as u32) });
                }
            }
        }
    }
}

/// The pending migration that makes `object` for the node at `at`: in its own schema an earlier one, elsewhere the
/// first.
fn creator(makers: &Makers, nodes: &[Node], at: usize, object: &ObjectName) -> Option<usize> {
    let id = &nodes[at].id;
    makers
        .of(object)
        .filter(|&c| nodes[c].id.schema != id.schema || nodes[c].id.version < id.version)
        .min_by_key(|&c| nodes[c].id.version)
}

fn push(edges: &mut Vec<Edge>, edge: Edge) {
    if !edges.iter().any(|known| known.to == edge.to) {
        edges.push(edge);
    }
}

#[cfg(test)]
mod tests;
