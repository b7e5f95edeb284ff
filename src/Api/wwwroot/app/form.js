/**
 * A form from the catalogue's description of a record. What is left empty is left out, so that the server's default holds.
 * Every input is known by the JSON pointer of what it sets, so that the server's errors find it.
 */
import { fill, h } from './dom.js';
import { title } from './names.js';
import { number } from './numbers.js';
import { listed, parsed } from './typing.js';

/**
 * Editors of one document: read() gives it, show(errors) puts errors beside the inputs, and those without one into a list that
 * it returns.
 */
export class Form {
  constructor(catalogue, changed, checkpoints) {
    Object.assign(this, { catalogue, changed, checkpoints });
    this.lists = {
      task: 'tasks',
      optimizer: 'optimizers',
      'learned optimizer': 'learnedOptimizers',
      schedule: 'schedules',
      estimator: 'estimators',
    };
    this.count = 0;
  }

  /** An editor {element, read, pointers} of the fields of a record. */
  record(fields, value, skip = []) {
    const editors = fields
      .filter(field => !skip.includes(field.name))
      .map(field => [field.name, this.field(field, value?.[field.name])]);
    return {
      element: editors.map(([, editor]) => editor.element),
      read: () => {
        const parts = editors.map(([name, editor]) => [name, editor.read()]).filter(([, part]) => part !== undefined);
        return parts.length ? Object.fromEntries(parts) : undefined;
      },
      pointers: (at, found) => editors.forEach(([name, editor]) => editor.pointers(`${at}/${name}`, found)),
    };
  }

  field(field, value) {
    if (field.list && (field.fields || this.lists[field.type])) return this.many(field, value);
    if (this.lists[field.type] && !field.list) return this.choice(field, value);
    if (field.type === 'object' && !field.list) return this.group(field, value);
    return this.scalar(field, value);
  }

  /** A record of one of several types, such as a task. */
  choice(field, value) {
    const entries = this.catalogue[this.lists[field.type]];
    const optional = !field.required;
    const place = h('div.fields');
    const frame = h('fieldset');
    const about = h('p.small.muted');
    const select = this.labelled(
      { ...field, name: 'type' },
      h(
        'select',
        {
          onchange: () => {
            draw();
            this.changed();
          },
        },
        optional &&
          h('option', { value: '' }, field.nullable ? 'none' : `default${field.default?.type ? ` (${field.default.type})` : ''}`),
        entries
          .filter(entry => !field.choices || field.choices.includes(entry.name))
          .map(entry => h('option', { value: entry.name, selected: value?.type === entry.name }, entry.name)),
      ),
    );
    let inner;
    const draw = given => {
      const entry = entries.find(e => e.name === select.input.value);
      inner = entry && this.record(entry.fields, given);
      fill(about, entry?.summary, entry?.paper && [' ', h('cite', entry.paper)]);
      fill(place, inner?.element ?? null);
      place.hidden = !inner?.element.length;
      frame.className = inner?.element.length ? '' : 'plain';
    };
    draw(value);
    return {
      element: fill(frame, h('legend', title(field.name)), select.element, about, place),
      read: () => (inner ? { type: select.input.value, ...inner.read() } : undefined),
      pointers: (at, found) => {
        found.set(at, select).set(`${at}/type`, select);
        inner?.pointers(at, found);
      },
    };
  }

  /** A nested record; one that may be null is switched on. */
  group(field, value) {
    const place = h('div.fields');
    let inner = field.nullable && value == null ? null : this.record(field.fields, value);
    fill(place, inner?.element);
    const use =
      field.nullable &&
      h('input', {
        type: 'checkbox',
        checked: inner !== null,
        onchange: () => {
          inner = use.checked ? this.record(field.fields, undefined) : null;
          fill(place, inner?.element);
          this.changed();
        },
      });
    const message = h('p.wrong.small', { hidden: true });
    return {
      element: h(
        'details',
        { open: Boolean(value) || field.required || field.name === 'training' },
        h('summary', title(field.name)),
        field.description && h('p.small.muted', field.description),
        use && h('label.row', use, `Use ${title(field.name).toLowerCase()}`),
        message,
        place,
      ),
      read: () => (inner === null ? undefined : field.nullable ? (inner.read() ?? {}) : inner.read()),
      pointers: (at, found) => {
        found.set(at, { message });
        inner?.pointers(at, found);
      },
    };
  }

  /** A list of records, such as contestants. */
  many(field, value) {
    const place = h('div');
    const rows = [];
    const one = given =>
      field.fields
        ? this.record(field.fields, given)
        : this.choice({ ...field, list: false, required: true, name: 'entry' }, given);
    const add = given => {
      const editor = one(given);
      const row = {
        editor,
        element: h(
          'div.entry',
          h('div.fields', editor.element),
          h(
            'button.quiet',
            {
              type: 'button',
              onclick: () => {
                rows.splice(rows.indexOf(row), 1);
                row.element.remove();
                this.changed();
              },
            },
            'Remove',
          ),
        ),
      };
      rows.push(row);
      place.append(row.element);
    };
    (value ?? []).forEach(add);
    if (rows.length === 0 && field.required) add();
    const message = h('p.wrong.small', { hidden: true });
    return {
      element: h(
        'fieldset',
        h('legend', title(field.name)),
        field.description && h('p.small.muted', field.description),
        message,
        place,
        h(
          'button',
          {
            type: 'button',
            onclick: () => {
              add();
              this.changed();
            },
          },
          'Add one',
        ),
      ),
      read: () => (rows.length ? rows.map(row => row.editor.read() ?? {}) : undefined),
      pointers: (at, found) => {
        found.set(at, { message });
        rows.forEach((row, i) => {
          row.editor.pointers(`${at}/${i}`, found);
        });
      },
    };
  }

  scalar(field, value) {
    const same = JSON.stringify(value) === JSON.stringify(field.default);
    const given = value === undefined || value === null || same ? '' : field.list ? value.join(', ') : String(value);
    const example =
      field.default === undefined || field.default === null ? '' : field.list ? field.default.join(', ') : String(field.default);
    const oninput = () => this.changed();
    const input =
      field.type === 'boolean'
        ? h(
            'select',
            { onchange: oninput },
            [
              ['', `default (${field.default ? 'yes' : 'no'})`],
              ['true', 'yes'],
              ['false', 'no'],
            ].map(([v, word]) => h('option', { value: v, selected: given === v }, word)),
          )
        : field.choices && !field.list
          ? h(
              'select',
              { onchange: oninput },
              h('option', { value: '' }, example ? `default (${example})` : 'none'),
              field.choices.map(c => h('option', { value: c, selected: given === c }, c)),
            )
          : h('input', {
              value: given,
              placeholder: example,
              oninput,
              spellcheck: 'false',
              autocomplete: 'off',
              inputmode: ['integer', 'number'].includes(field.type) && !field.list ? 'decimal' : null,
              list: field.type === 'uuid' ? this.checkpoints : null,
            });
    const labelled = this.labelled(field, input);
    return {
      element: labelled.element,
      read: () =>
        input.value.trim() === ''
          ? undefined
          : field.list
            ? listed(field.type, input.value)
            : parsed(field.type, input.value.trim()),
      pointers: (at, found) => found.set(at, labelled),
    };
  }

  labelled(field, input) {
    const id = `field-${this.count++}`;
    const message = h('p.wrong.small', { id: `${id}-wrong`, hidden: true });
    input.id = id;
    input.setAttribute('aria-describedby', `${id}-wrong`);
    const range = field.min !== undefined && !field.choices ? `${number(field.min)} to ${number(field.max)}` : '';
    return {
      input,
      message,
      element: h(
        'div.field',
        h(
          'label',
          { for: id, title: field.description ?? '' },
          title(field.name),
          field.required && ' *',
          range && h('span.range', range),
        ),
        input,
        message,
      ),
    };
  }
}
