// SQL with colours, line numbers, and a caret where something is wrong. Words are told apart, not parsed.

import { html } from '../vendor/htm-preact.js';

const WORDS = new Set(
  `add after all alter always analyze and any array as asc before begin between by cascade case cast check column comment commit
  concurrently conflict constraint create cross current_date current_timestamp current_user cursor database declare default
  deferrable deferred definer delete desc disable distinct do domain drop each else elsif enable end enum exception execute exists
  extension false first for force foreign from full function generated grant group having identity if immutable in include index
  inherits inner insert instead into invoker is join key language last left like limit local loop materialized no not nothing
  notnull null nulls of offset on only or order outer owner parallel partition permissive plpgsql policy primary procedure raise
  range read references release rename replace reset restrict restrictive return returning returns revoke right role rollback row
  rows safe savepoint schema security select sequence session set setof stable start statement stored strict table tablespace
  temporary then to transaction trigger true truncate type union unique unlogged until update usage using vacuum valid validate
  values view volatile when where while with without work`.split(/\s+/),
);
const TOKEN =
  /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*'|E'(?:[^'\\]|\\.|'')*')|(\$[A-Za-z_]*\$)|("(?:[^"]|"")*")|(\b\d+(?:\.\d+)?\b)|([A-Za-z_][\w$]*)|(\s+|[^\s\w])/g;

/** `[class, text]` for each piece. */
export function pieces(sql) {
  return [...sql.matchAll(TOKEN)].map(([text, comment, string, dollar, quoted, digits, name]) => {
    if (comment) return ['c', text];
    if (string) return ['s', text];
    if (dollar) return ['d', text];
    if (quoted) return ['q', text];
    if (digits) return ['n', text];
    return [name && WORDS.has(name.toLowerCase()) ? 'k' : '', text];
  });
}

/** The pieces of each line. */
function lines(sql) {
  const all = [[]];
  for (const [kind, text] of pieces(sql)) {
    text.split('\n').forEach((bit, i) => {
      if (i) all.push([]);
      if (bit) all.at(-1).push([kind, bit]);
    });
  }
  return all;
}

const Line = ({ of }) => of.map(([kind, text]) => (kind ? html`<span class="sql-${kind}">${text}</span>` : text));

/** A listing; `label` names it for whoever cannot see it. `from` is the number of its first line. */
export function Sql({ text, label, from = 1, mark }) {
  const all = lines(String(text).replace(/\n+$/, ''));
  return html`<pre class="sql" tabindex="0" role="region" aria-label=${label || 'SQL'}><code>${all.map((of, i) => html`
    <span class="sql-line ${mark === from + i ? 'marked' : ''}" key=${i}><span class="sql-number" aria-hidden="true">${from + i}</span><span class="sql-text"><${Line} of=${of} />${'\n'}</span></span>`)}</code></pre>`;
}

/** One line of a file with a caret under the column where it went wrong. */
export function Caret({ location }) {
  const { file, line, column, lineText } = location;
  const text = lineText ?? '';
  const at = Math.max(0, (column ?? 1) - 1);
  // Tabs stay tabs before the caret, so that it stands where the column is.
  const before = text.slice(0, at).replace(/[^\t]/g, ' ');
  return html`<figure class="caret">
    <figcaption class="mono">${file}${line ? `:${line}` : ''}${column ? `:${column}` : ''}</figcaption>
    ${lineText != null && html`<pre class="sql" tabindex="0" role="region" aria-label=${`${file} ${line}`}><code><span class="sql-line marked"><span class="sql-number" aria-hidden="true">${line}</span><span class="sql-text"><${Line} of=${lines(text)[0]} />${'\n'}</span></span><span class="sql-line"><span class="sql-number" aria-hidden="true"></span><span class="sql-text caret-mark">${before}^${'\n'}</span></span></code></pre>`}
  </figure>`;
}
