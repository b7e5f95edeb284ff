/**
 * What learned optimizers do: their update against the gradient, beside hand-designed ones; and paths where there are two
 * coordinates.
 */
import { fill, h, panel } from '../app/dom.js';
import { api } from '../app/api.js';
import { Chart } from '../app/chart.js';
import { Curve } from '../app/curve.js';
import { contours } from '../app/contours.js';
import { kinds } from '../app/kinds.js';
import { short } from '../app/numbers.js';
import { onTheme } from '../app/palette.js';
import { quoted, svgMenu } from '../app/save.js';

export const title = 'Trajectory';

export async function show(view, { query, signal, go }) {
  const drawn = (await kinds()).filter(kind => kind.portrait);
  const found = await Promise.all(drawn.map(kind => api.get(`/runs?kind=${kind.name}&state=succeeded&limit=100`, signal)));
  const items = found.flatMap(list => list.items);
  const id = query.get('run') ?? items[0]?.id;
  if (!id) {
    fill(
      view,
      h('h1', 'Trajectory'),
      h(
        'p.empty',
        'No evaluation has succeeded yet. ',
        h('a', { href: `/new?kind=${drawn[0]?.name}` }, 'Submit one'),
        ' with a learned optimizer in it.',
      ),
    );
    return;
  }
  const run = await api.get(`/runs/${encodeURIComponent(id)}`, signal);
  const horizon = Math.min(200, run.spec.horizon);
  const input = (name, label, max, fallback) =>
    h(
      'label.field',
      h('span', label),
      h('input', {
        type: 'number',
        name,
        min: 0,
        max,
        required: true,
        value: query.get(name) ?? fallback,
        onchange: () => form.requestSubmit(),
      }),
    );
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        go(
          `/trajectory?${new URLSearchParams(['run', 'step', 'instance'].map(name => [name, form.elements[name].value]))}`,
          true,
        );
      },
    },
    h(
      'label.field',
      h('span', 'Evaluation'),
      h(
        'select',
        { name: 'run', onchange: () => form.requestSubmit() },
        items.map(item => h('option', { value: item.id, selected: item.id === id }, `${item.name} (${short(item.id)})`)),
      ),
    ),
    input('step', 'Gradients before', horizon, Math.min(10, horizon)),
    input('instance', 'Test instance', run.spec.instances - 1, 0),
    h('noscript', h('button', 'Show')),
  );
  const response = h('section.panel'),
    path = h('div'),
    seen = h('section.panel');
  fill(
    view,
    h('div.page-head', h('h1', 'Trajectory'), form),
    h('p.lead', 'What the optimizers of ', h('a', { href: `/runs/${encodeURIComponent(id)}` }, run.name), ' do with a gradient.'),
    response,
    path,
    seen,
  );

  const part = new URLSearchParams(['step', 'instance'].filter(name => query.has(name)).map(name => [name, query.get(name)]));
  const data = await api.get(`/runs/${encodeURIComponent(id)}/trajectory?${part}`, signal);
  for (const { name, reason } of data.leftOut) path.before(h('p.banner', `${name} is left out: ${reason}`));
  const curve = (x, y) => Object.assign(new Curve(), { x, y, low: y, high: y });
  await new Chart(response, {
    name: `${run.name}-update`,
    title: `Update of one coordinate after ${data.step} gradients`,
    xLabel: 'gradient',
    yLabel: 'update',
    signal,
    query,
    continuous: true,
    note: h(
      'p.small.muted',
      'Every optimizer saw the same gradients before; only the last one is varied. ',
      'SGD is a straight line; a rule that scales by what it saw bends.',
    ),
  }).show(
    data.response.updates.map(({ name, update }, index) => ({
      key: name,
      label: name,
      index,
      curve: curve(data.response.gradient, update),
    })),
  );
  await new Chart(seen, {
    name: `${run.name}-gradients`,
    title: 'The gradients they saw before',
    xLabel: 'step',
    yLabel: 'gradient',
    signal,
    query,
    key: 'seen.',
    height: 180,
    note: h(
      'p.small.muted',
      data.history === 'task'
        ? `The first coordinate of test instance ${data.instance}, on the way of ${run.result.contestants[0].name}.`
        : 'The task needs a dataset or is large, so these are made: a gradient that decays.',
    ),
  }).show([
    {
      key: 'gradient',
      label: 'gradient',
      index: 0,
      curve: curve(
        data.gradients.map((_, i) => i),
        data.gradients,
      ),
    },
  ]);
  if (!data.path) return;
  const csv = () =>
    [
      'optimizer,step,x,y,loss',
      ...data.path.paths.flatMap(p => p.x.map((x, k) => [quoted(p.name), k, x, p.y[k], p.loss[k]].join(','))),
    ].join('\n') + '\n';
  const draw = () => {
    const picture = contours(data.path);
    fill(
      path,
      panel(
        [h('h2', `Paths over the loss of test instance ${data.instance}`), h('div.tools', svgMenu('paths', picture, csv))],
        picture,
        h(
          'p.small.muted',
          'Lines join points of equal loss, closer where it is steeper. A ring is the start, a dot where the optimizer ended.',
        ),
      ),
    );
  };
  draw();
  onTheme(draw, signal);
}
