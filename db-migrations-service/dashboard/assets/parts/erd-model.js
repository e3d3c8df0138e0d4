// Tables and what they reference, out of what the API says of each schema; and where each stands in the drawing.

const SHORT = [
  ['character varying', 'varchar'], ['timestamp with time zone', 'timestamptz'], ['timestamp without time zone', 'timestamp'],
  ['double precision', 'float8'], ['time without time zone', 'time'],
];

/** A type as people say it: `varchar(255)`. */
export const shortType = (type) => SHORT.reduce((text, [long, short]) => text.replace(long, short), type);

/** A list of names; a comma within quotes is a name's own. */
const names = (list) => (list.match(/(?:"(?:[^"]|"")*"|[^",])+/g) || []).map(unquote);
const unquote = (name) => name.trim().replace(/^"(.*)"$/, '$1').replaceAll('""', '"');

/** `FOREIGN KEY (a) REFERENCES s.t(b)` in parts; `null` for other constraints. */
export function foreignKey(definition, schema) {
  const found = /^FOREIGN KEY \(((?:"(?:[^"]|"")*"|[^")])+)\) REFERENCES (?:("(?:[^"]|"")+"|[^\s".(]+)\.)?("(?:[^"]|"")+"|[^\s".(]+)\(((?:"(?:[^"]|"")*"|[^")])+)\)/.exec(definition);
  return found && { columns: names(found[1]), table: `${unquote(found[2] || schema)}.${unquote(found[3])}`, to: names(found[4]) };
}

/** Tables by `schema.name`, with their keys, what they reference and who references them. */
export function model(details) {
  const tables = new Map();
  for (const { service, schemas } of details) {
    for (const schema of schemas) {
      for (const table of schema.tables) {
        const keys = table.constraints.map((c) => foreignKey(c.definition, schema.name)).filter(Boolean);
        const primary = table.constraints.map((c) => /^PRIMARY KEY \(((?:"(?:[^"]|"")*"|[^")])+)\)/.exec(c.definition)).find(Boolean);
        tables.set(`${schema.name}.${table.name}`, { ...table, id: `${schema.name}.${table.name}`, schema: schema.name, service, keys, primary: primary ? names(primary[1]) : [], by: [] });
      }
    }
  }
  for (const table of tables.values()) {
    for (const key of table.keys) tables.get(key.table)?.by.push({ table: table.id, columns: key.columns });
  }
  return tables;
}

export const HEAD = 28;
export const ROW = 19;
const CHAR = 6.7;
const GAP = 22;
const PAD = 18;
const TITLE = 30;

/** The columns that are drawn. */
export function shown(table, all) {
  const referring = new Set(table.keys.flatMap((key) => key.columns));
  return table.columns
    .map((column) => ({ ...column, key: table.primary.includes(column.name) ? 'pk' : referring.has(column.name) ? 'fk' : '' }))
    .filter((column) => all || column.key);
}

/** How deep each id stands below what it needs; a circle is cut where it closes. */
function depths(ids, needs) {
  const depth = new Map();
  const visit = (id, path) => {
    if (depth.has(id)) return depth.get(id);
    if (path.includes(id)) return -1;
    const deepest = Math.max(-1, ...needs(id).filter((other) => other !== id && ids.includes(other)).map((other) => visit(other, [...path, id])));
    depth.set(id, deepest + 1);
    return deepest + 1;
  };
  ids.forEach((id) => visit(id, []));
  return depth;
}

/** Tables in columns by depth, at most so many over each other. */
function room(schema, tables, all) {
  const ids = tables.map((table) => table.id);
  const depth = depths(ids, (id) => tables.find((table) => table.id === id).keys.map((key) => key.table));
  const sorted = [...tables].sort((a, b) => depth.get(a.id) - depth.get(b.id) || b.by.length - a.by.length || a.id.localeCompare(b.id));
  const perColumn = Math.ceil(sorted.length / Math.ceil(Math.sqrt(sorted.length / 1.6)));
  const boxes = [];
  let x = PAD;
  let height = 0;
  for (let at = 0; at < sorted.length; at += perColumn) {
    let y = TITLE + PAD / 2;
    let width = 0;
    const column = sorted.slice(at, at + perColumn).map((table) => {
      const rows = shown(table, all);
      const longest = Math.max(table.name.length + 3, ...rows.map((c) => c.name.length + shortType(c.type).length + 5));
      const box = { table, rows, x, y, width: Math.max(170, Math.ceil(longest * CHAR) + 22), height: HEAD + rows.length * ROW + 6 };
      y += box.height + GAP;
      width = Math.max(width, box.width);
      return box;
    });
    for (const box of column) box.width = width;
    boxes.push(...column);
    x += width + GAP * 2;
    height = Math.max(height, y - GAP);
  }
  return { schema, boxes, width: x - GAP * 2 + PAD, height: height + PAD };
}

/** Everything's place, about as wide as `aspect` times its height: `{ rooms, boxes, edges, width, height }`. */
export function layout(tables, all, schemas, aspect = 1.7) {
  const visible = [...tables.values()].filter((table) => schemas.has(table.schema));
  const groups = Map.groupBy ? Map.groupBy(visible, (table) => table.schema) : group(visible);
  const ids = [...groups.keys()];
  const needs = (schema) => groups.get(schema).flatMap((table) => table.keys.map((key) => key.table.split('.')[0]));
  const depth = depths(ids, needs);
  const rooms = ids.map((schema) => room(schema, groups.get(schema), all)).sort((a, b) => depth.get(a.schema) - depth.get(b.schema) || b.height - a.height);
  // Rooms fill columns like a newspaper, so that the whole fills the frame.
  const area = rooms.reduce((sum, r) => sum + (r.width + GAP * 2) * (r.height + GAP * 2), 0);
  const most = Math.max(Math.sqrt(area / aspect), ...rooms.map((r) => r.height));
  let x = 0;
  let y = 0;
  let width = 0;
  let height = 0;
  for (const r of rooms) {
    if (y > 0 && y + r.height > most * 1.08) {
      x += width + GAP * 3;
      y = 0;
      width = 0;
    }
    Object.assign(r, { x, y });
    y += r.height + GAP * 2;
    width = Math.max(width, r.width);
    height = Math.max(height, y - GAP * 2);
  }
  const boxes = new Map(rooms.flatMap((r) => r.boxes.map((box) => [box.table.id, { ...box, x: box.x + r.x, y: box.y + r.y }])));
  return { rooms, boxes, edges: edges(boxes), width: x + width, height };
}

function group(tables) {
  const groups = new Map();
  for (const table of tables) groups.set(table.schema, [...(groups.get(table.schema) || []), table]);
  return groups;
}

function edges(boxes) {
  const all = [];
  for (const box of boxes.values()) {
    for (const key of box.table.keys) {
      const target = boxes.get(key.table);
      if (target) all.push({ id: `${box.table.id}>${key.columns}`, from: box.table.id, to: key.table, d: path(box, target, key) });
    }
  }
  return all;
}

function rowAt(box, name) {
  const index = box.rows.findIndex((row) => row.name === name);
  return box.y + (index < 0 ? HEAD / 2 : HEAD + index * ROW + ROW / 2);
}

/** From the referring column's side to the referenced column's nearer side. */
function path(from, to, key) {
  const [y1, y2] = [rowAt(from, key.columns[0]), rowAt(to, key.to[0])];
  if (from === to) {
    const x = from.x + from.width;
    return `M${x} ${y1}C${x + 34} ${y1} ${x + 34} ${y2} ${x} ${y2}`;
  }
  const rightward = to.x > from.x + from.width;
  const leftward = to.x + to.width < from.x;
  const x1 = rightward ? from.x + from.width : from.x;
  const x2 = leftward ? to.x + to.width : to.x;
  // Over each other: both leave to the left.
  const bend = leftward || rightward ? Math.min(120, Math.max(28, Math.abs(x2 - x1) / 2)) : 36;
  const c1 = rightward ? x1 + bend : x1 - bend;
  const c2 = leftward ? x2 + bend : x2 - bend;
  return `M${x1} ${y1}C${c1} ${y1} ${c2} ${y2} ${x2} ${y2}`;
}
