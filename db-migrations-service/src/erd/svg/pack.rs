//! Which column each table goes to, so that the sheet is as low as it can be without changing the order.

use super::super::model::{Schema, Table};
use super::layout::{HEADER, PAD, ROW, TITLE};

/// A table with its share of the corridor above it.
pub fn stacked_height(table: &Table) -> f64 {
    HEADER + table.columns.len() as f64 * ROW + 4.0 + 28.0
}

/// The lowest sheet that needs at most `most` columns.
pub fn lowest(heights: &[Vec<f64>], most: usize) -> f64 {
    let mut limit = heights.iter().flatten().copied().fold(1.0, f64::max);
    while columns_needed(heights, limit) > most {
        limit += ROW;
    }
    limit
}

fn columns_needed(heights: &[Vec<f64>], limit: f64) -> usize {
    distribute(heights, limit).iter().flat_map(|(_, columns)| columns).max().map_or(0, |last| last + 1)
}

/// For each schema its first column, and the column of each of its tables. A schema that fits under the previous one
/// goes there; one that is too tall for a column begins a new one and takes several.
pub fn distribute(heights: &[Vec<f64>], limit: f64) -> Vec<(usize, Vec<usize>)> {
    let mut placed = Vec::new();
    let mut column = 0;
    let mut used = 0.0;
    for tables in heights {
        let whole = TITLE + PAD + tables.iter().sum::<f64>();
        if used > 0.0 && used + whole > limit {
            column += 1;
            used = 0.0;
        }
        let first = column;
        let mut columns = Vec::new();
        used += TITLE + PAD;
        for (place, height) in tables.iter().enumerate() {
            if place > 0 && used + height > limit.max(TITLE + PAD + height) {
                column += 1;
                used = TITLE + PAD;
            }
            used += height;
            columns.push(column);
        }
        if column > first {
            used = limit;
        }
        placed.push((first, columns));
    }
    placed
}

/// A schema's tables, those that others of it reference first.
pub fn parents_first(schema: &Schema) -> Vec<&Table> {
    let mut waiting: Vec<&Table> = schema.tables.iter().filter(|t| !t.is_view()).collect();
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let blocked = |t: &Table| {
            let mut keys = t.foreign_keys();
            keys.any(|k| waiting.iter().any(|w| w.name != t.name && k.points_at(&schema.name, &w.name)))
        };
        let next = waiting.iter().position(|t| !blocked(t)).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}
