/** What users may have at most, for administrators to change. */
import { fill, h, table, toast } from './dom.js';
import { api } from './api.js';
import { attempt, bare } from './fields.js';
import { count, number, size, typed } from './numbers.js';

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
    const cells = (path, who, mine, otherwise, usage) => {
      const places = kinds.map(kind =>
        bare(
          h('input', {
            'aria-label': `${kind.label}: ${who}`,
            value: mine[kind.name] == null ? '' : mine[kind.name] / kind.factor,
            placeholder: otherwise?.[kind.name] == null ? 'no limit' : String(otherwise[kind.name] / kind.factor),
            inputmode: 'decimal',
            size: 9,
            onchange: () => set(path, places),
          }),
        ),
      );
      return kinds.map((kind, i) => [places[i].element, usage && h('div.small.muted', `${kind.text(usage[kind.name])} used`)]);
    };
    // The row as it stands: a field that is wrong keeps what was typed, and the row is not stored until all of it is right.
    const set = async (path, places) => {
      const limits = kinds.map((kind, i) => [kind.name, limitOf(places[i].input.value.trim(), kind)]);
      const found = new Map(kinds.map((kind, i) => [`/${kind.name}`, places[i]]));
      if (!(await attempt(found, () => api.put(path, Object.fromEntries(limits.filter(([, v]) => v !== null)))))) return;
      toast('Limit saved.');
      // Others' fields show the default.
      if (path === '/quotas') await refresh(users);
    };
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
      h('p.small.muted', 'An empty field uses the default limit. A run over a limit waits; nothing is cancelled.'),
    );
  };
  return { element, refresh };
}
