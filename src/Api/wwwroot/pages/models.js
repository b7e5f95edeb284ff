/** What was promoted: learned optimizers under names and versions. */
import { action, confirmed, copyButton, fill, h, panel, table, toast } from '../app/dom.js';
import { api, mayChange } from '../app/api.js';
import { ago, runLink } from '../app/format.js';
import { learnedOptimizer, makersOf } from '../app/kinds.js';
import { count, size } from '../app/numbers.js';

export const title = 'Models';

export async function show(view, { query, signal, me }) {
  const name = query.get('name');
  const list = h('div');
  const [maker] = await makersOf(learnedOptimizer);
  const head = h(
    'div.page-head',
    h(
      'div',
      h('h1', name ?? 'Models'),
      h('p.under', 'Learned optimizers under names that specifications take, kept whatever is swept.'),
    ),
    name && h('div.actions', h('a.button', { href: '/models' }, 'All models')),
  );
  fill(view, head, list);
  const refresh = async () => {
    const { items } = await api.get(`/models${name ? `?name=${encodeURIComponent(name)}` : ''}`, signal);
    const names = [...new Set(items.map(model => model.name))];
    fill(
      list,
      names.length === 0 &&
        panel(
          'None yet',
          h(
            'p.empty',
            'A checkpoint of a run that succeeded is promoted on ',
            h('a', { href: `/runs?kind=${maker?.name}&state=succeeded` }, 'its run’s page'),
            '.',
          ),
        ),
      names.map(name =>
        panel(
          name,
          versions(
            name,
            items.filter(model => model.name === name),
            me,
            refresh,
          ),
        ),
      ),
    );
  };
  await refresh();
}

const versions = (name, models, me, refresh) =>
  table(
    `Versions of ${name}`,
    ['Version', 'Learned by', 'Meta-steps', 'Size', 'Promoted', 'Notes', ''],
    models.map(model => [
      h('strong.name', model.id),
      runLink(model.run),
      count(model.step),
      size(model.size),
      [ago(model.promotedAt), ` by ${model.promotedBy}`],
      h('span.notes', model.notes || '–'),
      h(
        'span.row.wrap',
        h('a', { href: `/api/v1/models/${model.id}/content`, download: `${model.id}.safetensors` }, 'Download'),
        h('a', { href: `/new?evaluate=${model.id}` }, 'Evaluate'),
        copyButton(() => model.id, 'Name'),
        mayChange(model.run, me) && action('Take back', '.quiet', () => takeBack(model, refresh)),
      ),
    ]),
  );

async function takeBack(model, refresh) {
  const question = `Take ${model.id} back? Its checkpoint stays with its run; new specifications can no longer name the model.`;
  if (!(await confirmed(question, 'Take it back'))) return;
  await api.delete(`/models/${model.id}`);
  toast(`${model.id} is a plain checkpoint again.`);
  await refresh();
}
