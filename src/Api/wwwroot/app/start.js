/** What a new run starts from: another run, a checkpoint or model, or a run of a preset. */
import { h } from './dom.js';
import { api } from './api.js';

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
    if (!given) return { ...origin, name, origin };
    return { ...origin, name, origin, spec: { ...origin.spec, start: given }, before: { start: origin.spec.start ?? undefined } };
  }
  if (evaluate) return evaluation(evaluate, signal);
  if (!preset) return { kind: query.get('kind') ?? 'meta-training', spec: {} };
  const plan = await api.get(`/presets/${encodeURIComponent(preset)}?size=${encodeURIComponent(query.get('size') ?? 'quick')}`, signal);
  return { ...fromPreset(plan, query.get('run')), plan };
}

/** A name of the length that the server takes. */
const named = (base, end) => `${base.slice(0, longestName - end.length)}${end}`;

/** A checkpoint, or a model's name@version, against Adam on what it was trained on. */
async function evaluation(learned, signal) {
  const id = learned.includes('@') ? (await api.get(`/models/${encodeURIComponent(learned)}`, signal)).checkpoint : learned;
  const { runId } = await api.get(`/checkpoints/${encodeURIComponent(id)}`, signal);
  const { name, spec } = await api.get(`/runs/${runId}`, signal);
  const contestants = [{ checkpoint: learned }, { optimizer: { type: 'adam' } }];
  return {
    kind: 'evaluation',
    name: named(learned.includes('@') ? learned : name, ' against Adam'),
    spec: { task: spec.task, horizon: spec.training?.horizon, contestants },
  };
}

function fromPreset(plan, chosen) {
  const [kind, name] = (chosen ?? (plan.trainings.length ? 'training:' : 'evaluation:')).split(':');
  const list = kind === 'evaluation' ? plan.evaluations : plan.trainings;
  const run = list.find(r => r.name === name) ?? list[0] ?? { spec: {} };
  return {
    kind: kind === 'evaluation' ? 'evaluation' : 'meta-training',
    name: `${plan.name}: ${run.name ?? ''}`,
    spec: { ...run.spec, seed: run.seeds?.[0] ?? run.spec.seed },
  };
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
  const runs = plan && [
    ...plan.trainings.map(t => [`training:${t.name}`, `meta-training ${t.name}`]),
    ...plan.evaluations.map(e => [`evaluation:${e.name}`, `evaluation ${e.name}`]),
  ];
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
