/** What runs, what waits and why, and who works. */
import { fill, h, panel, table } from '../app/dom.js';
import { api, poll } from '../app/api.js';
import { ago, progress, runId, runLink, state } from '../app/format.js';
import { count, duration, number, secondsBetween, size } from '../app/numbers.js';
import { perBatch, Waiting } from '../app/waiting.js';
import { isAwake, workerTable } from '../app/workers.js';

export const title = 'Queue';

export async function show(view, { signal, me }) {
  const lost = h('p.banner', { role: 'status', hidden: true }, 'The server does not answer; trying again …');
  const summary = h('p.lead');
  const [running, workers, usage, recent] = ['Running', 'Workers', 'Usage', 'Finished lately'].map(title =>
    panel(title, h('div')),
  );
  const waiting = new Waiting(me, signal);
  const put = (place, content) => place.lastElementChild.replaceChildren(content);
  fill(
    view,
    h('div.page-head', h('h1', 'Queue'), h('div.actions', h('a.button.primary', { href: '/new' }, 'New run'))),
    lost,
    summary,
    running,
    panel('Waiting', waiting.element),
    recent,
    workers,
    usage,
  );

  await poll(
    2,
    signal,
    async () => {
      const [queue, crew, ...ended] = await Promise.all([
        api.get(`/queue?perBatch=${perBatch}`, signal),
        api.get('/workers', signal),
        ...['succeeded', 'failed', 'cancelled'].map(word => api.get(`/runs?state=${word}&limit=8`, signal)),
      ]);
      const done = ended.flatMap(page => page.items).sort((a, b) => Date.parse(b.finishedAt) - Date.parse(a.finishedAt));
      const active = queue.items.filter(run => run.state === 'running');
      const awake = crew.items.filter(isAwake);
      fill(
        summary,
        `${count(active.length)} running, ${count(queue.waiting)} waiting, `,
        `${awake.length} ${awake.length === 1 ? 'worker' : 'workers'}`,
        queue.pools.map(pool => ` · ${pool.name}: ${pool.running} of ${pool.slots} ${pool.slots === 1 ? 'slot' : 'slots'} busy`),
      );
      keepFocus(view, () => {
        put(
          running,
          table(
            'Running runs',
            ['Run', 'Id', 'By', 'Kind', 'Progress', 'Worker', 'Since'],
            active.map(run => [
              runLink(run),
              runId(run),
              run.owner,
              run.kind,
              progress(run),
              run.worker ?? '–',
              ago(run.startedAt),
            ]),
            ['Nothing runs now. ', h('a', { href: '/new?preset=quadratics' }, 'Start with a preset'), '.'],
          ),
        );
        waiting.draw(queue);
        put(workers, workerTable(crew.items, me));
        put(
          recent,
          table(
            'Runs that finished lately',
            ['Run', 'Id', 'Kind', 'State', 'By', 'Result', 'Took', 'Finished'],
            done
              .slice(0, 8)
              .map(run => [
                runLink(run),
                runId(run),
                run.kind,
                state(run),
                run.owner,
                outcome(run),
                duration(run.startedAt && secondsBetween(run.startedAt, run.finishedAt)),
                ago(run.finishedAt),
              ]),
            'No run has finished yet.',
          ),
        );
        put(usage, usageTable(queue.usage));
      });
    },
    away => {
      lost.hidden = !away;
    },
  );
}

/** What came out of a run in one number, or why nothing did. */
const outcome = ({ error, headline }) =>
  error ? h('span.muted', error.detail) : headline ? [`${headline.name}: `, h('strong', number(headline.value))] : '–';

/** Who used how much lately: shares as bars, halved each day, in slot-seconds for each unit of weight. */
function usageTable(items) {
  const most = Math.max(1e-9, ...items.map(user => user.share));
  return table(
    'Usage by user',
    ['User', 'Share lately', 'Weight', 'Running', 'Waiting', 'Device hours in 7 days', 'Stored'],
    items.map(user => [
      user.name,
      h('progress', { max: most, value: user.share, 'aria-label': `Share of ${user.name}` }),
      number(user.weight),
      allowed(user.running, user.limits.running, count),
      allowed(user.queued, user.limits.queued, count),
      allowed(user.deviceHours, user.limits.deviceHours, value => number(value, 3)),
      allowed(user.storedBytes, user.limits.storedBytes, size),
    ]),
    'Nobody has used anything lately.',
  );
}

const allowed = (used, limit, write) => [write(used), limit != null && h('span.muted', ` of ${write(limit)}`)];

/** Draws again without taking the focus away from where it was. */
function keepFocus(view, draw) {
  const places = () => [...view.querySelectorAll('a, button')];
  const at = places().indexOf(document.activeElement);
  draw();
  if (at >= 0) places()[at]?.focus({ preventScroll: true });
}
