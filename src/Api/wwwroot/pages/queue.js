/** What runs, what waits and why, and who works. */
import { action, fill, h, panel, table } from '../app/dom.js';
import { api, poll } from '../app/api.js';
import { ago, duration, number, progress, runLink, secondsBetween, state } from '../app/format.js';

export const title = 'Queue';

export async function show(view, { signal, me }) {
  const lost = h('p.banner', { role: 'status', hidden: true }, 'The server does not answer; trying again …');
  const summary = h('p.lead');
  const [running, waiting, workers, usage, recent] = ['Running', 'Waiting', 'Workers', 'Usage', 'Finished lately'].map(title =>
    panel(title, h('div')),
  );
  const put = (place, content) => place.lastElementChild.replaceChildren(content);
  fill(
    view,
    h('div.page-head', h('h1', 'Queue'), h('div.actions', h('a.button.primary', { href: '/new' }, 'New run'))),
    lost,
    summary,
    running,
    waiting,
    recent,
    h('div.two', workers, usage),
  );

  await poll(
    2,
    signal,
    async () => {
      const [queue, crew, done] = await Promise.all([
        api.get('/queue', signal),
        api.get('/workers', signal),
        api.get('/runs?limit=30', signal),
      ]);
      const known = new Map(done.items.map(run => [run.id, run]));
      const [active, queued] = ['running', 'queued'].map(word => queue.items.filter(run => run.state === word));
      const awake = crew.items.filter(worker => secondsBetween(worker.lastSeenAt) < 60);
      fill(
        summary,
        `${active.length} running, ${queued.length} waiting, ${awake.length} ${awake.length === 1 ? 'worker' : 'workers'}`,
      );
      keepFocus(view, () => {
        put(
          running,
          table(
            'Running runs',
            ['Run', 'By', 'Kind', 'Progress', 'Worker', 'Since'],
            active.map(run => [
              runLink(run),
              run.owner,
              run.kind,
              progress(known.get(run.id) ?? run),
              run.worker ?? '–',
              ago(known.get(run.id)?.startedAt ?? run.createdAt),
            ]),
            'Nothing runs now.',
          ),
        );
        put(
          waiting,
          table(
            'Waiting runs',
            ['#', 'Run', 'By', 'Priority', 'Pool', 'Why it waits', 'Start', ''],
            queued.map(run => [
              run.waitingFor?.position ?? '–',
              runLink(run),
              run.owner,
              run.priority,
              run.pool,
              h('span.reason', run.waitingFor?.reason ?? '–'),
              run.estimatedStart ? ago(run.estimatedStart) : '–',
              mayChange(run, me) ? action('Cancel', '.quiet', () => api.post(`/runs/${run.id}/cancel`)) : '',
            ]),
            'Nothing waits.',
          ),
        );
        put(
          workers,
          table(
            'Workers',
            ['Worker', 'Pool', 'Has', 'Datasets', 'Seen', ''],
            crew.items
              .slice(0, 20)
              .map(worker => [
                worker.name,
                worker.pool,
                devices(worker),
                worker.datasets.join(', ') || '–',
                ago(worker.lastSeenAt),
                me.scopes.includes('admin') && drain(worker),
              ]),
            'No worker has been here. Start one: ./metaopt up',
          ),
        );
        put(
          recent,
          table(
            'Runs that finished lately',
            ['Run', 'State', 'By', 'Result', 'Took', 'Finished'],
            done.items
              .filter(run => run.finishedAt)
              .slice(0, 8)
              .map(run => [
                runLink(run),
                state(run),
                run.owner,
                h('span.muted', run.error?.detail ?? run.kind),
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

const mayChange = (run, me) => me.scopes.includes('runs:write') && (run.owner === me.name || me.scopes.includes('admin'));

const drain = worker =>
  action(worker.draining ? 'Give runs again' : 'Drain', '.quiet', () =>
    api.post(`/workers/${encodeURIComponent(worker.name)}/${worker.draining ? 'undrain' : 'drain'}`),
  );

function devices(worker) {
  const facts = worker.facts ?? {};
  const parts = [
    facts.device,
    facts.cores && `${facts.cores} cores`,
    worker.slots && `${worker.slots} slots`,
    worker.draining && 'draining',
  ];
  return parts.filter(Boolean).join(' · ') || '–';
}

/** Who used how much lately: shares as bars, halved each day, in slot-seconds for each unit of weight. */
function usageTable(items) {
  const most = Math.max(1e-9, ...items.map(user => user.share));
  return table(
    'Usage by user',
    ['User', 'Share lately', 'Weight', 'Running', 'Waiting', 'Device hours'],
    items.map(user => [
      user.name,
      h('progress', { max: most, value: user.share, 'aria-label': `Share of ${user.name}` }),
      number(user.weight),
      user.running,
      user.queued,
      number(user.deviceHours, 3),
    ]),
    'Nobody has used anything lately.',
  );
}

/** Draws again without taking the focus away from where it was. */
function keepFocus(view, draw) {
  const places = () => [...view.querySelectorAll('a, button')];
  const at = places().indexOf(document.activeElement);
  draw();
  if (at >= 0) places()[at]?.focus({ preventScroll: true });
}
