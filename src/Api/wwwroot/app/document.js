/** A JSON document, drawn in parts: facts, tables of its lists, headings of what is nested; and as JSON. */
import { copyButton, fill, h, panel, table } from './dom.js';
import { count, number } from './numbers.js';

const mostRows = 500,
  mostInline = 12;

/** A panel of a document, which a button turns into its JSON; draw() gives the other view. */
export function documentPanel(title, document, draw, ...notes) {
  const json = JSON.stringify(document, null, 2);
  const view = h('div');
  const show = raw => fill(view, raw ? h('pre', { tabindex: 0, 'aria-label': `${title} as JSON` }, json) : draw());
  const asJson = h(
    'button.toggle',
    {
      type: 'button',
      'aria-pressed': 'false',
      onclick: () => {
        const raw = asJson.getAttribute('aria-pressed') === 'false';
        asJson.setAttribute('aria-pressed', String(raw));
        show(raw);
      },
    },
    'JSON',
  );
  show(false);
  const tools = h(
    'div.tools',
    asJson,
    copyButton(() => json),
  );
  return panel([h('h2', title), tools], notes, view);
}

const isObject = value => value !== null && typeof value === 'object' && !Array.isArray(value);
const isNested = value => value !== null && typeof value === 'object' && Object.keys(value).length > 0;

/** Everything in an object: plain values as facts, then each list and object under its name. */
export function everything(document, name = 'Values') {
  const entries = Object.entries(document);
  const facts = entries.filter(([, value]) => !isNested(value) || isPlainList(value));
  return [
    facts.length > 0 &&
      h(
        'dl.facts',
        facts.map(([key, value]) => h('div', h('dt', words(key)), h('dd', inline(value)))),
      ),
    entries
      .filter(entry => !facts.includes(entry))
      .map(([key, value]) => [h('h3', words(key)), isObject(value) ? everything(value, words(key)) : list(value, words(key))]),
  ].filter(Boolean);
}

const isPlainList = value => Array.isArray(value) && value.length <= mostInline && !value.some(isNested);

/** A list as a table: columns are the names in its objects, the places in its lists, or one for plain values. */
function list(values, name) {
  const names = [...new Set(values.flatMap(value => (isNested(value) ? Object.keys(value) : [''])))];
  const cell = (value, column) =>
    column === '' ? (isNested(value) ? undefined : value) : isNested(value) ? value[column] : undefined;
  // What a row is about comes first: the database sorts names by their length.
  const columns = [true, false].flatMap(text =>
    names.filter(column => values.some(v => typeof cell(v, column) === 'string') === text),
  );
  const heading = column => (column === '' ? 'value' : /^\d+$/.test(column) ? String(Number(column) + 1) : words(column));
  return [
    table(
      name,
      ['#', ...columns.map(heading)],
      values.slice(0, mostRows).map((value, i) => [i + 1, ...columns.map(column => inline(cell(value, column)))]),
    ),
    values.length > mostRows && h('p.small.muted', `The first ${count(mostRows)} of ${count(values.length)} rows; JSON has all.`),
  ];
}

/** A value in a cell or beside its name. */
function inline(value) {
  if (isNested(value) && !isPlainList(value)) return h('code.name', JSON.stringify(value));
  return typeof value === 'string' ? h('span.name', value) : plain(value);
}

function plain(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return number(value, 5);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return Object.values(value).map(plain).join(', ') || 'none';
  return String(value);
}

/** "biasNorm" as "bias norm". */
const words = key => key.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
