/** What users may have at most, for administrators to change. */
import { fill, h, table, toast } from './dom.js';
import { api } from './api.js';
import { count, number, size, typed } from './format.js';

const gib = 2 ** 30;
const kinds = [
  { name: 'running', label: 'Running at once', factor: 1, text: count },
  { name: 'queued', label: 'Waiting', factor: 1, text: count },
  { name: 'storedBytes', label: 'Stored, GiB', factor: gib, text: size },
  { name: 'deviceHours', label: 'Device hours in 7 days', factor: 1, text: value => number(value, 3) },
];

/** What was typed in a kind's unit; null for no limit. */
function limitOf(text, { factor }) {
  const value = text === '' ? null : typed(text);
  return factor === gib && typeof value === 'number' ? Math.round(value * gib) : value;
}

/** An element with a row for everybody and one for each user, and refresh(users) that reads it. */
export function limits(signal) {
  const element = h('div');
  const refresh = async users => {
    const [{ everybody, items }, queue] = await Promise.all([api.get('/quotas', signal), api.get('/queue', signal)]);
    const own = new Map(items.map(item => [item.name, item.limits]));
    const used = new Map(queue.usage.map(user => [user.name, user]));
    const set = async (path, before, kind, text) => {
      const next = { ...before, [kind.name]: limitOf(text.trim(), kind) };
      // At once: the next field may be set before this one is stored.
      Object.assign(before, next);
      try {
        await api.put(path, Object.fromEntries(Object.entries(next).filter(([, v]) => v !== null)));
        toast('The limit holds from now on.');
        // Others' fields say what everybody may have.
        if (path === '/quotas') await refresh(users);
      } catch (error) {
        toast([error.message, ...(error.errors ?? []).map(e => e.detail)].join(' '), 'bad');
        await refresh(users);
      }
    };
    const cells = (path, who, mine, otherwise, usage) =>
      kinds.map(kind => [
        h('input', {
          'aria-label': `${kind.label}: ${who}`,
          value: mine[kind.name] == null ? '' : mine[kind.name] / kind.factor,
          placeholder: otherwise?.[kind.name] == null ? 'no limit' : String(otherwise[kind.name] / kind.factor),
          inputmode: 'decimal',
          size: 9,
          onchange: event => set(path, mine, kind, event.target.value),
        }),
        usage && h('div.small.muted', `${kind.text(usage[kind.name])} used`),
      ]);
    fill(
      element,
      table(
        'Limits',
        ['Who', ...kinds.map(kind => kind.label)],
        [
          [h('strong', 'Everybody'), ...cells('/quotas', 'everybody', everybody)],
          ...users.map(({ name }) => [
            name,
            ...cells(`/quotas/${encodeURIComponent(name)}`, name, own.get(name) ?? {}, everybody, used.get(name)),
          ]),
        ],
      ),
      h(
        'p.small.muted',
        'What is left empty for a user is everybody’s. A run over a limit waits and says so; nothing is cancelled.',
      ),
    );
  };
  return { element, refresh };
}
