/** A run by the end of its id: goes to the run's page, or lists the runs that are meant. */
import { fill, h, table } from '../app/dom.js';
import { api } from '../app/api.js';
import { ago, runId, runLink, state } from '../app/format.js';

export const title = 'Runs';

export async function show(view, { end, signal, go }) {
  const { items } = await api.get(`/runs?id=${end}`, signal);
  if (items.length === 1) return go(`/runs/${items[0].id}`, true);
  fill(
    view,
    h('h1', items.length ? `Runs whose id ends in ${end}` : 'Run not found'),
    table(
      'Runs',
      ['Id', 'Run', 'State', 'Owner', 'Submitted'],
      items.map(run => [runId(run), runLink(run), state(run), run.owner, ago(run.createdAt)]),
      [`No run has an id that ends in ${end}. `, h('a', { href: '/runs' }, 'All runs')],
    ),
  );
}
