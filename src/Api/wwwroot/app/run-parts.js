/** Parts of a run's page that are drawn once a change: timeline, attempts, checkpoints, specification. */
import { action, copyButton, fill, h, panel, table, toast } from './dom.js';
import { api } from './api.js';
import { ask } from './dialog.js';
import { ago, count, duration, secondsBetween, size } from './format.js';

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
      h('span.nowrap', attempt.worker),
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

/** Checkpoints with what can be done with them; models are all that were promoted. */
export const checkpoints = (items, models, run, mayPromote, changed) =>
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
        run.state === 'succeeded' && h('a', { href: `/new?evaluate=${item.id}` }, 'Evaluate'),
        h(
          'a',
          { href: `/new?from=${run.id}&start=${item.id}`, title: 'A training that begins with what this one learned' },
          'Train on',
        ),
        mayPromote && run.state === 'succeeded' && action('Promote', '.quiet', () => promote(item, run, changed)),
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
  const json = JSON.stringify(run.spec, null, 2);
  const view = h('div');
  const draw = raw =>
    fill(view, raw ? h('pre', { tabindex: 0, 'aria-label': 'Specification as JSON' }, json) : tree(run.spec, '', changed));
  const asJson = h(
    'button.toggle',
    {
      type: 'button',
      'aria-pressed': 'false',
      onclick: () => {
        const raw = asJson.getAttribute('aria-pressed') === 'false';
        asJson.setAttribute('aria-pressed', String(raw));
        draw(raw);
      },
    },
    'JSON',
  );
  draw(false);
  return panel(
    [
      h('h2', 'Specification'),
      h(
        'div.tools',
        asJson,
        copyButton(() => json),
      ),
    ],
    near &&
      h(
        'p.small.muted',
        near.differences.length === 0 ? 'The same as ' : `${near.differences.length} differences from `,
        near.run,
        ' of the preset ',
        h('strong', near.preset),
        near.differences.length ? '; they are marked, the preset’s value is crossed out.' : '.',
      ),
    view,
  );
}

function tree(value, pointer, changed) {
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
        if (nested) return h('div.nested', h('dt', name), h('dd', tree(child, here, changed)));
        const difference = changed.get(here);
        return h(
          difference ? 'div.changed' : 'div',
          h('dt', name),
          h('dd', text(child), difference && [' ', h('del', text(difference.preset))]),
        );
      }),
  );
}

const text = value =>
  value === null || value === undefined ? '–' : Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
