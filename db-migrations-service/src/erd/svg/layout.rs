//! Where tables stand.

use super::super::model::{Model, Schema, Table};
use super::pack::{distribute, lowest, parents_first, stacked_height};

/// The height of a table's row.
pub const ROW: f64 = 16.0;
/// The height of a table's name.
pub const HEADER: f64 = 24.0;
/// The height of a schema's name.
pub const TITLE: f64 = 26.0;
/// From a table's edge to its schema's.
pub const PAD: f64 = 10.0;
/// Between neighbouring lines.
pub const LANE: f64 = 8.0;
/// Above everything: the drawing's own title.
const TOP: f64 = 48.0;
/// Below everything: the legend.
const BOTTOM: f64 = 34.0;
/// The width of a character, generously: fonts differ between viewers.
const CHARACTER: f64 = 6.9;
const TYPE_CHARACTER: f64 = 6.1;
/// Room for the marks before a column's name.
pub const MARKS: f64 = 30.0;

/// A table on the sheet.
pub struct Tile<'a> {
    pub schema: &'a Schema,
    pub table: &'a Table,
    pub group: usize,
    pub column: usize,
    pub y: f64,
}

impl Tile<'_> {
    pub fn height(&self) -> f64 {
        HEADER + self.table.columns.len() as f64 * ROW + 4.0
    }

    /// The middle of a row. Congruent to `y` modulo [`ROW`], see [`Sheet::place`].
    pub fn row_y(&self, row: usize) -> f64 {
        self.y + HEADER + row as f64 * ROW + ROW / 2.0
    }

    fn width(&self) -> f64 {
        let of = |name: &str, kind: &str| {
            MARKS + name.chars().count() as f64 * CHARACTER + kind.chars().count() as f64 * TYPE_CHARACTER + 22.0
        };
        let rows = self.table.columns.iter().map(|c| of(&c.name, &c.short_type()));
        rows.fold(of(&self.table.name, ""), f64::max).ceil()
    }
}

/// A schema on the sheet; it spans several columns when it is tall.
pub struct Group {
    pub schema: usize,
    pub columns: (usize, usize),
    pub y: f64,
    pub bottom: f64,
}

/// Everything in its place.
pub struct Sheet<'a> {
    pub model: &'a Model,
    pub tiles: Vec<Tile<'a>>,
    pub groups: Vec<Group>,
    /// Tiles per column, top to bottom.
    pub columns: Vec<Vec<usize>>,
    /// Per column: the upper edge of the corridor above each tile, and of the one below all.
    pub corridors: Vec<Vec<f64>>,
    /// Per column: left edge and width.
    pub x: Vec<(f64, f64)>,
    pub height: f64,
}

impl<'a> Sheet<'a> {
    /// Spreads the tables over at most `most` columns.
    pub fn new(model: &'a Model, most: usize) -> Self {
        let mut sheet = Self {
            model,
            tiles: Vec::new(),
            groups: Vec::new(),
            columns: Vec::new(),
            corridors: Vec::new(),
            x: Vec::new(),
            height: 0.0,
        };
        let schemas: Vec<(usize, Vec<&Table>)> = model
            .schemas
            .iter()
            .enumerate()
            .map(|(place, schema)| (place, parents_first(schema)))
            .filter(|(_, tables)| !tables.is_empty())
            .collect();
        let heights: Vec<Vec<f64>> =
            schemas.iter().map(|(_, tables)| tables.iter().map(|t| stacked_height(t)).collect()).collect();
        let limit = lowest(&heights, most);
        for ((place, tables), (first, columns)) in schemas.iter().zip(distribute(&heights, limit)) {
            let group = sheet.groups.len();
            for (table, column) in tables.iter().zip(columns) {
                sheet.columns.resize_with(sheet.columns.len().max(column + 1), Vec::new);
                sheet.columns[column].push(sheet.tiles.len());
                sheet.tiles.push(Tile { schema: &model.schemas[*place], table, group, column, y: 0.0 });
            }
            let last = sheet.tiles.last().map_or(first, |t| t.column);
            sheet.groups.push(Group { schema: *place, columns: (first, last), y: 0.0, bottom: 0.0 });
        }
        let none: Vec<Vec<usize>> = sheet.columns.iter().map(|c| vec![0; c.len() + 1]).collect();
        sheet.place(&none);
        sheet.spread(&vec![60.0; sheet.columns.len() + 1]);
        sheet
    }

    /// Sets every height, with room for so many lines in each corridor.
    ///
    /// Rows of neighbouring columns, and lines in neighbouring corridors, never lie at the same height, so that two
    /// lines never run on top of each other in the gutter between.
    pub fn place(&mut self, lines: &[Vec<usize>]) {
        let tall = |lines: usize, least: f64| (lines as f64 * LANE + 8.0).max(least);
        let top = TOP + tall(lines.iter().map(|c| c[0]).max().unwrap_or(0), 10.0);
        self.corridors = lines.iter().map(|c| vec![TOP; c.len()]).collect();
        let mut deepest: f64 = 0.0;
        for (column, lines) in lines.iter().enumerate() {
            let mut y = top;
            let mut group = usize::MAX;
            for (place, &tile) in self.columns[column].clone().iter().enumerate() {
                let own = self.tiles[tile].group;
                if own == group {
                    self.corridors[column][place] = y;
                    y += tall(lines[place], 14.0);
                } else {
                    if place > 0 {
                        y += PAD;
                        self.corridors[column][place] = y;
                        y += tall(lines[place], 18.0);
                    }
                    self.groups[own].y = y;
                    y += TITLE;
                    group = own;
                }
                let offset = if column % 2 == 0 { ROW / 2.0 } else { 0.0 };
                y = ((y - offset) / ROW).ceil() * ROW + offset;
                self.tiles[tile].y = y;
                y += self.tiles[tile].height();
                self.groups[own].bottom = self.groups[own].bottom.max(y + PAD);
            }
            let last = self.columns[column].len();
            self.corridors[column][last] = y + PAD;
            deepest = deepest.max(y + PAD + tall(lines[last], 10.0));
        }
        self.height = deepest + BOTTOM;
    }

    /// Sets every left edge, with gutters of these widths.
    pub fn spread(&mut self, gutters: &[f64]) {
        let mut x = 0.0;
        self.x.clear();
        for (column, gutter) in self.columns.iter().zip(gutters) {
            x += gutter;
            let width = column.iter().map(|&t| self.tiles[t].width()).fold(120.0, f64::max);
            self.x.push((x, width));
            x += width;
        }
        self.x.push((x + gutters.last().copied().unwrap_or(0.0), 0.0));
    }

    /// The height of the `lane`th line in a corridor.
    pub fn corridor_y(&self, column: usize, corridor: usize, lane: usize) -> f64 {
        let offset = if column.is_multiple_of(2) { 4.0 } else { 2.0 };
        let first = ((self.corridors[column][corridor] + 4.0 - offset) / LANE).ceil() * LANE + offset;
        first + lane as f64 * LANE
    }

    /// The whole width.
    pub fn width(&self) -> f64 {
        self.x.last().map_or(0.0, |(x, _)| *x)
    }
}
