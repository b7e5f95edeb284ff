/** Small forms in a dialog: what the server finds wrong is said beside the field. */
import { fill, h } from './dom.js';

/**
 * Asks for some values. Fields are {name, label, value, hint, rows (makes it a text area), and attributes of the input};
 * work(values) does what is wanted, and the dialog stays open while it fails. True when it was done.
 */
export function ask(heading, label, fields, work) {
  return new Promise(resolve => {
    let done = false;
    const wrong = h('p.wrong', { role: 'alert' });
    const parts = fields.map(field => ({ name: field.name, ...input(field) }));
    const submit = h('button.primary', label);
    const say = error => {
      const errors = error.errors ?? [];
      for (const { name, box, message } of parts) {
        const mine = errors.find(e => e.pointer?.split('/')[1] === name);
        box.setAttribute('aria-invalid', String(Boolean(mine)));
        message.hidden = !mine;
        fill(message, mine?.detail);
      }
      fill(wrong, errors.length ? '' : error.message);
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
              await work(Object.fromEntries(parts.map(({ name, box }) => [name, box.value])));
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

function input({ name, label, hint, rows, ...attributes }) {
  const box = h(rows ? 'textarea' : 'input', { name, rows, autocomplete: 'off', 'aria-label': label, ...attributes });
  const message = h('span.wrong.small', { hidden: true });
  return { box, message, element: h('label.field', h('span', label), box, hint && h('span.small.muted', hint), message) };
}
