/**
 * A new run: a form from the catalogue, checked by the server as one types, with the JSON and the command that do the same
 * beside it.
 */
import { copyButton, fill, h, panel, toast } from '../app/dom.js';
import { api, optional, Problem } from '../app/api.js';
import { mark } from '../app/fields.js';
import { Form } from '../app/form.js';
import { title as words } from '../app/names.js';
import { Grid } from '../app/grid.js';
import { learnedOptimizer, makersOf } from '../app/kinds.js';
import { mergePatch } from '../app/merge-patch.js';
import { remember, remembered } from '../app/place.js';
import { chooser, start } from '../app/start.js';
import { duration, size } from '../app/numbers.js';

export const title = 'New run';
const checkAfterMs = 300;
const general = [
  { name: 'name', type: 'string', description: 'What you call it.' },
  { name: 'tags', type: 'string', list: true, description: 'Free labels, joined by commas.' },
  { name: 'notes', type: 'string', description: 'Free text.' },
  { name: 'pool', type: 'string', default: 'cpu', description: 'Which workers may take it.' },
  { name: 'priority', type: 'integer', default: 0, min: -100, max: 100, description: 'Higher goes first.' },
  { name: 'timeLimitSeconds', type: 'number', description: 'After so long it fails; all attempts together.' },
];

export async function show(view, { query, signal, go, me }) {
  const [catalogue, presets, given, stored] = await Promise.all([
    api.get('/catalogue', signal),
    api.get('/presets', signal),
    start(query, signal),
    storedCheckpoints(signal),
  ]);
  const form = new Form(catalogue, () => changed(), 'checkpoints');
  const kind = catalogue.kinds.find(k => k.name === given.kind) ?? catalogue.kinds[0];
  // What was typed before somebody left the page and came back.
  const { draft } = remembered();
  const top = form.record(general, draft?.run ?? given);
  const spec = form.record(kind.fields, draft ? draft.run.spec : given.spec);
  const found = prefix => {
    const pointers = new Map();
    top.pointers(prefix, pointers);
    spec.pointers(`${prefix}/spec`, pointers);
    if (prefix) grid.pointers('/grid', pointers);
    return pointers;
  };
  const grid = new Grid(
    () => changed(),
    () => [...found('')].filter(([at, place]) => at.startsWith('/spec/') && place.input).map(([at]) => at.slice('/spec'.length)),
    draft?.grid,
  );
  const read = () => ({ kind: kind.name, ...top.read(), spec: spec.read() ?? {} });
  const fork = given.origin && { id: given.origin.id, spec: { ...form.record(kind.fields, given.spec).read(), ...given.before } };

  const verdict = h('div', { role: 'status', 'aria-live': 'polite' });
  const code = h('pre', { tabindex: 0, 'aria-label': 'The submission as JSON' });
  const command = h('pre', { tabindex: 0, 'aria-label': 'The submission as a command' });
  const submit = h('button.primary', { disabled: true }, 'Submit');
  let key = unique(),
    timer,
    turn = 0;

  const changed = () => {
    const { path, body } = request(read(), grid.read(), fork);
    fill(code, JSON.stringify(body, null, 2));
    fill(command, curl(path, body));
    submit.disabled = true;
    key = unique();
    remember({ draft: { run: read(), grid: grid.typed() } });
    clearTimeout(timer);
    timer = setTimeout(check, checkAfterMs);
  };
  const check = async () => {
    const mine = ++turn,
      axes = grid.read(),
      places = found(axes.length ? '/run' : '');
    try {
      const answer = axes.length
        ? await api.post('/runs:validate-batch', { run: read(), grid: axes }, signal)
        : await api.post('/runs:validate', read(), signal);
      if (mine !== turn) return;
      mark(places, []);
      submit.disabled = !me.scopes.includes('runs:write');
      fill(submit, axes.length ? `Submit ${answer.runs} runs` : 'Submit');
      fill(verdict, h('p.good', says(answer)), submit.disabled && h('p.small.muted', 'Your token may not submit runs.'));
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      const left = mark(places, error instanceof Problem ? error.errors : []);
      fill(
        verdict,
        h('p.poor', error.message),
        left.length > 0 &&
          h(
            'ul.small',
            left.map(e => h('li', h('code', e.pointer), ' ', e.detail)),
          ),
      );
    }
  };
  signal.addEventListener('abort', () => clearTimeout(timer));

  const send = async event => {
    event.preventDefault();
    submit.disabled = true;
    const axes = grid.read(),
      { path, body } = request(read(), axes, fork);
    try {
      const answer = await api.post(path, body, undefined, { 'idempotency-key': key });
      toast(axes.length ? `${answer.runs.length} runs submitted.` : 'Submitted.');
      await go(axes.length ? `/runs?batch=${answer.batch}` : `/runs/${answer.id}`);
    } catch (error) {
      mark(found(axes.length ? '/run' : ''), error.errors ?? []);
      toast(error.message, 'bad');
      submit.disabled = false;
    }
  };
  const under = given.origin && h('p.under', 'A fork of ', h('a', { href: `/runs/${given.origin.id}` }, given.origin.name));
  fill(
    view,
    h('div.page-head', h('div', h('h1', 'New run'), under)),
    h(
      'div.new',
      h(
        'form',
        { 'aria-label': 'New run', onsubmit: send },
        !given.origin && panel('Start from', chooser(catalogue, presets, given.plan, kind.name, query, go)),
        panel('General', h('div.fields', top.element)),
        panel(words(kind.name.replaceAll('-', ' ')), h('div.fields.specification', spec.element)),
        panel('Grid', grid.element),
        h(
          'datalist',
          { id: 'checkpoints' },
          stored.map(c => h('option', { value: c.id }, c.label)),
        ),
      ),
      h(
        'aside',
        panel('Check', verdict, submit),
        panel([h('h2', 'JSON'), copyButton(() => code.textContent)], code),
        panel([h('h2', 'Command'), copyButton(() => command.textContent)], command),
      ),
    ),
  );
  submit.addEventListener('click', () => view.querySelector('form').requestSubmit());
  changed();
}

/** Where the form goes: a run, a fork of one as what differs from it, or a grid of runs. */
function request(run, grid, fork) {
  if (grid.length) return { path: '/runs:batch', body: { run, grid } };
  if (!fork) return { path: '/runs', body: run };
  const { kind, name, spec, ...rest } = run;
  // What is left out would be the old run's.
  const body = { name, tags: [], pool: 'cpu', ...rest, spec: mergePatch(fork.spec, spec) };
  return { path: `/runs/${fork.id}/fork`, body };
}

function says({ prediction, runs }) {
  const [time, memory] = [duration(prediction.seconds), size(prediction.bytes)];
  return runs
    ? `Valid: ${runs} runs, together about ${time}; the largest takes ${memory}.`
    : `Valid. It takes about ${time} and ${memory}.`;
}

/** Models, and final checkpoints of the latest trainings, to choose contestants from. */
async function storedCheckpoints(signal) {
  const makers = await makersOf(learnedOptimizer);
  const [models, ...found] = await Promise.all([
    api.get('/models', signal),
    ...makers.map(kind => api.get(`/runs?kind=${kind.name}&state=succeeded&limit=12`, signal)),
  ]);
  const runs = found.flatMap(list => list.items);
  const lists = await Promise.all(runs.map(run => optional(api.get(`/runs/${run.id}/checkpoints`, signal))));
  return [
    ...models.items.map(model => ({ id: model.id, label: `model, ${model.promotedBy}` })),
    ...runs.flatMap((run, i) =>
      (lists[i]?.items ?? []).filter(c => c.name === 'final').map(c => ({ id: c.id, label: `${run.name}, ${run.owner}` })),
    ),
  ];
}

/** A key of 128 random bits; randomUUID() is missing on pages over plain HTTP from another machine. */
const unique = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

const curl = (path, body) => `curl ${location.origin}/api/v1${path} \\
  -H "Authorization: Bearer $METAOPT_TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
