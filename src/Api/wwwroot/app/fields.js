/** Inputs with their labels, and what the server finds wrong with them beside them. */
import { fill, h, toast } from './dom.js';

let made = 0;

/** An input {input, message, element}: the element has the label, a hint where there is one, and the place of the message. */
export function field(label, input, hint, style = '') {
  const place = bare(input);
  // Without the hint and the message, which are in the label element too.
  input.setAttribute('aria-label', label);
  const element = h(`label.field${style}`, h('span', label), input, hint && h('span.small.muted', hint), place.message);
  return { ...place, element };
}

/** The same without a label of its own, as in a table; the element is the input and the place of the message. */
export function bare(input) {
  const message = h('span.wrong.small', { id: `wrong-${++made}`, hidden: true });
  input.setAttribute('aria-describedby', message.id);
  return { input, message, element: [input, message] };
}

/** Marks the fields that errors point at, found by JSON pointer; returns the errors that point at none. */
export function mark(found, errors) {
  for (const { input, message } of found.values()) {
    message.hidden = true;
    input?.removeAttribute('aria-invalid');
  }
  return errors.filter(error => {
    let at = error.pointer;
    while (at && !found.has(at)) at = at.slice(0, at.lastIndexOf('/'));
    const place = found.get(at);
    if (!place) return true;
    fill(place.message, error.detail);
    place.message.hidden = false;
    place.input?.setAttribute('aria-invalid', 'true');
    place.message.closest('details')?.setAttribute('open', '');
    return false;
  });
}

/** Does some work; shows its errors beside the fields that they point at, and others in the corner. True when it was done. */
export async function attempt(found, work) {
  mark(found, []);
  try {
    await work();
    return true;
  } catch (error) {
    const errors = error.errors ?? [];
    const left = mark(found, errors);
    if (errors.length === 0 || left.length > 0) toast([error.message, ...left.map(e => e.detail)].join(' '), 'bad');
    return false;
  }
}
