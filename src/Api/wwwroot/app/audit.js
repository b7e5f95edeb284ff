/** Who changed what, newest first, with filters. */
import { fill, h, table } from './dom.js';
import { api } from './api.js';
import { ago } from './format.js';
import { short } from './numbers.js';

const filters = [
  ['actor', 'Who', 'ada'],
  ['action', 'What', 'run.cancel'],
  ['subject', 'Of', 'id or name'],
];

/** An element with the trail, and refresh() that reads it from its beginning. */
export function audit(signal) {
  const list = h('div');
  let entries = [],
    cursor = null,
    turn = 0;
  const more = h('button', { type: 'button', hidden: true, onclick: () => read() }, 'Show more');
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        refresh();
      },
    },
    filters.map(([name, label, placeholder]) =>
      h('label.field', h('span', label), h('input', { name, placeholder, size: 14, onchange: () => refresh() })),
    ),
  );
  const read = async () => {
    const wanted = filters.map(([name]) => [name, form.elements[name].value.trim()]).filter(([, value]) => value);
    const part = new URLSearchParams([...wanted, ['limit', '50'], ...(cursor ? [['cursor', cursor]] : [])]);
    const mine = ++turn;
    const answer = await api.get(`/audit?${part}`, signal);
    // Asked for something else meanwhile.
    if (mine !== turn) return;
    entries.push(...answer.items);
    cursor = answer.nextCursor;
    more.hidden = !cursor;
    fill(
      list,
      table(
        'Audit trail',
        ['When', 'Who', 'What', 'Of', 'Detail'],
        entries.map(entry => [
          h('span.nowrap', ago(entry.at)),
          entry.actor,
          h('span.nowrap', entry.action),
          subject(entry),
          h('span.small.muted', detail(entry.detail ?? {})),
        ]),
        'Nothing like that happened.',
      ),
    );
  };
  const refresh = () => {
    entries = [];
    cursor = null;
    return read();
  };
  return { element: [form, list, more], refresh };
}

const subject = ({ action, subject }) =>
  action.startsWith('run.') && action !== 'run.batch' && action !== 'run.delete'
    ? h('a', { href: `/runs/${encodeURIComponent(subject)}` }, `run ${short(subject)}`)
    : action === 'run.batch'
      ? h('a', { href: `/runs?batch=${encodeURIComponent(subject)}` }, `grid ${short(subject)}`)
      : h('span.wordy', subject ?? '–');

const detail = facts =>
  Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ') || '–';
