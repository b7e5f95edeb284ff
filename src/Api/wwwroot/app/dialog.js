/** Small forms in a dialog: what the server finds wrong is said beside the field. */
import { fill, h } from './dom.js';
import { field, mark } from './fields.js';

/**
 * Asks for some values. Fields are {name, label, value, hint, rows (makes it a text area), and attributes of the input};
 * work(values) does what is wanted, and the dialog stays open while it fails. True when it was done.
 */
export function ask(heading, label, fields, work) {
  return new Promise(resolve => {
    let done = false;
    const wrong = h('p.wrong', { role: 'alert' });
    const parts = fields.map(({ label: words, hint, rows, ...attributes }) =>
      field(words, h(rows ? 'textarea' : 'input', { rows, autocomplete: 'off', ...attributes }), hint),
    );
    const found = new Map(parts.map(part => [`/${part.input.name}`, part]));
    const submit = h('button.primary', label);
    const say = error => {
      const left = mark(found, error.errors ?? []);
      fill(wrong, left.length || !error.errors?.length ? [error.message, ...left.map(e => e.detail)].join(' ') : '');
    };
    const dialog = h(
      'dialog.form',
      { 'aria-label': heading },
      h(
        'form',
        {
          onsubmit: async event => {
            event.preventDefault();
            submit.disabled = true;
            try {
              await work(Object.fromEntries(parts.map(({ input }) => [input.name, input.value])));
              done = true;
              dialog.close();
            } catch (error) {
              say(error);
            } finally {
              submit.disabled = false;
            }
          },
        },
        h('h2', heading),
        parts.map(part => part.element),
        wrong,
        h('div.row.end', h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), submit),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
