// All tables and what they reference: a drawing to move around in, a list to search, and each table in full.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { get } from '../parts/api.js';
import { EnvironmentChoice, chosen, useEnvironments } from '../parts/environment.js';
import { Canvas, focusBox } from '../parts/erd-canvas.js';
import { savePng, saveSvg } from '../parts/erd-export.js';
import { layout, model, shortType, shown } from '../parts/erd-model.js';
import { bytes, number } from '../parts/format.js';
import { adjust, to, useAction, useLoad } from '../parts/hooks.js';
import { t, tn } from '../parts/i18n.js';
import { Icon } from '../parts/states.js';
import { Act, Empty, Facts, Head, Loaded, Trouble } from '../parts/ui.js';

async function load(environment, signal) {
  const { services } = await get('api/schemas', { environment, withTables: true }, { signal });
  return model(services.map(({ service, details }) => ({ service, schemas: details })));
}

const pick = (table) => adjust({ table });

const Defined = ({ title, of }) => of.length > 0 && html`<h3>${title} <span class="dim num">${of.length}</span></h3>
  <ul class="defined">${of.map((d) => html`<li key=${d.name}><span class="mono">${d.name}</span><code>${d.definition}</code></li>`)}</ul>`;

function Details({ table, tables, arrive, onClose }) {
  const heading = useRef(null);
  // Whoever opened it by keyboard goes on reading here.
  useEffect(() => {
    if (arrive.current) heading.current.focus({ preventScroll: true });
    arrive.current = false;
  }, []);
  const keyOf = (name) => table.keys.find((key) => key.columns.includes(name));
  return html`<aside class="erd-details" aria-labelledby="table-name" onKeyDown=${(event) => event.key === 'Escape' && onClose()}>
    <div class="row spread"><h2 id="table-name" class="mono" tabindex="-1" ref=${heading}>${table.id}</h2>
      <button type="button" class="icon-button" aria-label=${t('close')} title=${t('close')} onClick=${onClose}><${Icon} name="cross" /></button></div>
    ${table.comment && html`<p lang="">${table.comment}</p>`}
    <${Facts} of=${[
      [t('service'), html`<a href=${to('service', table.service)}>${table.service}</a>`],
      [t('size'), bytes(table.sizeBytes)],
      [t('rows'), table.estimatedRows < 0 ? '–' : number(table.estimatedRows)],
      ['RLS', table.rowLevelSecurityForced ? t('rls.forced') : table.rowLevelSecurity ? t('rls.on') : t('rls.off')],
    ]} />
    <h3>${t('columns')} <span class="dim num">${table.columns.length}</span></h3>
    <ul class="columns">${shown(table, true).map((column) => html`<li key=${column.name}>
      <div><span class="mono column-name">${column.name}</span>
        ${column.key && html`<span class="tag">${column.key.toUpperCase()}</span>`}
        <span class="mono dim">${shortType(column.type)}${column.nullable ? '' : html` <span class="small-caps">not null</span>`}</span></div>
      ${column.key === 'fk' && keyOf(column.name) && html`<div>→ <button type="button" class="link mono" disabled=${!tables.has(keyOf(column.name).table)} onClick=${() => pick(keyOf(column.name).table)}>${keyOf(column.name).table}</button></div>`}
      ${column.default && html`<div class="hint mono">= ${column.default}</div>`}
      ${column.comment && html`<div class="hint" lang="">${column.comment}</div>`}</li>`)}</ul>
    ${table.by.length > 0 && html`<h3>${t('erd.by')} <span class="dim num">${table.by.length}</span></h3>
      <ul class="columns">${table.by.map((by) => html`<li key=${by.table + by.columns}><button type="button" class="link mono" onClick=${() => pick(by.table)}>${by.table}</button> <span class="mono dim">${by.columns.join(', ')}</span></li>`)}</ul>`}
    <${Defined} title=${t('indexes')} of=${table.indexes} />
    ${table.policies.length > 0 && html`<h3>${t('policies')} <span class="dim num">${table.policies.length}</span></h3>
      <ul class="defined">${table.policies.map((p) => html`<li key=${p.name}><span><span class="mono">${p.name}</span> <span class="tag">${p.command}</span> <span class="dim">${p.roles.join(', ')}</span></span>
        ${p.using && html`<code>USING ${p.using}</code>`}${p.check && html`<code>CHECK ${p.check}</code>`}</li>`)}</ul>`}
    <${Defined} title=${t('constraints')} of=${table.constraints} />
    <${Defined} title=${t('triggers')} of=${table.triggers} />
  </aside>`;
}

/** Tables whose name, comment or columns have all the words. */
function search(tables, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (table) => {
    const where = [table.id, table.comment || '', ...table.columns.map((c) => c.name)].join(' ').toLowerCase();
    return words.every((word) => where.includes(word));
  };
  const rank = (table) => (table.name.startsWith(words[0] || '') ? 0 : table.id.includes(words[0] || '') ? 1 : 2);
  return [...tables.values()].filter(fits).sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
}

/** By schema, in the order in which the first of each comes. */
function groups(found) {
  const by = new Map();
  for (const table of found) by.set(table.schema, [...(by.get(table.schema) || []), table]);
  return [...by];
}

/** How much wider than high the drawing's frame is; its styles say the same. */
const aspect = () => (innerWidth > 1100 ? (innerWidth - 500) / Math.max(480, innerHeight - 190) : innerWidth / (innerHeight * 0.6));

function Inside({ tables, selected }) {
  const svg = useRef(null);
  const arrive = useRef(false);
  const every = useMemo(() => [...new Set([...tables.values()].map((table) => table.schema))], [tables]);
  const [hidden, setHidden] = useState(new Set());
  const [all, setAll] = useState(false);
  const [text, setText] = useState('');
  const schemas = new Set(every.filter((schema) => !hidden.has(schema)));
  const drawing = useMemo(() => layout(tables, all, schemas, aspect()), [tables, all, hidden]);
  const [png, drawingPng, problem] = useAction(() => savePng(svg.current, drawing));
  if (!tables.size) return html`<${Empty} title=${t('erd.empty')} icon="graph"><a href=${to('plan')}>${t('nav.plan')}</a><//>`;
  const found = search(tables, text);
  const table = tables.get(selected);
  const open = (id) => {
    arrive.current = true;
    pick(id);
  };
  const close = () => {
    pick('');
    focusBox(svg.current, selected);
  };
  const toggle = (schema) => {
    const next = new Set(hidden);
    if (!next.delete(schema)) next.add(schema);
    setHidden(next);
  };
  return html`
    <div class="erd-tools">
      <fieldset class="chips"><legend class="visually-hidden">${t('erd.schemas')}</legend>${every.map((schema) => html`<label class="chip" key=${schema}><input type="checkbox" checked=${!hidden.has(schema)} onChange=${() => toggle(schema)} /><span>${schema}</span></label>`)}</fieldset>
      <div class="row"><label class="check"><input type="checkbox" checked=${all} onChange=${(e) => setAll(e.target.checked)} /> ${t('erd.all')}</label>
        <${Act} icon="save" onClick=${() => saveSvg(svg.current, drawing)}>SVG<//><${Act} icon="save" busy=${drawingPng} onClick=${png}>PNG<//></div>
    </div>
    <${Trouble} problem=${problem && { message: t('erd.png.failed') }} />
    <div class="erd-page ${table ? 'with-details' : ''}">
      <div class="erd-list"><label class="field search"><span class="visually-hidden">${t('erd.search')}</span><${Icon} name="search" />
          <input type="search" name="search" value=${text} placeholder=${t('erd.search')} onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => e.key === 'Enter' && found.length > 0 && open(found[0].id)} /></label>
        <p class="hint" role="status">${tn('erd.found', found.length)}</p>
        <div class="erd-found">${groups(found).map(([schema, list]) => html`<section key=${schema} aria-label=${schema}><h3>${schema}</h3>
          <ul>${list.map((item) => html`<li key=${item.id}><button type="button" aria-pressed=${item.id === selected} onClick=${() => pick(item.id)} data-table=${item.id}>${item.name}</button></li>`)}</ul></section>`)}</div></div>
      <${Canvas} drawing=${drawing} selected=${drawing.boxes.has(selected) ? selected : null} onSelect=${pick} onOpen=${open} svgRef=${svg} />
      ${table && html`<${Details} table=${table} tables=${tables} arrive=${arrive} onClose=${close} key=${table.id} />`}
    </div>`;
}

function Environment({ environment, selected }) {
  const loaded = useLoad((signal) => load(environment, signal), [environment]);
  return html`<${Loaded} from=${loaded} lines=${8}>${(tables) => html`<${Inside} tables=${tables} selected=${selected} />`}<//>`;
}

export default function Erd({ route }) {
  const environments = useEnvironments();
  const list = environments.data;
  const env = list && chosen(list, route.query.env);
  return html`<${Head} title=${t('nav.erd')} lead=${t('erd.lead')}>
      ${list && html`<${EnvironmentChoice} environments=${list} value=${env.environment} />`}<//>
    <${Loaded} from=${environments}>${() => html`<${Environment} environment=${env.environment} selected=${route.query.table} key=${env.environment} />`}<//>`;
}
