//! Lines that share a gutter or a corridor, side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{LANE, Sheet};
use super::route::{Net, Node, Stop};

/// Per column and corridor: the nets that pass it, one lane each.
pub type Corridors = Vec<Vec<Vec<usize>>>;

/// From the outermost line to a table's edge: room for the crow's foot.
const EDGE: f64 = 18.0;

/// A vertical line of one net, and what leaves it.
pub struct Trunk {
    pub net: usize,
    pub top: f64,
    pub bottom: f64,
    /// Height, whether it leaves to the left, and where to.
    pub branches: Vec<(f64, bool, Stop)>,
    pub lane: usize,
}

/// A gutter with its lines.
pub struct Gutter {
    pub trunks: Vec<Trunk>,
    pub lanes: usize,
}

impl Gutter {
    /// How wide it has to be.
    pub fn width(&self) -> f64 {
        (EDGE * 2.0 + self.lanes.saturating_sub(1) as f64 * LANE).max(30.0)
    }

    /// A lane's distance from the gutter's left edge.
    pub fn lane_x(lane: usize) -> f64 {
        EDGE + lane as f64 * LANE
    }
}

/// Gives every net that passes a corridor a lane of its own, nets whose key stands higher above.
pub fn corridors(sheet: &Sheet<'_>, nets: &[Net]) -> Corridors {
    let mut corridors: Corridors = sheet.corridors.iter().map(|c| vec![Vec::new(); c.len()]).collect();
    let mut order: Vec<usize> = (0..nets.len()).collect();
    order.sort_by_key(|&n| (sheet.tiles[nets[n].tile].row_y(nets[n].row) as i64, n));
    for net in order {
        for &(column, corridor) in &nets[net].crossings {
            corridors[column][corridor].push(net);
        }
    }
    corridors
}

/// Gives every vertical line a lane so that none overlap and few cross.
pub fn gutters(sheet: &Sheet<'_>, nets: &[Net], corridors: &Corridors) -> Vec<Gutter> {
    let mut gutters: Vec<Vec<Trunk>> = (0..=sheet.columns.len()).map(|_| Vec::new()).collect();
    for (id, net) in nets.iter().enumerate() {
        for nodes in components(net) {
            let Some(&(gutter, _)) = nodes.first() else { continue };
            let branches: Vec<(f64, bool, Stop)> = nodes
                .iter()
                .filter(|node| is_branch(net, **node))
                .map(|(_, stop)| match *stop {
                    Stop::Corridor(column, corridor) => {
                        let lane = corridors[column][corridor].iter().position(|n| *n == id).unwrap_or(0);
                        (sheet.corridor_y(column, corridor, lane), column < gutter, *stop)
                    }
                    Stop::Row(tile, row) => (sheet.tiles[tile].row_y(row), sheet.tiles[tile].column < gutter, *stop),
                })
                .collect();
            let top = branches.iter().map(|b| b.0).fold(f64::MAX, f64::min);
            let bottom = branches.iter().map(|b| b.0).fold(f64::MIN, f64::max);
            gutters[gutter].push(Trunk { net: id, top, bottom, branches, lane: 0 });
        }
    }
    gutters.into_iter().map(assign).collect()
}

/// Whether a line leaves the trunk at this node.
fn is_branch(net: &Net, node: Node) -> bool {
    let crosses = matches!(node.1, Stop::Corridor(c, j) if net.crossings.contains(&(c, j)));
    crosses || net.children.contains_key(&node) || net.parents.contains(&node)
}

/// The nodes of a net that hang together within a gutter.
fn components(net: &Net) -> Vec<Vec<Node>> {
    let mut around: BTreeMap<Node, Vec<Node>> = BTreeMap::new();
    for &(a, b) in &net.links {
        around.entry(a).or_default().push(b);
        around.entry(b).or_default().push(a);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for &start in around.keys() {
        let mut open = vec![start];
        let mut nodes = Vec::new();
        while let Some(node) = open.pop() {
            if seen.insert(node) {
                nodes.push(node);
                open.extend(around[&node].iter().copied());
            }
        }
        if !nodes.is_empty() {
            nodes.sort_unstable();
            found.push(nodes);
        }
    }
    found
}

fn assign(mut trunks: Vec<Trunk>) -> Gutter {
    trunks.sort_by(|a, b| a.top.total_cmp(&b.top).then(a.net.cmp(&b.net)));
    let mut free: Vec<f64> = Vec::new();
    for trunk in &mut trunks {
        let lane = free.iter().position(|bottom| bottom + LANE < trunk.top).unwrap_or_else(|| {
            free.push(f64::MIN);
            free.len() - 1
        });
        free[lane] = trunk.bottom;
        trunk.lane = lane;
    }
    let lanes = free.len();
    untangle(&mut trunks, lanes);
    Gutter { trunks, lanes }
}

/// Swaps lanes as long as that takes away crossings.
fn untangle(trunks: &mut [Trunk], lanes: usize) {
    let swap = |trunks: &mut [Trunk], a: usize, b: usize| {
        for trunk in trunks {
            trunk.lane = if trunk.lane == a {
                b
            } else if trunk.lane == b {
                a
            } else {
                trunk.lane
            };
        }
    };
    let mut least = tangle(trunks);
    for _ in 0..lanes {
        let before = least;
        for a in 0..lanes {
            for b in a + 1..lanes {
                swap(trunks, a, b);
                let now = tangle(trunks);
                if now < least {
                    least = now;
                } else {
                    swap(trunks, a, b);
                }
            }
        }
        if least == before {
            return;
        }
    }
}

/// Crossings count most; among equals, short branches win.
fn tangle(trunks: &[Trunk]) -> usize {
    let mut crossings = 0;
    let mut length = 0;
    for trunk in trunks {
        for &(y, left, _) in &trunk.branches {
            length += if left { trunk.lane } else { 100 - trunk.lane.min(100) };
            let crossed = |t: &&Trunk| {
                let between = if left { t.lane < trunk.lane } else { t.lane > trunk.lane };
                between && t.top <= y && y <= t.bottom
            };
            crossings += trunks.iter().filter(crossed).count();
        }
    }
    crossings * 10_000 + length
}
