/** Who computes: workers, what they have, and letting them finish before maintenance. */
import { action, h, table } from './dom.js';
import { api } from './api.js';
import { ago } from './format.js';
import { count, secondsBetween } from './numbers.js';

const silence = 60;

/** Whether a worker was heard of lately. */
export const isAwake = worker => secondsBetween(worker.lastSeenAt) < silence;

/** A table of workers, those that are awake first; changed() is called when one was drained. */
export const workerTable = (items, me, changed = () => {}) =>
  table(
    'Workers',
    ['Worker', 'State', 'Pool', 'Slots', 'Has', 'Datasets', 'Seen', ''],
    [...items]
      .sort((a, b) => isAwake(b) - isAwake(a))
      .slice(0, 20)
      .map(worker => [
        h('strong.name', worker.name),
        h(
          `span.state.${isAwake(worker) ? (worker.draining ? 'queued' : 'succeeded') : 'cancelled'}`,
          isAwake(worker) ? (worker.draining ? 'draining' : 'ready') : 'away',
        ),
        worker.pool,
        count(worker.slots),
        h('span.small.muted', devices(worker.facts ?? {})),
        h('span.small.muted', worker.datasets.join(', ') || 'none'),
        ago(worker.lastSeenAt),
        me.scopes.includes('admin') && drain(worker, changed),
      ]),
    ['No worker has been here. Start one with ', h('code', './metaopt up'), '; it also joins from other machines.'],
  );

const drain = (worker, changed) =>
  action(worker.draining ? 'Give runs again' : 'Drain', '.quiet', async () => {
    await api.post(`/workers:${worker.draining ? 'undrain' : 'drain'}?name=${encodeURIComponent(worker.name)}`);
    await changed();
  });

const devices = facts =>
  [
    facts.devices?.join(', '),
    facts.cores && `${facts.cores} ${facts.cores === 1 ? 'core' : 'cores'}`,
    facts.threads && `${facts.threads} ${facts.threads === 1 ? 'thread' : 'threads'} a run`,
    facts.architecture,
  ]
    .filter(Boolean)
    .join(' · ') || '–';
