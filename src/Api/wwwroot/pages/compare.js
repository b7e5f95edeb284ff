/** Several runs side by side: one curve of each, how they ended, and what is different in what they were asked to do. */
import { fill, h, panel, table } from '../app/dom.js';
import { api, Problem, repeat } from '../app/api.js';
import { Chart, swatch } from '../app/chart.js';
import { Curve } from '../app/curve.js';
import { runLink, state } from '../app/format.js';
import { viewOf } from '../app/kinds.js';
import { count, number, short } from '../app/numbers.js';
import { labels } from '../app/names.js';

export const title = 'Compare';
const most = 8,
  pollSeconds = 5;

/** Ids of the address, at most as many as are compared; what is no id, or too many, is left over. */
function idsOf(query) {
  const parts = [...new Set((query.get('runs') ?? '').split(',').filter(Boolean))];
  const ids = parts.filter(part => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(part));
  return { ids: ids.slice(0, most), wrong: parts.filter(part => !ids.includes(part)), tooMany: ids.slice(most) };
}

/** The runs that are there; those that are deleted are named as missing, even when all of them are. */
async function read(query, signal) {
  const { ids } = idsOf(query);
  const part = query.get('series') ? `&series=${encodeURIComponent(query.get('series'))}` : '';
  try {
    // About as many as there are pixels. The document asks for the same address, see src/Api/Pages.cs.
    return await api.get(`/compare?runs=${ids.join(',')}&maxPoints=600${part}`, signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 404)
      return { runs: [], names: [], differences: [], series: null, missing: ids };
    throw error;
  }
}

/** What the curves need is asked for before anything is drawn. */
export const load = ({ query, signal }) => (idsOf(query).ids.length ? read(query, signal) : null);

export async function show(view, { query, signal, loaded, go }) {
  const { ids, wrong, tooMany } = idsOf(query);
  const address = (runs, series) =>
    `/compare?${new URLSearchParams([['runs', runs.join(',')], ...(series ? [['series', series]] : [])])}`;
  const picker = h('div.actions'),
    left = h('div');
  const drawPicker = async shown =>
    fill(picker, await choose(shown, signal, id => go(address([...shown, id], query.get('series')))));
  const drawLeft = missing => {
    const found = ids.filter(id => !missing.includes(id));
    const sentence = (list, one, many) => list.length > 0 && `${list.length === 1 ? one : many}: ${list.join(', ')}. `;
    left.className = missing.length + wrong.length + tooMany.length ? 'banner' : '';
    fill(
      left,
      left.className && [
        sentence(missing, 'Run not found, it may be deleted', 'Runs not found, they may be deleted'),
        sentence(wrong, 'Not the id of a run', 'Not ids of runs'),
        sentence(tooMany, `Only ${most} runs are compared, left out`, `Only ${most} runs are compared, left out`),
        h('a', { href: address(found, query.get('series')) }, 'Remove from the address'),
      ],
    );
    return found;
  };
  const head = [h('div.page-head', h('h1', 'Compare'), picker), left];
  const given = ids.length > 0 ? await loaded : null;
  const shown = drawLeft(given?.missing ?? []);
  if (shown.length === 0) {
    fill(view, head, h('p.empty', 'Choose runs here, or tick them in the list of ', h('a', { href: '/runs' }, 'all runs'), '.'));
    return drawPicker([]);
  }
  const curves = h('section.panel'),
    series = h('span'),
    numbers = h('div'),
    differences = h('div');
  fill(view, head, curves, panel('How they ended', numbers), panel('What is different', differences));
  let chart;
  const refresh = async given => {
    const data = given ?? (await read(query, signal));
    const ids = drawLeft(data.missing);
    const names = labels(data.runs);
    if (!chart) {
      const views = await Promise.all(data.runs.map(run => viewOf(run.kind)));
      const steps = new Set(views.map(shown => shown.chart(shown.chartOf(data.series ?? '')).xLabel));
      chart = new Chart(curves, {
        name: `compare-${data.series ?? 'runs'}`,
        title: data.series ?? 'No curve',
        signal,
        query,
        log: true,
        smoothing: true,
        xLabel: steps.size === 1 ? [...steps][0] : 'step',
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
        ['Field', ...names.map(name => h('th', { scope: 'col' }, h('span.name', name)))],
        data.differences.map(d => [
          h('code.name', d.pointer.slice(1).replaceAll('/', '.')),
          ...d.values.map(value =>
            value === null
              ? h('span.muted', '–')
              : h('span.name', typeof value === 'object' ? JSON.stringify(value) : String(value)),
          ),
        ]),
        data.runs.length < 2 ? 'Choose a second run.' : 'The specifications are the same.',
      ),
    );
    return data.runs.some(run => !run.finishedAt);
  };
  const growing = await refresh(given);
  await drawPicker(shown);
  if (growing) repeat(pollSeconds, signal, () => refresh());
}

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
