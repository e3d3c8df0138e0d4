//! Which way each line takes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::super::visual::{is_optional, is_single};
use super::layout::Sheet;

/// A height in a gutter at which a line may turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// A corridor through a column.
    Corridor(usize, usize),
    /// A row of a tile.
    Row(usize, usize),
}

/// A stop and the gutter that it is in; gutter `n` lies left of column `n`.
pub type Node = (usize, Stop);

/// One foreign key.
pub struct Edge {
    pub optional: bool,
    pub single: bool,
}

/// All foreign keys to one key: a tree with one trunk.
#[derive(Default)]
pub struct Net {
    pub tile: usize,
    pub row: usize,
    /// Foreign keys by the node at which they leave their table; one per node.
    pub children: BTreeMap<Node, Edge>,
    /// The sides on which the referenced key is reached.
    pub parents: BTreeSet<Node>,
    /// Neighbouring nodes of one gutter that the tree joins.
    pub links: BTreeSet<(Node, Node)>,
    /// Corridors that it passes: column and corridor.
    pub crossings: BTreeSet<(usize, usize)>,
}

/// Finds a way for every foreign key.
pub fn route(sheet: &Sheet<'_>) -> Vec<Net> {
    let wanted = wanted(sheet);
    let grid = Grid::new(sheet, &wanted);
    let mut crowd: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut nets = Vec::new();
    for ((tile, row), children) in wanted {
        let mut net = Net { tile, row, ..Net::default() };
        let mut tree: BTreeSet<Node> = sides(sheet, tile, row).into_iter().collect();
        let mut children: Vec<_> = children.into_iter().collect();
        let at = sheet.tiles[tile].column;
        children.sort_by_key(|((child, row), _)| (sheet.tiles[*child].column.abs_diff(at), *child, *row));
        for ((child, child_row), edge) in children {
            let goals = sides(sheet, child, child_row);
            let path = grid.shortest(&tree, &goals, &crowd);
            let Some((&start, &end)) = path.first().zip(path.last()) else { continue };
            if start.1 == Stop::Row(tile, row) {
                net.parents.insert(start);
            }
            for pair in path.windows(2) {
                let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
                match a.1 {
                    Stop::Corridor(column, corridor) if a.0 != b.0 => {
                        if net.crossings.insert((column, corridor)) {
                            *crowd.entry((column, corridor)).or_default() += 1;
                        }
                    }
                    _ => {
                        net.links.insert((a, b));
                    }
                }
            }
            tree.extend(path);
            net.children.insert(end, edge);
        }
        nets.push(net);
    }
    nets
}

type Wanted = BTreeMap<(usize, usize), BTreeMap<(usize, usize), Edge>>;

/// The foreign keys, by referenced tile and row, then by referencing tile and row.
fn wanted(sheet: &Sheet<'_>) -> Wanted {
    let find =
        |schema: &str, table: &str| sheet.tiles.iter().position(|t| t.schema.name == schema && t.table.name == table);
    let mut wanted = Wanted::new();
    for (child, tile) in sheet.tiles.iter().enumerate() {
        for key in tile.table.foreign_keys() {
            let row = |tile: usize, columns: &[String]| {
                sheet.tiles[tile].table.columns.iter().position(|c| columns.first() == Some(&c.name))
            };
            let (Some(schema), Some(table)) = (&key.foreign_schema, &key.foreign_table) else { continue };
            let Some(parent) = find(schema, table) else { continue };
            let (Some(from), Some(to)) = (row(child, &key.columns), row(parent, &key.foreign_columns)) else {
                continue;
            };
            let edge = Edge { optional: is_optional(tile.table, key), single: is_single(tile.table, key) };
            wanted.entry((parent, to)).or_default().insert((child, from), edge);
        }
    }
    wanted
}

fn sides(sheet: &Sheet<'_>, tile: usize, row: usize) -> [Node; 2] {
    let column = sheet.tiles[tile].column;
    [(column, Stop::Row(tile, row)), (column + 1, Stop::Row(tile, row))]
}

/// Every stop of every gutter, from top to bottom.
struct Grid {
    gutters: Vec<Vec<(u64, Stop)>>,
    place: BTreeMap<Node, usize>,
}

/// What passing through a column costs beside its width: a bend at each end, and the eye's effort.
const CROSSING: u64 = 300;
const CROWDED: u64 = 16;

impl Grid {
    fn new(sheet: &Sheet<'_>, wanted: &Wanted) -> Self {
        let mut gutters = vec![BTreeSet::new(); sheet.columns.len() + 1];
        for (column, corridors) in sheet.corridors.iter().enumerate() {
            for corridor in 0..corridors.len() {
                let stop = (sheet.corridor_y(column, corridor, 0) as u64, Stop::Corridor(column, corridor));
                gutters[column].insert(stop);
                gutters[column + 1].insert(stop);
            }
        }
        let rows = wanted.iter().flat_map(|(parent, children)| children.keys().chain([parent]));
        for &(tile, row) in rows {
            for (gutter, stop) in sides(sheet, tile, row) {
                gutters[gutter].insert((sheet.tiles[tile].row_y(row) as u64, stop));
            }
        }
        let gutters: Vec<Vec<(u64, Stop)>> = gutters.into_iter().map(|g| g.into_iter().collect()).collect();
        let mut place = BTreeMap::new();
        for (gutter, stops) in gutters.iter().enumerate() {
            place.extend(stops.iter().enumerate().map(|(n, (_, stop))| ((gutter, *stop), n)));
        }
        Self { gutters, place }
    }

    /// The cheapest way from the tree to any goal, first node in the tree; Dijkstra.
    fn shortest(&self, tree: &BTreeSet<Node>, goals: &[Node], crowd: &BTreeMap<(usize, usize), u64>) -> Vec<Node> {
        let mut best: BTreeMap<Node, (u64, Option<Node>)> = tree.iter().map(|n| (*n, (0, None))).collect();
        let mut open: BinaryHeap<Reverse<(u64, Node)>> = tree.iter().map(|n| Reverse((0, *n))).collect();
        while let Some(Reverse((cost, node))) = open.pop() {
            if best.get(&node).is_some_and(|(known, _)| *known < cost) {
                continue;
            }
            if goals.contains(&node) {
                return trace(&best, node);
            }
            for (next, step) in self.neighbours(node, crowd) {
                let total = cost + step;
                if best.get(&next).is_none_or(|(known, _)| total < *known) {
                    best.insert(next, (total, Some(node)));
                    open.push(Reverse((total, next)));
                }
            }
        }
        Vec::new()
    }

    fn neighbours(&self, (gutter, stop): Node, crowd: &BTreeMap<(usize, usize), u64>) -> Vec<(Node, u64)> {
        let mut found = Vec::with_capacity(3);
        if let Some(&n) = self.place.get(&(gutter, stop)) {
            let stops = &self.gutters[gutter];
            for other in [n.checked_sub(1), Some(n + 1)].into_iter().flatten() {
                if let Some((y, next)) = stops.get(other) {
                    found.push(((gutter, *next), y.abs_diff(stops[n].0) + 1));
                }
            }
        }
        if let Stop::Corridor(column, corridor) = stop {
            let across = if gutter == column { column + 1 } else { column };
            let crowded = crowd.get(&(column, corridor)).copied().unwrap_or(0) * CROWDED;
            found.push(((across, stop), CROSSING + crowded));
        }
        found
    }
}

fn trace(best: &BTreeMap<Node, (u64, Option<Node>)>, end: Node) -> Vec<Node> {
    let mut path = vec![end];
    while let Some((_, Some(before))) = path.last().and_then(|node| best.get(node)) {
        path.push(*before);
    }
    path.reverse();
    path
}
