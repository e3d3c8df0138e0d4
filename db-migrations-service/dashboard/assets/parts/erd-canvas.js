// The drawing, moved and enlarged by pointer, wheel and keyboard.

import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js';
import { HEAD, ROW, shortType } from './erd-model.js';
import { t } from './i18n.js';
import { Icon } from './states.js';

const LEAST = 0.08;
const MOST = 2.5;

function Box({ box, kind, stop, onSelect, onKeyDown, onFocus }) {
  const { table, x, y, width, height, rows } = box;
  return html`<g class="erd-table ${kind}" transform="translate(${x} ${y})" data-table=${table.id} onClick=${() => onSelect(table.id)}>
    <rect class="erd-card" width=${width} height=${height} rx="6" role="button" tabindex=${stop ? 0 : -1} aria-label=${table.id} aria-pressed=${kind === 'selected'}
      onKeyDown=${(event) => onKeyDown(event, box)} onFocus=${() => onFocus(box)} />
    <path class="erd-head" d="M0 6a6 6 0 0 1 6-6h${width - 12}a6 6 0 0 1 6 6v${HEAD - 6}h-${width}z" />
    <text class="erd-name" x="10" y=${HEAD / 2 + 4}>${table.name}</text>
    ${rows.map((row, i) => html`<g key=${row.name} transform="translate(0 ${HEAD + i * ROW + ROW / 2 + 6})">
      <text class="erd-key" x="10">${row.key === 'pk' ? '●' : row.key === 'fk' ? '○' : ''}</text>
      <text class="erd-column ${row.key}" x="24">${row.name}</text>
      <text class="erd-type" x=${width - 10}>${shortType(row.type)}${row.nullable ? '?' : ''}</text></g>`)}
  </g>`;
}

/** What a selected table is joined with. */
function near(edges, selected) {
  if (!selected) return null;
  return new Set(edges.filter((e) => e.from === selected || e.to === selected).flatMap((e) => [e.from, e.to]).concat(selected));
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Gives a table of the drawing the focus. */
export const focusBox = (svg, id) => svg.querySelector(`[data-table="${CSS.escape(id)}"] .erd-card`)?.focus({ preventScroll: true });

const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];

/** The next box in a direction: what lies to the side counts as farther away. */
function next(boxes, from, [right, down]) {
  const [x, y] = middle(from);
  const away = (box) => {
    const [dx, dy] = [middle(box)[0] - x, middle(box)[1] - y];
    const ahead = dx * right + dy * down;
    return ahead <= 0 ? Infinity : ahead + 2 * Math.abs(dx * down + dy * right);
  };
  return boxes.reduce((best, box) => (away(box) < away(best) ? box : best), from);
}

export function Canvas({ drawing, selected, onSelect, onOpen, svgRef }) {
  // One table stands in the order of the Tab key: the one that was come to last.
  const [at, setAt] = useState(null);
  const frame = useRef(null);
  const group = useRef(null);
  const view = useRef({ x: 0, y: 0, k: 1 });
  const moved = useRef(false);

  const apply = () => {
    const { x, y, k } = view.current;
    group.current?.setAttribute('transform', `translate(${x} ${y}) scale(${k})`);
  };
  const zoom = (factor, px, py) => {
    const { width, height } = frame.current.getBoundingClientRect();
    const [cx, cy] = [px ?? width / 2, py ?? height / 2];
    const old = view.current;
    const k = Math.min(MOST, Math.max(LEAST, old.k * factor));
    view.current = { k, x: cx - ((cx - old.x) / old.k) * k, y: cy - ((cy - old.y) / old.k) * k };
    apply();
  };
  const fit = () => {
    const { width, height } = frame.current.getBoundingClientRect();
    const k = Math.min(1.2, Math.max(LEAST, Math.min((width - 32) / drawing.width, (height - 32) / drawing.height)));
    view.current = { k, x: (width - drawing.width * k) / 2, y: (height - drawing.height * k) / 2 };
    apply();
  };
  useLayoutEffect(fit, [drawing]);
  useEffect(() => {
    const box = selected && drawing.boxes.get(selected);
    if (!box) return;
    const { width, height } = frame.current.getBoundingClientRect();
    const k = Math.max(view.current.k, 0.75);
    view.current = { k, x: width / 2 - (box.x + box.width / 2) * k, y: height / 2 - (box.y + box.height / 2) * k };
    apply();
  }, [selected, drawing]);

  useEffect(() => {
    const element = frame.current;
    const pointers = new Map();
    let apart = 0;
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    const down = (event) => {
      if (event.target.closest('button')) return;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved.current = false;
      if (pointers.size === 2) apart = spread();
    };
    const move = (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
      if (!moved.current && Math.hypot(dx, dy) < 4) return;
      if (!moved.current) element.setPointerCapture(event.pointerId);
      moved.current = true;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (pointers.size === 2) {
        const now = spread();
        if (apart) zoom(now / apart);
        apart = now;
      } else {
        view.current = { ...view.current, x: view.current.x + dx, y: view.current.y + dy };
        apply();
      }
    };
    const up = (event) => pointers.delete(event.pointerId);
    const wheel = (event) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - left, event.clientY - top);
      else {
        view.current = { ...view.current, x: view.current.x - event.deltaX, y: view.current.y - event.deltaY };
        apply();
      }
    };
    const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
    Object.entries(listeners).forEach(([name, act]) => element.addEventListener(name, act));
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      Object.entries(listeners).forEach(([name, act]) => element.removeEventListener(name, act));
      element.removeEventListener('wheel', wheel);
    };
  }, []);

  const keys = (event) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step) view.current = { ...view.current, x: view.current.x + step[0], y: view.current.y + step[1] };
    else if (event.key === '+') zoom(1.25);
    else if (event.key === '-') zoom(0.8);
    else if (event.key === '0') fit();
    else return;
    event.preventDefault();
    apply();
  };
  const boxes = [...drawing.boxes.values()];
  const stop = [selected, at].find((id) => drawing.boxes.has(id)) ?? boxes[0]?.table.id;
  /** Brings a box into sight that is not. */
  const reveal = (box) => {
    setAt(box.table.id);
    frame.current.scrollTo(0, 0);
    const { width, height } = frame.current.getBoundingClientRect();
    const { x, y, k } = view.current;
    const [left, top] = [x + box.x * k, y + box.y * k];
    const inside = left >= 0 && top >= 0 && left + box.width * k <= width && top + box.height * k <= height;
    if (!inside) view.current = { k, x: width / 2 - middle(box)[0] * k, y: height / 2 - middle(box)[1] * k };
    apply();
  };
  const boxKeys = (event, box) => {
    const direction = DIRECTIONS[event.key];
    if (event.key === 'Enter' || event.key === ' ') onOpen(box.table.id);
    else if (direction) {
      const { id } = next(boxes, box, direction).table;
      focusBox(svgRef.current, id);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const close = near(drawing.edges, selected);
  const kind = (id) => (!close ? '' : id === selected ? 'selected' : close.has(id) ? 'near' : 'far');
  const choose = (id) => moved.current || onSelect(id);
  const buttons = [['plus', 'zoom.in', () => zoom(1.25)], ['minus', 'zoom.out', () => zoom(0.8)], ['fit', 'zoom.fit', fit]];
  return html`<div class="erd-frame" ref=${frame}>
    <svg class="erd" ref=${svgRef} tabindex="0" role="group" aria-label=${t('erd.label', { n: drawing.boxes.size })} onKeyDown=${keys}>
      <g ref=${group}>
        ${drawing.rooms.map((r) => html`<g key=${r.schema} class="erd-room"><rect x=${r.x} y=${r.y} width=${r.width} height=${r.height} rx="10" />
          <text x=${r.x + 16} y=${r.y + 22}>${r.schema}</text></g>`)}
        <g>${drawing.edges.map((edge) => html`<path key=${edge.id} d=${edge.d}
          class="erd-edge ${!close ? '' : edge.from === selected || edge.to === selected ? 'near' : 'far'}" />`)}</g>
        ${boxes.map((box) => html`<${Box} key=${box.table.id} box=${box} kind=${kind(box.table.id)} stop=${box.table.id === stop} onSelect=${choose} onKeyDown=${boxKeys} onFocus=${reveal} />`)}
      </g>
    </svg>
    <div class="erd-zoom">${buttons.map(([icon, key, act]) => html`<button type="button" class="icon-button" key=${key} aria-label=${t(key)} title=${t(key)} onClick=${act}><${Icon} name=${icon} /></button>`)}</div>
  </div>`;
}
