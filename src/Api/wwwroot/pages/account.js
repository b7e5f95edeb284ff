/** The signed-in user: tokens, and what was used of what is allowed. */
import { fill, h, panel, table } from '../app/dom.js';
import { api } from '../app/api.js';
import { count, number, size } from '../app/numbers.js';
import { subscriptions } from '../app/subscriptions.js';
import { tokens } from '../app/tokens.js';

export const title = 'Account';

export async function show(view, { me, signal }) {
  const usage = await api.get('/me/usage', signal);
  const own = tokens('/me/tokens', me.scopes, signal);
  const told = subscriptions(signal);
  const row = (name, used, limit, write) => [
    name,
    write(used),
    limit == null ? 'no limit' : write(limit),
    limit
      ? h('progress', { max: limit, value: Math.min(used, limit), 'aria-label': `${name}: ${write(used)} of ${write(limit)}` })
      : '',
  ];
  fill(
    view,
    h('h1', me.name),
    h('p.lead', `${me.role}; this browser may ${me.scopes.join(', ')}`),
    panel(
      'Usage and quota',
      table(
        'Usage and quota',
        ['', 'Used', 'Allowed', ''],
        [
          row('Running runs', usage.running, usage.limits.running, count),
          row('Waiting runs', usage.queued, usage.limits.queued, count),
          row('Stored', usage.storedBytes, usage.limits.storedBytes, size),
          row('Device hours this week', usage.deviceHours, usage.limits.deviceHours, number),
        ],
      ),
    ),
    panel(
      'Tokens',
      h('p.small.muted', 'For scripts and the command line. A browser that is signed in is here too.'),
      own.element,
    ),
    me.scopes.includes('runs:write') && panel('Notifications', told.element),
  );
  await Promise.all([own.refresh(), told.refresh()]);
}
