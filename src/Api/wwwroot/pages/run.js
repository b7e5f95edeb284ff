/** One run: its curves as they grow, where it stands and stood, what it made and what it was asked to do. */
import { copyButton, fill, h, toast } from '../app/dom.js';
import { api } from '../app/api.js';
import { Chart } from '../app/chart.js';
import { Curve } from '../app/curve.js';
import { Curves } from '../app/curves.js';
import { chartsOf } from '../app/series.js';
import { follow } from '../app/live.js';
import { progress } from '../app/format.js';
import { kinds, viewOf } from '../app/kinds.js';
import { duration, secondsBetween, short } from '../app/numbers.js';
import { remember } from '../app/place.js';
import { head } from '../app/run-head.js';

export const title = 'Run';
const drawEveryMs = 200,
  belowAfterMs = 1500;

/** What the curve needs is asked for before anything is drawn. */
export function load({ id, signal }) {
  const run = api.get(`/runs/${id}`, signal);
  return { run, stream: follow(id, signal), kinds: kinds(), view: run.then(known => viewOf(known.kind)) };
}

export async function show(view, { id, query, signal, loaded, me, go }) {
  let run = await loaded.run;
  const kind = await loaded.view;
  const names = ['head', 'lost', 'facts', 'charts', 'below'];
  const parts = Object.fromEntries(names.map(name => [name, h(`div${name === 'below' ? '.stack' : ''}`)]));
  fill(view, Object.values(parts));
  const failed = error => signal.aborted || toast(error.message, 'bad');

  let below;
  const drawTop = () => {
    document.title = `${run.name} – MetaOpt`;
    fill(parts.head, head(run, me, go, reload, kind));
    fill(parts.facts, facts(run));
  };
  const drawBelow = async () => {
    below ??= import('../app/run-below.js').then(module => new module.Below(parts.below, id, me, signal));
    await (await below).draw(run);
  };
  const reload = async () => {
    run = await api.get(`/runs/${id}`, signal);
    drawTop();
    await drawBelow();
  };

  const charts = new Map();
  let timer;
  const curves = new Curves(id, signal, () => {
    timer ??= setTimeout(drawCurves, charts.size ? drawEveryMs : 0);
  });
  signal.addEventListener('abort', () => clearTimeout(timer));
  const drawCurves = async () => {
    timer = undefined;
    for (const [key, names] of chartsOf(curves.names, kind.chartOf)) {
      if (!charts.has(key)) charts.set(key, chart(key, kind, parts.charts, run, query, signal, curves, drawCurves));
      const { statistic } = charts.get(key);
      await charts.get(key).show(kind.lines(key, names, curves, run, statistic) ?? linesOf(names, curves));
    }
    if (!below) drawBelow().catch(failed);
  };
  drawTop();
  // What is below the curves does not hold them up; where there are none it does not wait for ever.
  setTimeout(
    () => below || signal.aborted || drawBelow().catch(failed),
    run.state === 'queued' && run.attempt === 0 ? 0 : belowAfterMs,
  );
  if (run.state === 'queued' || run.state === 'running')
    fill(
      parts.charts,
      h(
        'p.empty.waiting',
        run.state === 'queued' ? 'Curves appear here when it runs.' : 'Curves appear here with the first points.',
      ),
    );
  loaded.stream.listen(
    {
      state: async change => {
        if (change.state === run.state && change.attempt === run.attempt && change.cancelRequested === run.cancelRequested)
          return;
        await reload().catch(() => {});
      },
      progress: change => {
        run.progress = change;
        fill(parts.facts, facts(run));
      },
      point: change => {
        parts.charts.querySelector('.waiting')?.remove();
        curves.add(change).catch(failed);
      },
      end: change => {
        parts.charts.querySelector('.waiting')?.remove();
        if (change.state !== run.state) reload().catch(() => {});
      },
    },
    on => {
      parts.lost.className = on ? '' : 'banner';
      fill(parts.lost, on || run.finishedAt ? null : 'The connection to the server is lost; trying again …');
    },
  );
}

function facts(run) {
  const fact = (name, value) => h('div', h('dt', name), h('dd', value));
  const worker = run.attempts.at(-1);
  const seconds = run.attempts.reduce((sum, attempt) => sum + secondsBetween(attempt.startedAt, attempt.endedAt), 0);
  return h(
    'dl.facts',
    fact('Progress', progress(run)),
    fact(run.state === 'running' ? 'Runs for' : 'Took', run.attempts.length ? duration(seconds) : '–'),
    fact('Worker', run.state === 'queued' ? '–' : (worker?.worker ?? '–')),
    fact('Pool', run.pool),
    fact('Priority', run.priority),
    fact('Attempt', run.attempt || '–'),
    fact(
      'Id',
      h(
        'span.row',
        h('code', { title: run.id }, short(run.id)),
        copyButton(() => run.id, ''),
      ),
    ),
  );
}

/** A chart as the run's kind describes it. */
function chart(key, kind, host, run, query, signal, curves, redraw) {
  const { note = '', statistics = [], ...settings } = kind.chart(key);
  const place = h('section.panel');
  host.append(place);
  const zoomed = (from, to) =>
    curves
      .zoom(chartsOf(curves.names, kind.chartOf).get(key), from, to)
      .catch(error => signal.aborted || toast(error.message, 'bad'));
  const made = new Chart(place, {
    name: `${run.name}-${key}`,
    signal,
    query,
    key: `${key}.`,
    ...settings,
    zoomed,
    note: h('p.small.muted', note, 'Drag to zoom, double-click for the whole range.'),
  });
  if (made.zoom) zoomed(...made.zoom);
  if (statistics.length === 0) return made;
  made.statistic = statistics.includes(query.get('statistic')) ? query.get('statistic') : statistics[0];
  const choose = event => {
    made.statistic = event.target.value;
    const address = new URLSearchParams(location.search);
    if (made.statistic === statistics[0]) address.delete('statistic');
    else address.set('statistic', made.statistic);
    remember({}, `${location.pathname}${address.size ? `?${address}` : ''}`);
    made.plot?.destroy();
    made.plot = null;
    redraw();
  };
  place.querySelector('.tools').prepend(
    h(
      'label.small.row',
      'Curve',
      h(
        'select',
        { onchange: choose },
        statistics.map(word => h('option', { value: word, selected: word === made.statistic }, word)),
      ),
    ),
  );
  return made;
}

/** A curve for each series. */
const linesOf = (names, curves) =>
  names.map((name, index) => {
    const curve = curves.get(name) ?? new Curve();
    return { key: name, label: name, index, band: curve.buckets, curve };
  });
