/** What a new run starts from: another run, a checkpoint or model, or a run of a preset. */
import { h } from './dom.js';
import { api } from './api.js';
import { kindOf, learnedOptimizer, usesOf } from './kinds.js';

const longestName = 200;

/**
 * A submission {kind, name, spec, ..} to fill the form with; origin is the run that is forked, before what the old
 * specification says otherwise, plan the preset that it comes from.
 */
export async function start(query, signal) {
  const [from, evaluate, preset] = ['from', 'evaluate', 'preset'].map(name => query.get(name));
  if (from) {
    const origin = await api.get(`/runs/${encodeURIComponent(from)}`, signal);
    const given = query.get('start');
    const name = named(origin.name, given ? ', trained on' : ', forked');
    const field = given && (await kindOf(origin.kind)).start;
    if (!field) return { ...origin, name, origin };
    const spec = { ...origin.spec, [field]: given };
    return { ...origin, name, origin, spec, before: { [field]: origin.spec[field] ?? undefined } };
  }
  if (evaluate) return using(evaluate, query.get('kind'), signal);
  if (!preset) return { kind: query.get('kind'), spec: {} };
  const plan = await api.get(`/presets/${encodeURIComponent(preset)}?size=${encodeURIComponent(query.get('size') ?? 'quick')}`, signal);
  return { ...fromPreset(plan, query.get('run')), plan };
}

/** A name of the length that the server takes. */
const named = (base, end) => `${base.slice(0, longestName - end.length)}${end}`;

/** A run of a kind that uses a checkpoint, or a model's name@version. */
async function using(learned, kind, signal) {
  const uses = await usesOf(learnedOptimizer);
  const use = uses.find(u => u.kind === kind) ?? uses[0];
  const id = learned.includes('@') ? (await api.get(`/models/${encodeURIComponent(learned)}`, signal)).checkpoint : learned;
  const { runId } = await api.get(`/checkpoints/${encodeURIComponent(id)}`, signal);
  const run = await api.get(`/runs/${runId}`, signal);
  const { spec, end } = use.submission(learned, run.spec);
  return { kind: use.kind, name: named(learned.includes('@') ? learned : run.name, end), spec };
}

/** All runs of a preset. */
const runsOf = plan => [...plan.trainings, ...plan.evaluations, ...plan.diagnoses];
const keyOf = run => `${run.kind}:${run.name}`;

function fromPreset(plan, chosen) {
  const runs = runsOf(plan);
  const run = runs.find(r => keyOf(r) === chosen) ?? runs[0];
  return { kind: run.kind, name: `${plan.name}: ${run.name}`, spec: { ...run.spec, seed: run.seeds?.[0] ?? run.spec.seed } };
}

/** Chooses the kind of run, or a run of a preset; each choice is an address. */
export function chooser(catalogue, presets, plan, kind, query, go) {
  const address = changes => {
    const now = { preset: query.get('preset'), run: query.get('run'), size: query.get('size'), ...changes };
    const next = new URLSearchParams(Object.entries(now).filter(([, v]) => v));
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
  const runs = plan && runsOf(plan).map(run => [keyOf(run), `${run.kind} ${run.name}`]);
  return [
    h(
      'div.filters',
      select(
        'Kind',
        catalogue.kinds.map(k => [k.name, k.name, k.name === kind]),
        value => go(`/new?kind=${value}`),
      ),
      select('Preset', [['', 'none', !plan], ...presets.items.map(p => [p.name, p.name, p.name === plan?.name])], value =>
        address({ preset: value, run: '' }),
      ),
      plan &&
        select(
          'Run',
          runs.map(([value, text]) => [value, text, value === query.get('run')]),
          value => address({ run: value }),
        ),
      plan &&
        select(
          'Size',
          ['quick', 'full'].map(s => [s, s, s === plan.size]),
          value => address({ size: value }),
        ),
    ),
    plan && h('p.small.muted', plan.title, '. ', h('cite', plan.source), '. ', plan.notes),
  ];
}
