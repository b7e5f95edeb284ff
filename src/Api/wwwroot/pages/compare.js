/** Several runs side by side: one curve of each, how they ended, and what is different in what they were asked to do. */
import { fill, h, panel, table } from '../app/dom.js';
import { api, repeat } from '../app/api.js';
import { Chart, swatch } from '../app/chart.js';
import { Curve } from '../app/curve.js';
import { count, number, runLink, short, state } from '../app/format.js';

export const title = 'Compare';
const most = 8,
  pollSeconds = 5;

const idsOf = query => (query.get('runs') ?? '').split(',').filter(Boolean);

const read = (query, signal) => {
  const part = query.get('series') ? `&series=${encodeURIComponent(query.get('series'))}` : '';
  // About as many as there are pixels. The document asks for the same address, see src/Api/Pages.cs.
  return api.get(`/compare?runs=${idsOf(query).join(',')}&maxPoints=600${part}`, signal);
};

/** What the curves need is asked for before anything is drawn. */
export const load = ({ query, signal }) => (idsOf(query).length ? read(query, signal) : null);

export async function show(view, { query, signal, loaded, go }) {
  const ids = idsOf(query);
  const address = (runs, series) =>
    `/compare?${new URLSearchParams([['runs', runs.join(',')], ...(series ? [['series', series]] : [])])}`;
  const picker = h('div.actions');
  const drawPicker = async () => fill(picker, await choose(ids, signal, id => go(address([...ids, id], query.get('series')))));
  const head = h('div.page-head', h('h1', 'Compare'), picker);
  if (ids.length === 0) {
    fill(view, head, h('p.empty', 'Choose runs here, or tick them in the list of ', h('a', { href: '/runs' }, 'all runs'), '.'));
    return drawPicker();
  }
  const curves = h('section.panel'),
    series = h('span'),
    numbers = h('div'),
    differences = h('div');
  fill(view, head, curves, panel('How they ended', numbers), panel('What is different', differences));
  let chart;
  const refresh = async given => {
    const data = await (given ?? read(query, signal));
    const names = labels(data.runs);
    if (!chart) {
      chart = new Chart(curves, {
        name: `compare-${data.series ?? 'runs'}`,
        title: data.series ?? 'No curve',
        signal,
        query,
        log: true,
        smoothing: true,
        xLabel: data.runs.every(r => r.kind === 'evaluation') ? 'inner step' : 'step',
        yLabel: 'loss',
      });
      curves.querySelector('.tools').prepend(series);
      fill(
        series,
        h(
          'label.small.row',
          'Curve',
          h(
            'select',
            { onchange: event => go(address(ids, event.target.value)) },
            data.names.map(name => h('option', { value: name, selected: name === data.series }, name)),
          ),
        ),
      );
    }
    await chart.show(
      data.runs.map((run, index) => {
        const curve = new Curve().add(run.points);
        return { key: run.id, label: names[index], index, band: curve.buckets, curve };
      }),
    );
    fill(
      numbers,
      table(
        'How the runs ended',
        ['Run', 'State', 'By', 'Last', 'Lowest', 'Average (area per step)', 'Steps', ''],
        data.runs.map((run, i) => [
          h('span.row', swatch(i), runLink({ ...run, name: names[i] })),
          state(run),
          run.owner,
          ...['final', 'lowest', 'average'].map(key =>
            best(data.runs, key, run) ? h('strong.best', number(run.statistics?.[key])) : number(run.statistics?.[key]),
          ),
          count(run.statistics?.lastStep),
          h(
            'a',
            {
              href: address(
                ids.filter(id => id !== run.id),
                query.get('series'),
              ),
              'aria-label': `Remove ${names[i]}`,
            },
            'Remove',
          ),
        ]),
      ),
    );
    fill(
      differences,
      table(
        'Differences of the specifications',
        ['Field', ...names],
        data.differences.map(d => [
          h('code', d.pointer.slice(1).replaceAll('/', '.')),
          ...d.values.map(value =>
            value === null ? h('span.muted', '–') : typeof value === 'object' ? JSON.stringify(value) : String(value),
          ),
        ]),
        data.runs.length < 2 ? 'Choose a second run.' : 'The specifications are the same.',
      ),
    );
    return data.runs.some(run => !run.finishedAt);
  };
  const growing = await refresh(loaded);
  await drawPicker();
  if (growing) repeat(pollSeconds, signal, () => refresh());
}

/** Names, told apart by the end of the id where they are the same. */
const labels = runs =>
  runs.map(run => (runs.filter(other => other.name === run.name).length > 1 ? `${run.name} (${short(run.id)})` : run.name));

function best(runs, key, run) {
  const values = runs.map(r => r.statistics?.[key]).filter(v => v != null);
  return values.length > 1 && run.statistics?.[key] === Math.min(...values);
}

async function choose(ids, signal, add) {
  const recent = (await api.get('/runs?limit=100', signal)).items.filter(run => !ids.includes(run.id));
  return ids.length >= most
    ? h('span.muted', `${most} runs at most`)
    : h(
        'select',
        { 'aria-label': 'Add a run', onchange: event => event.target.value && add(event.target.value) },
        h('option', { value: '' }, 'Add a run …'),
        recent.map(run => h('option', { value: run.id }, `${run.name} – ${run.kind}, ${run.state} (${short(run.id)})`)),
      );
}
