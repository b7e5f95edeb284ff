/** Fields that vary: every combination of their values becomes a run. */
import { fill, h } from './dom.js';

const most = 500;

export class Grid {
  /** changed() is called after each edit; fields() gives pointers of the specification to choose from. */
  constructor(changed, fields) {
    Object.assign(this, { changed, fields, rows: [] });
    this.place = h('div');
    this.total = h('p.small.muted', { role: 'status' });
    this.message = h('p.wrong.small', { hidden: true });
    this.known = h('datalist', { id: 'varied' });
    this.element = [
      h('p.small.muted', 'Every combination of the values becomes a run. 1..5 stands for 1, 2, 3, 4, 5.'),
      this.place,
      this.message,
      this.known,
      h(
        'div.row.wrap',
        h('button', { type: 'button', onclick: () => this.add('/seed', '1..3') }, 'Vary the seed'),
        h('button', { type: 'button', onclick: () => this.add('', '') }, 'Vary a setting'),
        this.total,
      ),
    ];
  }

  add(field, values) {
    const oninput = () => this.edited();
    const attributes = { oninput, spellcheck: 'false', autocomplete: 'off' };
    const one = (label, input, more) => {
      const message = h('span.wrong.small', { hidden: true });
      return { input, message, element: h(`label.field${more}`, h('span', label), input, message) };
    };
    const row = {
      field: one('Field', h('input', { value: field, list: 'varied', placeholder: '/training/unroll', ...attributes }), ''),
      values: one('Values', h('input', { value: values, placeholder: '0.001, 0.003, 0.01', ...attributes }), '.wide'),
    };
    row.element = h(
      'div.vary',
      row.field.element,
      row.values.element,
      h(
        'button.quiet',
        {
          type: 'button',
          onclick: () => {
            this.rows.splice(this.rows.indexOf(row), 1);
            row.element.remove();
            this.edited();
          },
        },
        'Remove',
      ),
    );
    this.rows.push(row);
    this.place.append(row.element);
    this.edited();
    (field ? row.values : row.field).input.focus();
  }

  edited() {
    fill(
      this.known,
      this.fields().map(value => h('option', { value })),
    );
    const runs = this.read().reduce((product, axis) => product * axis.values.length, 1);
    fill(this.total, this.rows.length === 0 ? '' : runs > most ? `${runs} runs; a grid has ${most} at most.` : `${runs} runs`);
    this.changed();
  }

  /** The axes as the API takes them; none when nothing varies. */
  read() {
    return this.rows.map(row => ({ field: row.field.input.value.trim(), values: valuesOf(row.values.input.value) }));
  }

  pointers(at, found) {
    found.set(at, { message: this.message });
    this.rows.forEach((row, i) => {
      found.set(`${at}/${i}/field`, row.field).set(`${at}/${i}/values`, row.values);
    });
  }
}

/** "1..3, 10, adam" as [1, 2, 3, 10, "adam"]. */
export function valuesOf(text) {
  return parts(text).flatMap(part => {
    const range = /^(-?\d+)\.\.(-?\d+)$/.exec(part)?.slice(1).map(Number);
    if (range && range[1] >= range[0] && range[1] - range[0] < most)
      return Array.from({ length: range[1] - range[0] + 1 }, (_, i) => range[0] + i);
    try {
      return [JSON.parse(part)];
    } catch {
      return [part];
    }
  });
}

/** At the commas that are not within brackets: a value may be a list such as [20, 20], or an object. */
function parts(text) {
  let depth = 0;
  const found = [''];
  for (const c of text) {
    if ('[{'.includes(c)) depth++;
    else if (']}'.includes(c)) depth--;
    if (c === ',' && depth <= 0) found.push('');
    else found[found.length - 1] += c;
  }
  return found.map(part => part.trim()).filter(Boolean);
}
