/** A new run: a form from the catalogue, checked by the server as one types, with the JSON and the command that do the same beside it. */
import { copyButton, fill, h, panel, toast } from '../app/dom.js';
import { api, optional, Problem } from '../app/api.js';
import { Form, mark, title as words } from '../app/form.js';
import { duration, size } from '../app/format.js';

export const title = 'New run';
const checkAfterMs = 300;
const general = [
  { name: 'name', type: 'string', description: 'What you call it.' },
  { name: 'tags', type: 'string', list: true, description: 'Free labels, joined by commas.' },
  { name: 'pool', type: 'string', default: 'cpu', description: 'Which workers may take it.' },
  { name: 'priority', type: 'integer', default: 0, min: -100, max: 100, description: 'Higher goes first.' },
];

export async function show(view, { query, signal, go, me }) {
  const from = query.get('from'),
    preset = query.get('preset');
  const [catalogue, presets, origin, planned, stored] = await Promise.all([
    api.get('/catalogue', signal),
    api.get('/presets', signal),
    from ? api.get(`/runs/${from}`, signal) : null,
    preset ? api.get(`/presets/${preset}?size=${query.get('size') ?? 'quick'}`, signal) : null,
    storedCheckpoints(signal),
  ]);
  const start = origin ?? fromPreset(planned, query.get('run')) ?? { kind: query.get('kind') ?? 'meta-training', spec: {} };
  const form = new Form(catalogue, () => changed(), 'checkpoints');
  const kind = catalogue.kinds.find(k => k.name === start.kind) ?? catalogue.kinds[0];
  const top = form.record(general, origin ? { ...origin, name: `${origin.name}, again` } : { name: start.name, tags: [] });
  const spec = form.record(kind.fields, start.spec);

  const verdict = h('div', { role: 'status', 'aria-live': 'polite' });
  const code = h('pre', { tabindex: 0, 'aria-label': 'The submission as JSON' });
  const command = h('pre', { tabindex: 0, 'aria-label': 'The submission as a command' });
  const submit = h('button.primary', { disabled: true }, 'Submit');
  const read = () => ({ kind: kind.name, ...top.read(), spec: spec.read() ?? {} });
  let key = crypto.randomUUID(),
    timer,
    turn = 0;

  const changed = () => {
    const body = read();
    fill(code, JSON.stringify(body, null, 2));
    fill(command, curl(body));
    submit.disabled = true;
    key = crypto.randomUUID();
    clearTimeout(timer);
    timer = setTimeout(check, checkAfterMs);
  };
  const found = () => {
    const pointers = new Map();
    top.pointers('', pointers);
    spec.pointers('/spec', pointers);
    return pointers;
  };
  const check = async () => {
    const mine = ++turn;
    try {
      const answer = await api.post('/runs:validate', read(), signal);
      if (mine !== turn) return;
      mark(found(), []);
      submit.disabled = !me.scopes.includes('runs:write');
      fill(
        verdict,
        h('p.good', `Valid. It takes about ${duration(answer.prediction.seconds)} and ${size(answer.prediction.bytes)}.`),
        submit.disabled && h('p.small.muted', 'Your token may not submit runs.'),
      );
    } catch (error) {
      if (signal.aborted || mine !== turn) return;
      const left = mark(found(), error instanceof Problem ? error.errors : []);
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

  fill(
    view,
    h(
      'div.page-head',
      h('h1', 'New run'),
      origin && h('p.under', 'Starts from ', h('a', { href: `/runs/${origin.id}` }, origin.name)),
    ),
    h(
      'div.new',
      h(
        'form',
        {
          'aria-label': 'New run',
          onsubmit: async event => {
            event.preventDefault();
            submit.disabled = true;
            try {
              const run = await post(read(), key);
              toast('Submitted.');
              await go(`/runs/${run.id}`);
            } catch (error) {
              mark(found(), error.errors ?? []);
              toast(error.message, 'bad');
              submit.disabled = false;
            }
          },
        },
        panel('Start from', startFrom(catalogue, presets, planned, kind.name, query, go)),
        panel('General', h('div.fields', top.element)),
        panel(words(kind.name.replaceAll('-', ' ')), h('div.fields.specification', spec.element)),
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

async function post(body, key) {
  const answer = await fetch('/api/v1/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-metaopt': '1', 'idempotency-key': key },
    body: JSON.stringify(body),
  });
  const document = await answer.json();
  if (!answer.ok) throw new Problem(answer.status, document);
  return document;
}

/** Kind of run, or a run of a preset. */
function startFrom(catalogue, presets, planned, kind, query, go) {
  const address = changes => {
    const next = new URLSearchParams(
      Object.entries({ preset: query.get('preset'), run: query.get('run'), size: query.get('size'), ...changes }).filter(
        ([, v]) => v,
      ),
    );
    go(`/new${next.size ? `?${next}` : ''}`);
  };
  const select = (label, options, onchange) =>
    h(
      'label.field',
      h('span', label),
      h(
        'select',
        { onchange: event => onchange(event.target.value) },
        options.map(([value, text, selected]) => h('option', { value, selected }, text)),
      ),
    );
  const runs = planned
    ? [
        ...planned.trainings.map(t => [`training:${t.name}`, `meta-training ${t.name}`]),
        ...planned.evaluations.map(e => [`evaluation:${e.name}`, `evaluation ${e.name}`]),
      ]
    : [];
  return [
    h(
      'div.filters',
      select(
        'Kind',
        catalogue.kinds.map(k => [k.name, k.name, k.name === kind]),
        value => go(`/new?kind=${value}`),
      ),
      select('Preset', [['', 'none', !planned], ...presets.items.map(p => [p.name, p.name, p.name === planned?.name])], value =>
        address({ preset: value, run: '' }),
      ),
      planned &&
        select(
          'Run',
          runs.map(([value, text]) => [value, text, value === query.get('run')]),
          value => address({ run: value }),
        ),
      planned &&
        select(
          'Size',
          ['quick', 'full'].map(s => [s, s, s === planned.size]),
          value => address({ size: value }),
        ),
    ),
    planned && h('p.small.muted', planned.title, '. ', h('cite', planned.source), '. ', planned.notes),
  ];
}

function fromPreset(planned, chosen) {
  if (!planned) return null;
  const [kind, name] = (chosen ?? `training:${planned.trainings[0]?.name}`).split(':');
  const list = kind === 'evaluation' ? planned.evaluations : planned.trainings;
  const run = list.find(r => r.name === name) ?? list[0];
  return (
    run && {
      kind: kind === 'evaluation' ? 'evaluation' : 'meta-training',
      name: `${planned.name}: ${run.name}`,
      spec: { ...run.spec, seed: run.seeds?.[0] ?? run.spec.seed },
    }
  );
}

/** Final checkpoints of the latest trainings, to choose contestants from. */
async function storedCheckpoints(signal) {
  const runs = await api.get('/runs?kind=meta-training&state=succeeded&limit=12', signal);
  const lists = await Promise.all(runs.items.map(run => optional(api.get(`/runs/${run.id}/checkpoints`, signal))));
  return runs.items.flatMap((run, i) =>
    (lists[i]?.items ?? []).filter(c => c.name === 'final').map(c => ({ id: c.id, label: `${run.name}, ${run.owner}` })),
  );
}

const curl = body => `curl ${location.origin}/api/v1/runs \\
  -H "Authorization: Bearer $METAOPT_TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
