/** Parts of a run's page that are drawn once a change: timeline, attempts, checkpoints, specification. */
import { action, copyButton, h, table, toast } from './dom.js';
import { api } from './api.js';
import { documentPanel } from './document.js';
import { ask } from './dialog.js';
import { ago } from './format.js';
import { count, duration, secondsBetween, size } from './numbers.js';

/** How long it waited and ran, as one bar; each part also says it in words. */
export function timeline(run) {
  const parts = [];
  let at = run.createdAt;
  const add = (kind, words, from, to) => {
    const seconds = Math.max(0, secondsBetween(from, to));
    parts.push(
      h(
        `li.${kind}`,
        { style: { 'flex-grow': Math.max(seconds, 1e-3) }, title: `${words}: ${duration(seconds)}` },
        h('span', words, ' ', h('span.muted', duration(seconds))),
      ),
    );
  };
  for (const attempt of run.attempts) {
    add('waited', 'waited', at, attempt.startedAt);
    add(attempt.outcome ?? 'running', attempt.outcome ?? 'running', attempt.startedAt, attempt.endedAt);
    at = attempt.endedAt;
  }
  if (run.state === 'queued') add('waited', 'waiting', at, null);
  return h('ol.timeline', { 'aria-label': 'States of the run in time' }, parts);
}

export const attempts = run =>
  table(
    'Attempts',
    ['Attempt', 'Worker', 'Outcome', 'From step', 'Took', 'With'],
    run.attempts.map(attempt => [
      attempt.number,
      h('span.name', attempt.worker),
      [attempt.outcome ?? 'running', attempt.detail && h('div.small.muted', attempt.detail)],
      attempt.resumedFromStep == null ? 'the start' : count(attempt.resumedFromStep),
      duration(secondsBetween(attempt.startedAt, attempt.endedAt)),
      h('span.small.muted', withWhat(attempt.facts ?? {})),
    ]),
    'No worker has had it yet.',
  );

const withWhat = facts =>
  [
    facts.kernels && `${facts.kernels} ${facts.vectorBits ?? ''}`.trim(),
    facts.threads && `${facts.threads} ${facts.threads === 1 ? 'thread' : 'threads'}`,
    facts.runtime,
    facts.commit?.slice(0, 7),
  ]
    .filter(Boolean)
    .join(', ') || '–';

/** Checkpoints with what can be done with them, which offers tells by their ids; models are all that were promoted. */
export const checkpoints = (items, models, run, offers, changed) =>
  table(
    'Checkpoints',
    ['Name', 'Step', 'Size', 'Made', ''],
    items.map(item => [
      [
        h('span', { title: `SHA-256 ${item.sha256}` }, item.name),
        models.filter(m => m.checkpoint === item.id).map(m => [' ', h('a.tag', { href: `/models?name=${m.name}` }, m.id)]),
      ],
      count(item.step),
      size(item.size),
      ago(item.createdAt),
      h(
        'span.row.wrap',
        h('a', { href: `/api/v1/checkpoints/${item.id}/content`, download: '' }, 'Download'),
        offers.get(item.id).uses.map(({ kind, label }) => h('a', { href: `/new?evaluate=${item.id}&kind=${kind}` }, label)),
        offers.get(item.id).starts &&
          h('a', { href: `/new?from=${run.id}&start=${item.id}`, title: 'A run that begins with what this one learned' }, 'Train on'),
        offers.get(item.id).promotes && action('Promote', '.quiet', () => promote(item, run, changed)),
        copyButton(() => item.id, 'Id'),
      ),
    ]),
    'None yet: it is made at the end.',
  );

/** Makes a checkpoint the next version of a model. */
async function promote(item, run, changed) {
  const suggested = run.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
  const fields = [
    {
      name: 'name',
      label: 'Model',
      value: suggested,
      required: true,
      hint: 'A name that is there already gets its next version.',
    },
    { name: 'notes', label: 'Notes', value: '', rows: 3 },
  ];
  let model;
  const done = await ask('Promote to a model', 'Promote', fields, async values => {
    model = await api.post(`/checkpoints/${item.id}/promote`, values);
  });
  if (!done) return;
  toast(`It is ${model.id} now; specifications take that name.`);
  await changed();
}

/** The specification, with what is different from the nearest preset where that is known. */
export function specification(run, near) {
  const changed = new Map((near?.differences ?? []).map(d => [d.pointer, d]));
  const draw = () => {
    const left = new Map(changed);
    const whole = tree(run.spec, '', changed, left);
    return [
      whole,
      left.size > 0 && h('h3', 'Set in the preset only'),
      left.size > 0 &&
        h(
          'dl.tree',
          [...left.values()].map(d => h('div.changed', h('dt', fieldName(d.pointer)), h('dd', h('del', text(d.preset))))),
        ),
    ];
  };
  return documentPanel('Specification', run.spec, draw, near && comparison(near));
}

const comparison = near =>
  h(
    'p.small.muted',
    near.differences.length === 0
      ? 'Apart from the seed the same as '
      : `${near.differences.length} ${near.differences.length === 1 ? 'difference' : 'differences'} from `,
    near.run,
    ' of the preset ',
    h('strong', near.preset),
    near.differences.length ? '; they are marked, the preset’s value is crossed out.' : '.',
  );

/** "/training/unroll" as "training.unroll"; places in lists count from 1. */
export const fieldName = pointer =>
  pointer
    .slice(1)
    .split('/')
    .map(part => (/^\d+$/.test(part) ? Number(part) + 1 : part))
    .join('.');

/** Names and values as a list; differences that were drawn are taken out of left. */
function tree(value, pointer, changed, left) {
  return h(
    'dl.tree',
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => {
        const here = `${pointer}/${key}`;
        const nested =
          child !== null &&
          typeof child === 'object' &&
          (!Array.isArray(child) || child.some(c => c !== null && typeof c === 'object'));
        const name = Array.isArray(value) ? Number(key) + 1 : key;
        const difference = changed.get(here);
        left.delete(here);
        const before = difference && [' ', h('del', text(difference.preset))];
        if (nested) return h('div.nested', h('dt', name, before), h('dd', tree(child, here, changed, left)));
        return h(difference ? 'div.changed' : 'div', h('dt', name), h('dd', text(child), before));
      }),
  );
}

const text = value =>
  value === null || value === undefined
    ? '–'
    : Array.isArray(value)
      ? `[${value.map(text).join(', ')}]`
      : typeof value === 'object'
        ? (value.type ?? JSON.stringify(value))
        : String(value);
