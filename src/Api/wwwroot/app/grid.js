/** Fields that vary: every combination of their values becomes a run. */
import { fill, h } from './dom.js';
import { field } from './fields.js';
import { most, runsOf, valuesOf } from './grid-values.js';

export class Grid {
  /** changed() is called after each edit; fields() gives pointers of the specification to choose from; typed is of typed(). */
  constructor(changed, fields, typed = []) {
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
    for (const [field, values] of typed) this.append(field, values);
    this.count();
  }

  add(pointer, values) {
    const row = this.append(pointer, values);
    this.edited();
    (pointer ? row.values : row.field).input.focus();
  }

  append(pointer, values) {
    const oninput = () => this.edited();
    const attributes = { oninput, spellcheck: 'false', autocomplete: 'off' };
    const row = {
      field: field('Field', h('input', { value: pointer, list: 'varied', placeholder: '/training/unroll', ...attributes })),
      values: field('Values', h('input', { value: values, placeholder: '0.001, 0.003, 0.01', ...attributes }), null, '.wide'),
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
    return row;
  }

  edited() {
    this.count();
    this.changed();
  }

  count() {
    fill(
      this.known,
      this.fields().map(value => h('option', { value })),
    );
    const runs = runsOf(this.read());
    fill(this.total, this.rows.length === 0 ? '' : runs > most ? `${runs} runs; a grid has ${most} at most.` : `${runs} runs`);
  }

  /** What is in the fields, to make the same grid again. */
  typed() {
    return this.rows.map(row => [row.field.input.value, row.values.input.value]);
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
