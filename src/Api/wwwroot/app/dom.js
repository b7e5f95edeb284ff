/** Building the page: elements, icons, messages. Styles are set by property, so that no inline style is needed. */

/** An element: h('a.link', {href: '/', onclick: go}, 'text', child). Null and false children are left out. */
export function h(selector, ...rest) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  if (isAttributes(rest[0])) assign(element, rest.shift());
  append(element, rest);
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

const isAttributes = value => value !== null && typeof value === 'object' && !(value instanceof Node) && !Array.isArray(value);

function assign(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, String(text));
    else if (['value', 'checked', 'selected', 'disabled', 'hidden', 'indeterminate'].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

function append(element, children) {
  for (const child of children.flat(Infinity)) if (child != null && child !== false) element.append(child);
}

/** Replaces what is in an element. */
export const fill = (element, ...children) => {
  element.replaceChildren();
  append(element, children);
  return element;
};

const icons = {
  queue: 'M4 6h16M4 12h10M4 18h6',
  runs: 'M4 19V5m0 14h16M8 15l4-5 3 3 5-7',
  compare: 'M4 18c5 0 5-12 16-12M4 7c6 0 7 9 16 9',
  leaderboard: 'M5 20v-7h4v7m1 0V4h4v16m1 0V9h4v11M3 20h18',
  trajectory: 'M4 5c2 9 5 12 8 9s5 0 4 3m0 0 4-2m-4 2-2 4',
  new: 'M12 5v14M5 12h14',
  models: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9',
  schedules: 'M12 7v5l3 2m-3 7a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7 8c1-4 4-5 7-5s6 1 7 5',
  admin: 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z',
  save: 'M12 4v10m-4-4 4 4 4-4M5 19h14',
  copy: 'M9 9h10v11H9zM6 15H5V4h10v2',
  docs: 'M6 4h9l4 4v12H6zM14 4v5h5',
  theme: 'M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16',
  close: 'M6 6l12 12M18 6 6 18',
};

/** A line drawing of 18 pixels that screen readers skip. */
export const icon = name =>
  svg('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, svg('path', { d: icons[name] }));

/** A message in the corner, which screen readers say too. */
export function toast(text, kind = 'plain') {
  const box = h(
    `div.toast.${kind}`,
    text,
    h('button.quiet', { 'aria-label': 'Dismiss', onclick: () => box.remove() }, icon('close')),
  );
  document.getElementById('toasts')?.append(box);
  setTimeout(() => box.remove(), kind === 'bad' ? 12_000 : 5_000);
}

/** Asks before something that has consequences; true when the answer is the action. */
export function confirmed(question, action, otherwise = 'No, keep it') {
  return new Promise(resolve => {
    const dialog = h(
      'dialog',
      { 'aria-label': action },
      h('p', question),
      h(
        'form.row.end',
        { method: 'dialog' },
        h('button', { value: '' }, otherwise),
        h('button.danger', { value: 'yes' }, action),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A button that is off while its work is under way and says what went wrong. */
export function action(label, style, work) {
  const button = h(
    `button${style}`,
    {
      type: 'button',
      onclick: async () => {
        button.disabled = true;
        try {
          await work();
        } catch (error) {
          toast(error.message, 'bad');
        } finally {
          button.disabled = false;
        }
      },
    },
    label,
  );
  return button;
}

/** Copies a text and says so. */
export const copyButton = (text, label = 'Copy') =>
  h(
    'button.quiet',
    {
      type: 'button',
      'aria-label': label || 'Copy',
      title: label ? null : 'Copy',
      onclick: async () => {
        await navigator.clipboard.writeText(text());
        toast('Copied.');
      },
    },
    icon('copy'),
    label,
  );

const longHeading = 12;

/** A table inside a region that scrolls sideways on narrow screens. */
export const table = (caption, head, rows, empty = 'None.') =>
  rows.length === 0
    ? h('p.empty', empty)
    : h(
        'div.scroll',
        { tabindex: 0, role: 'region', 'aria-label': caption },
        h(
          'table',
          h('caption.unseen', caption),
          h(
            'thead',
            h(
              'tr',
              head.map(cell =>
                typeof cell === 'string' ? h(cell.length > longHeading ? 'th.wrap' : 'th', { scope: 'col' }, cell) : cell,
              ),
            ),
          ),
          h(
            'tbody',
            rows.map(row =>
              h(
                'tr',
                row.map(cell => (cell instanceof HTMLTableCellElement ? cell : h('td', cell))),
              ),
            ),
          ),
        ),
      );

/** A heading with what belongs to it, in a panel. */
export const panel = (title, ...children) =>
  h('section.panel', h('div.panel-head', typeof title === 'string' ? h('h2', title) : title), children);
