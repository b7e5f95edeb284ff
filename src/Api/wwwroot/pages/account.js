/** The signed-in user: tokens, and what was used of what is allowed. */
import { fill, h, panel } from '../app/dom.js';
import { api, optional } from '../app/api.js';
import { duration, number, size } from '../app/format.js';
import { tokens } from '../app/tokens.js';

export const title = 'Account';

export async function show(view, { me, signal }) {
  const [usage, quota] = await Promise.all([optional(api.get('/me/usage', signal)), optional(api.get('/me/quota', signal))]);
  const own = tokens('/me/tokens', me.scopes, signal);
  fill(view, h('h1', me.name), h('p.lead', `${me.role}; this browser may ${me.scopes.join(', ')}`),
    (usage || quota) && panel('Usage and quota', h('dl.facts', facts(usage), facts(quota))),
    panel('Tokens', h('p.small.muted', 'For scripts and the command line. A browser that is signed in is here too.'), own.element));
  await own.refresh();
}

const facts = document => Object.entries(document ?? {}).filter(([, value]) => value === null || typeof value !== 'object').map(([key, value]) =>
  h('div', h('dt', key.replace(/([A-Z])/g, ' $1').toLowerCase()), h('dd', written(key, value))));

const written = (key, value) => value === null ? 'no limit' : typeof value !== 'number' ? String(value) : /bytes/i.test(key) ? size(value) : /seconds/i.test(key) ? duration(value) : number(value);
