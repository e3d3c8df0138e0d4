//! The whole database as one drawing, made here without any outside program: tables grouped by schema, orthogonal
//! lines from foreign keys to the keys they reference.
//!
//! Tables stand in columns, schemas in the order of their dependencies, so that lines mostly lead to the left. Lines
//! run in the gutters between columns and in the corridors between tables, never across a table; all lines to one key
//! share a trunk. The same model always gives the same bytes.

mod draw;
mod lanes;
mod layout;
mod pack;
mod route;

use super::model::Model;

/// Wider than this, the drawing is no longer legible on a page; it then grows downwards instead.
const WIDEST: f64 = 2000.0;
const MOST_COLUMNS: usize = 7;

/// Draws the model.
pub fn render(model: &Model) -> String {
    (1..=MOST_COLUMNS)
        .rev()
        .map(|columns| arrange(model, columns))
        .find(|(sheet, ..)| sheet.width() <= WIDEST)
        .map_or_else(
            || {
                let (sheet, nets, gutters) = arrange(model, 1);
                draw::render(&sheet, &nets, &gutters)
            },
            |(sheet, nets, gutters)| draw::render(&sheet, &nets, &gutters),
        )
}

type Arranged<'a> = (layout::Sheet<'a>, Vec<route::Net>, Vec<lanes::Gutter>);

/// Twice over: the first layout tells which lines pass where, the second makes room for them.
fn arrange(model: &Model, columns: usize) -> Arranged<'_> {
    let mut sheet = layout::Sheet::new(model, columns);
    let nets = route::route(&sheet);
    let corridors = lanes::corridors(&sheet, &nets);
    sheet.place(&corridors.iter().map(|column| column.iter().map(Vec::len).collect()).collect::<Vec<_>>());
    let gutters = lanes::gutters(&sheet, &nets, &corridors);
    sheet.spread(&gutters.iter().map(lanes::Gutter::width).collect::<Vec<_>>());
    (sheet, nets, gutters)
}
