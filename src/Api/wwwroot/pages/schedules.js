/** Submissions that are repeated at the times of a cron expression: listed, created, enabled, deleted. */
import { action, confirmed, fill, h, panel, table, toast } from '../app/dom.js';
import { api, mayChange, poll } from '../app/api.js';
import { attempt, field } from '../app/fields.js';
import { ago } from '../app/format.js';
import { count, short } from '../app/numbers.js';
import { submissionOf } from '../app/submission.js';

export const title = 'Schedules';
const missed = { one: 'make up for the latest', all: 'make up for all (at most 100)', none: 'skip' };

export async function show(view, { signal, me, query }) {
  const list = h('div');
  const refresh = async () => fill(list, schedules((await api.get('/schedules?limit=200', signal)).items, me, refresh));
  fill(
    view,
    h('h1', 'Schedules'),
    h('p.under', 'Runs that are submitted again and again. Each occurrence is submitted exactly once, with its owner’s rights and quota.'),
    panel('Schedules', list),
    me.scopes.includes('runs:write') && panel('New schedule', await newSchedule(query, signal, refresh)),
  );
  await poll(15, signal, refresh);
}

const schedules = (items, me, refresh) =>
  items.length === 0
    ? h('p.empty', 'No schedules yet. Create one below.')
    : table(
        'Schedules',
        ['Name', 'Owner', 'Times', 'Submits', 'Last', 'Next', ''],
        items.map(schedule => [
          h('strong.name', schedule.name),
          schedule.owner,
          [h('code', schedule.cron), ` ${schedule.timeZone}`, h('div.small.muted', `missed: ${missed[schedule.missed]}`)],
          submits(schedule),
          last(schedule),
          schedule.enabled ? ago(schedule.nextAt) : h('span.muted', 'disabled'),
          mayChange(schedule, me) &&
            h(
              'span.row',
              action(schedule.enabled ? 'Disable' : 'Enable', '.quiet', async () => {
                await api.patch(`/schedules/${schedule.id}`, { enabled: !schedule.enabled });
                await refresh();
              }),
              action('Delete', '.quiet', async () => {
                if (!(await confirmed(`Delete the schedule “${schedule.name}”? Its runs stay.`, 'Delete the schedule'))) return;
                await api.delete(`/schedules/${schedule.id}`);
                toast(`Schedule ${schedule.name} deleted.`);
                await refresh();
              }),
            ),
        ]),
      );

const submits = ({ run, grid }) => {
  const runs = (grid ?? []).reduce((product, axis) => product * axis.values.length, 1);
  return [run?.name ?? run?.kind ?? '–', h('div.small.muted', grid ? `${run?.kind}, grid of ${count(runs)}` : run?.kind)];
};

const last = schedule => [
  ago(schedule.lastAt),
  schedule.lastRuns.length === 1 && [' ', h('a', { href: `/runs/${schedule.lastRuns[0]}` }, short(schedule.lastRuns[0]))],
  schedule.lastRuns.length > 1 && ` ${count(schedule.lastRuns.length)} runs`,
  schedule.lastError && h('div.wrong.small', schedule.lastError),
  schedule.skipped > 0 && h('div.small.muted', `${count(schedule.skipped)} missed and skipped`),
];

/** The form; what it submits can begin with a run, or with a training of a preset. */
async function newSchedule(query, signal, refresh) {
  const [runs, presets] = await Promise.all([api.get('/runs?limit=20', signal), api.get('/presets', signal)]);
  const name = field('Name', h('input', { name: 'name', required: true, maxlength: 200 }));
  const cron = field(
    'Cron expression',
    h('input', { name: 'cron', required: true, value: '0 3 * * *', size: 16 }),
    'minute, hour, day of month, month, day of week',
  );
  const zone = field('Time zone', h('input', { name: 'timeZone', value: 'UTC', list: 'zones', size: 20 }));
  const policy = field(
    'Missed occurrences',
    h(
      'select',
      { name: 'missed' },
      Object.entries(missed).map(([value, words]) => h('option', { value }, words)),
    ),
  );
  const submission = field(
    'Submission (JSON)',
    h('textarea', { name: 'submission', rows: 10, required: true, spellcheck: false }),
    'A run as for POST /runs, or {"run": …, "grid": […]} as for POST /runs:batch',
  );
  const from = field(
    'Start from',
    h(
      'select',
      { name: 'from', onchange: () => attempt(found, begin) },
      h('option', { value: '' }, 'my own'),
      h('optgroup', { label: 'Runs' }, runs.items.map(run => h('option', { value: `run:${run.id}` }, `${run.name} (${short(run.id)})`))),
      h('optgroup', { label: 'Presets' }, presets.items.map(preset => h('option', { value: `preset:${preset.name}` }, preset.title))),
    ),
  );
  const found = new Map([
    ['/name', name],
    ['/cron', cron],
    ['/timeZone', zone],
    ['/missed', policy],
    ['/run', submission],
    ['/grid', submission],
  ]);
  const write = body => (submission.input.value = JSON.stringify(body, null, 2));
  const begin = async () => {
    const [kind, id] = from.input.value.split(':');
    if (kind === 'run') write(submissionOf(await api.get(`/runs/${id}`, signal)));
    if (kind === 'preset') {
      const [training] = (await api.get(`/presets/${id}`, signal)).trainings;
      const run = { kind: training.kind, name: training.name, tags: [id], spec: training.spec };
      write({ run, grid: [{ field: '/seed', values: training.seeds }] });
    }
  };
  const next = h('p.small.muted', { role: 'status' });
  const body = () => {
    const given = parsed(submission.input.value);
    return {
      name: name.input.value.trim(),
      cron: cron.input.value.trim(),
      timeZone: zone.input.value.trim(),
      missed: policy.input.value,
      ...(given.run ? given : { run: given }),
    };
  };
  const create = async () => {
    const schedule = await api.post('/schedules', body());
    toast(`Schedule ${schedule.name} created.`);
    fill(next);
    await refresh();
  };
  const check = async () => {
    const { occurrences } = await api.post('/schedules:validate', body(), signal);
    fill(next, `Valid. Next: ${occurrences.map(at => new Date(at).toLocaleString()).join(' · ')}`);
  };
  if (query.get('run')) {
    from.input.value = `run:${query.get('run')}`;
    write(submissionOf(await api.get(`/runs/${encodeURIComponent(query.get('run'))}`, signal)));
  }
  return h(
    'form',
    {
      onsubmit: event => {
        event.preventDefault();
        attempt(found, create);
      },
    },
    h('div.fields', name.element, cron.element, zone.element, policy.element, from.element),
    submission.element,
    h(
      'datalist',
      { id: 'zones' },
      Intl.supportedValuesOf('timeZone').map(value => h('option', { value })),
    ),
    next,
    h(
      'div.row',
      h('button.primary', 'Create schedule'),
      h('button', { type: 'button', onclick: () => attempt(found, check) }, 'Show next occurrences'),
    ),
  );
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object') return value;
  } catch {
    // Said below.
  }
  throw Object.assign(new Error('The submission is not a JSON object.'), {
    errors: [{ pointer: '/run', detail: 'must be a JSON object such as {"kind": …, "spec": {…}}.' }],
  });
}
