//! The drawing's text.

use std::fmt::Write;

use super::super::model::Table;
use super::super::text::count;
use super::lanes::{Gutter, Trunk};
use super::layout::{HEADER, MARKS, PAD, ROW, Sheet, TITLE, Tile};
use super::route::{Edge, Net, Stop};

/// Tint of the schema, its tables' heads, and the lines to its keys. Told apart by lightness as well as by hue.
const COLOURS: [(&str, &str); 9] = [
    ("#e9f0fb", "#2f5fa8"),
    ("#fdeee3", "#b3541e"),
    ("#e8f5ec", "#2b7a4b"),
    ("#f5eafa", "#7b3f9d"),
    ("#fbe9ee", "#b02a55"),
    ("#e6f5f7", "#1b7886"),
    ("#fbf4dc", "#8a6a00"),
    ("#eeeef6", "#4c4c8f"),
    ("#f0efe9", "#5f5a4a"),
];

fn colours(schema: usize) -> (&'static str, &'static str) {
    COLOURS[schema % COLOURS.len()]
}

/// Writes the drawing.
pub fn render(sheet: &Sheet<'_>, nets: &[Net], gutters: &[Gutter]) -> String {
    let (width, height) = (sheet.width(), sheet.height);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans, Verdana, Segoe UI, Helvetica, Arial, sans-serif\" font-size=\"11\">\n\
         <title>Database of {}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fcfcfb\"/>\n",
        escape(&sheet.model.project)
    );
    heading(&mut out, sheet);
    for group in &sheet.groups {
        let (left, right) = (sheet.x[group.columns.0], sheet.x[group.columns.1]);
        let (tint, strong) = colours(group.schema);
        let (x, y) = (left.0 - PAD, group.y);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{tint}\"/>\
             <text x=\"{}\" y=\"{}\" font-size=\"14\" font-weight=\"bold\" fill=\"{strong}\">{}</text>",
            right.0 + right.1 + PAD - x,
            group.bottom - y,
            x + PAD,
            y + TITLE - 8.0,
            escape(&sheet.model.schemas[group.schema].name),
        );
    }
    for (id, net) in nets.iter().enumerate() {
        lines(&mut out, sheet, net, id, gutters);
    }
    for tile in &sheet.tiles {
        table(&mut out, sheet, tile);
    }
    for net in nets {
        ends(&mut out, sheet, net);
    }
    legend(&mut out, height);
    out.push_str("</svg>\n");
    out
}

fn heading(out: &mut String, sheet: &Sheet<'_>) {
    let keys: usize = sheet.tiles.iter().map(|t| t.table.foreign_keys().count()).sum();
    let _ = writeln!(
        out,
        "<text x=\"20\" y=\"32\" font-size=\"19\" font-weight=\"bold\" fill=\"#222\">{}<tspan font-size=\"13\" \
         font-weight=\"normal\" fill=\"#555\" dx=\"12\">{} in {}, {}</tspan></text>",
        escape(&sheet.model.project),
        count(sheet.tiles.len(), "table", "tables"),
        count(sheet.groups.len(), "schema", "schemas"),
        count(keys, "foreign key", "foreign keys"),
    );
}

fn legend(out: &mut String, height: f64) {
    let _ = writeln!(
        out,
        "<text x=\"20\" y=\"{}\" font-size=\"11\" fill=\"#555\">A line leads from a foreign key to the key it references, \
         in the colour of that key's schema. Crow's foot: many; bar: at most one; circle: may be null. \
         PK primary key, FK foreign key, U unique; ? may be null.</text>",
        height - 14.0
    );
}

fn table(out: &mut String, sheet: &Sheet<'_>, tile: &Tile<'_>) {
    let (x, width) = sheet.x[tile.column];
    let (_, strong) = colours(sheet.groups[tile.group].schema);
    let (y, height) = (tile.y, tile.height());
    let _ = writeln!(
        out,
        "<g><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"#fff\" stroke=\"{strong}\"/>\
         <path d=\"M{x} {b}v-{r}a4 4 0 0 1 4 -4h{w}a4 4 0 0 1 4 4v{r}z\" fill=\"{strong}\"/>\
         <text x=\"{t}\" y=\"{base}\" font-size=\"12\" font-weight=\"bold\" fill=\"#fff\">{name}</text>",
        b = y + HEADER - 3.0,
        r = HEADER - 7.0,
        w = width - 8.0,
        t = x + 8.0,
        base = y + 15.0,
        name = escape(&tile.table.name),
    );
    for (row, column) in tile.table.columns.iter().enumerate() {
        let base = tile.row_y(row) + 4.0;
        let mark = mark(tile.table, &column.name);
        if !mark.is_empty() {
            let _ =
                write!(out, "<text x=\"{}\" y=\"{base}\" font-size=\"8.5\" fill=\"{strong}\">{mark}</text>", x + 7.0);
        }
        let weight = if tile.table.is_primary(&column.name) { " font-weight=\"bold\"" } else { "" };
        let null = if column.not_null { "" } else { "?" };
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{base}\"{weight} fill=\"#222\">{}</text>\
             <text x=\"{}\" y=\"{base}\" font-size=\"10\" text-anchor=\"end\" fill=\"#6b6b6b\">{}{null}</text>",
            x + MARKS,
            escape(&column.name),
            x + width - 7.0,
            escape(&column.short_type()),
        );
    }
    out.push_str("</g>\n");
}

fn mark(table: &Table, column: &str) -> &'static str {
    match (table.is_primary(column), table.is_foreign(column), table.is_unique(column)) {
        (true, true, _) => "PFK",
        (true, ..) => "PK",
        (_, true, true) => "FK U",
        (_, true, _) => "FK",
        (.., true) => "U",
        _ => "",
    }
}

/// The left edge of a gutter.
fn gutter_x(sheet: &Sheet<'_>, gutter: usize) -> f64 {
    if gutter == 0 { 0.0 } else { sheet.x[gutter - 1].0 + sheet.x[gutter - 1].1 }
}

fn lines(out: &mut String, sheet: &Sheet<'_>, net: &Net, id: usize, gutters: &[Gutter]) {
    let (_, strong) = colours(sheet.groups[sheet.tiles[net.tile].group].schema);
    let mut path = String::new();
    let mut dots = String::new();
    let own =
        |gutter: &'_ Gutter| gutter.trunks.iter().enumerate().filter(|(_, t)| t.net == id).map(|(n, _)| n).collect();
    for (gutter, lines) in gutters.iter().enumerate() {
        let places: Vec<usize> = own(lines);
        for trunk in places.into_iter().map(|n| &lines.trunks[n]) {
            let x = gutter_x(sheet, gutter) + Gutter::lane_x(trunk.lane);
            let _ = write!(path, "M{x} {}V{}", trunk.top, trunk.bottom);
            for &(y, left, stop) in &trunk.branches {
                match stop {
                    Stop::Row(tile, _) => {
                        let (edge, width) = sheet.x[sheet.tiles[tile].column];
                        let _ = write!(path, "M{x} {y}H{}", if left { edge + width } else { edge });
                    }
                    // Drawn once, from its left end.
                    Stop::Corridor(..) if !left => {
                        let over = gutters[gutter + 1].trunks.iter().find(|t| joins(t, id, stop));
                        if let Some(over) = over {
                            let _ =
                                write!(path, "M{x} {y}H{}", gutter_x(sheet, gutter + 1) + Gutter::lane_x(over.lane));
                        }
                    }
                    Stop::Corridor(..) => {}
                }
                if trunk.top < y && y < trunk.bottom {
                    let _ = write!(dots, "<circle cx=\"{x}\" cy=\"{y}\" r=\"2.4\"/>");
                }
            }
        }
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{strong}\" stroke-width=\"1.3\" stroke-linecap=\"round\"/>\
         <g fill=\"{strong}\">{dots}</g>"
    );
}

fn joins(trunk: &Trunk, net: usize, stop: Stop) -> bool {
    trunk.net == net && trunk.branches.iter().any(|b| b.2 == stop)
}

/// Crow's feet at the foreign keys, a double bar at the key.
fn ends(out: &mut String, sheet: &Sheet<'_>, net: &Net) {
    let (_, strong) = colours(sheet.groups[sheet.tiles[net.tile].group].schema);
    let mut path = String::new();
    let mut circles = String::new();
    let end = |gutter: usize, stop: Stop| match stop {
        Stop::Row(tile, row) => {
            let (left, width) = sheet.x[sheet.tiles[tile].column];
            let outward = if sheet.tiles[tile].column == gutter { (left, -1.0) } else { (left + width, 1.0) };
            Some((outward.0, sheet.tiles[tile].row_y(row), outward.1))
        }
        Stop::Corridor(..) => None,
    };
    for (&(gutter, stop), Edge { optional, single }) in &net.children {
        let Some((x, y, out)) = end(gutter, stop) else { continue };
        let reach = ROW / 2.0;
        if *single {
            let _ = write!(path, "M{} {}V{}", x + out * 5.0, y - 4.0, y + 4.0);
        } else {
            let _ = write!(path, "M{} {y}L{x} {}M{} {y}L{x} {}", x + out * reach, y - 4.0, x + out * reach, y + 4.0);
        }
        if *optional {
            let _ = write!(circles, "<circle cx=\"{}\" cy=\"{y}\" r=\"2.6\"/>", x + out * (reach + 2.6));
        }
    }
    for &(gutter, stop) in &net.parents {
        if let Some((x, y, out)) = end(gutter, stop) {
            let _ =
                write!(path, "M{} {}V{}M{} {}V{}", x + out * 4.0, y - 4.0, y + 4.0, x + out * 7.0, y - 4.0, y + 4.0);
        }
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{strong}\" stroke-width=\"1.3\"/>\
         <g fill=\"#fff\" stroke=\"{strong}\" stroke-width=\"1.2\">{circles}</g>"
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
