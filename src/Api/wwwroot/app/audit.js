/** Who changed what, newest first, with filters. */
import { fill, h, table } from './dom.js';
import { api } from './api.js';
import { dayBegins } from './dates.js';
import { attempt } from './fields.js';
import { ago } from './format.js';
import { short } from './numbers.js';

const filters = [
  { name: 'actor', label: 'User', placeholder: 'ada' },
  { name: 'action', label: 'Action', placeholder: 'run.cancel' },
  { name: 'subject', label: 'Subject', placeholder: 'id or name' },
  { name: 'from', label: 'From', type: 'date', read: day => dayBegins(day) },
  // The API leaves out what is at this time or later; the day itself is meant to be shown.
  { name: 'to', label: 'To', type: 'date', read: day => dayBegins(day, 1) },
];

/** An element with the trail, and refresh() that reads it from its beginning. */
export function audit(signal) {
  const list = h('div');
  let entries = [],
    cursor = null,
    turn = 0;
  const more = h('button', { type: 'button', hidden: true, onclick: () => attempt(new Map(), read) }, 'Show more');
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        filtered();
      },
    },
    filters.map(({ label, name, type, placeholder }) =>
      h('label.field', h('span', label), h('input', { name, type, placeholder, size: 14, onchange: () => filtered() })),
    ),
  );
  const filtered = () => attempt(new Map(), refresh);
  const read = async () => {
    const typed = filters.map(({ name, read = text => text }) => [name, form.elements[name].value.trim(), read]);
    const wanted = typed.filter(([, value]) => value).map(([name, value, read]) => [name, read(value)]);
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
        ['Time', 'User', 'Action', 'Subject', 'Detail'],
        entries.map(entry => [
          h('span.nowrap', ago(entry.at)),
          entry.actor,
          h('span.nowrap', entry.action),
          subject(entry),
          h('span.small.muted', detail(entry.detail ?? {})),
        ]),
        'No audit events match these filters.',
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
