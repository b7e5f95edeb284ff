/** One run: its curves as they grow, where it stands and stood, what it made and what it was asked to do. */
import { action, confirmed, copyButton, fill, h, panel, toast } from '../app/dom.js';
import { api, optional } from '../app/api.js';
import { Chart } from '../app/chart.js';
import { Curve } from '../app/curve.js';
import { Curves, banded, chartsOf, contestants } from '../app/curves.js';
import { follow } from '../app/live.js';
import { ago, duration, progress, secondsBetween, state } from '../app/format.js';
import { attempts, checkpoints, specification, timeline } from '../app/run-parts.js';
import { result } from '../app/result.js';

export const title = 'Run';
const titles = {
  'meta-loss': 'Meta-loss',
  'imitation-loss': 'Imitation loss',
  validation: 'Validation',
  contest: 'Loss on test instances',
};
const drawEveryMs = 200;

export async function show(view, { id, query, signal, me, go }) {
  let run = await api.get(`/runs/${id}`, signal);
  const parts = Object.fromEntries(
    ['head', 'lost', 'facts', 'charts', 'result', 'timeline', 'checkpoints', 'spec', 'logs'].map(name => [name, h('div')]),
  );
  fill(
    view,
    parts.head,
    parts.lost,
    parts.facts,
    parts.charts,
    parts.result,
    h('div.two', parts.timeline, parts.checkpoints),
    parts.logs,
    parts.spec,
  );
  // What is below the curves does not hold them up.
  specification(run, signal).then(
    content => fill(parts.spec, content),
    error => signal.aborted || toast(error.message, 'bad'),
  );

  const drawRun = async () => {
    document.title = `${run.name} – MetaOpt`;
    fill(parts.head, head(run, me, go, reload));
    fill(parts.facts, facts(run));
    fill(parts.timeline, panel('Timeline', timeline(run), attempts(run)));
    fill(parts.result, run.result ? result(run, id) : null);
    const stored = await optional(api.get(`/runs/${id}/checkpoints`, signal));
    fill(parts.checkpoints, panel('Checkpoints', checkpoints(stored?.items ?? [], run)));
  };
  const reload = async () => {
    run = await api.get(`/runs/${id}`, signal);
    await drawRun();
  };

  const charts = new Map();
  let timer;
  const curves = new Curves(id, signal, () => {
    timer ??= setTimeout(drawCurves, charts.size ? drawEveryMs : 0);
  });
  signal.addEventListener('abort', () => clearTimeout(timer));
  const drawCurves = async () => {
    timer = undefined;
    for (const [key, names] of chartsOf(curves.names)) {
      if (!charts.has(key)) charts.set(key, chart(key, parts.charts, run, query, signal, curves, drawCurves));
      await charts.get(key).show(linesOf(key, names, curves, run, charts.get(key)));
    }
  };
  drawRun().catch(error => signal.aborted || toast(error.message, 'bad'));
  if (run.state === 'queued' || run.state === 'running')
    fill(
      parts.charts,
      h(
        'p.empty.waiting',
        run.state === 'queued' ? 'Curves appear here when it runs.' : 'Curves appear here with the first points.',
      ),
    );
  follow(
    id,
    signal,
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
        curves.add(change).catch(error => signal.aborted || toast(error.message, 'bad'));
      },
      end: () => {
        parts.charts.querySelector('.waiting')?.remove();
        reload().catch(() => {});
      },
    },
    on => {
      parts.lost.className = on ? '' : 'banner';
      fill(parts.lost, on || run.finishedAt ? null : 'The connection to the server is lost; trying again …');
    },
  );
}

function head(run, me, go, reload) {
  const mine = me.scopes.includes('runs:write') && (run.owner === me.name || me.scopes.includes('admin'));
  const over = ['succeeded', 'failed', 'cancelled'].includes(run.state);
  const write = (path, say) => async () => {
    const answer = await api.post(`/runs/${run.id}/${path}`);
    toast(say);
    if (answer?.id && answer.id !== run.id) await go(`/runs/${answer.id}`);
    else await reload();
  };
  const remove = async () => {
    if (!(await confirmed(`Delete “${run.name}” with its curves and checkpoints? This cannot be undone.`, 'Delete the run')))
      return;
    await api.delete(`/runs/${run.id}`);
    toast('Deleted.');
    await go('/runs');
  };
  return [
    h(
      'div.page-head',
      h(
        'div',
        h('h1', run.name),
        h(
          'p.under',
          state(run),
          ' ',
          run.kind,
          ' by ',
          run.owner,
          ', submitted ',
          ago(run.createdAt),
          run.tags.map(tag => h('a.tag', { href: `/runs?tag=${encodeURIComponent(tag)}` }, tag)),
        ),
      ),
      h(
        'div.actions',
        mine &&
          !over &&
          (run.paused
            ? action('Resume', '', write('resume', 'It goes on.'))
            : action('Pause', '', write('pause', run.state === 'queued' ? 'Paused.' : 'It pauses at its next resume point.'))),
        mine &&
          run.state === 'running' &&
          action('Let others go first', '', write('yield', 'It goes to the end of the queue at its next resume point.')),
        mine &&
          !over &&
          action('Cancel', '.danger', write('cancel', run.state === 'queued' ? 'Cancelled.' : 'It stops at its next step.')),
        h('a.button', { href: `/new?from=${run.id}` }, 'Use as a start'),
        h('a.button', { href: `/compare?runs=${run.id}` }, 'Compare'),
        run.kind === 'evaluation' &&
          run.state === 'succeeded' &&
          h('a.button', { href: `/trajectory?run=${run.id}` }, 'Trajectory'),
        mine &&
          ['failed', 'cancelled'].includes(run.state) &&
          action('Retry', '', write('retry', 'Queued again; it goes on from its resume point.')),
        mine && over && action('Delete', '', remove),
      ),
    ),
    run.error && h('p.banner.bad', { role: 'alert' }, h('strong', run.error.code), ': ', run.error.detail),
    run.waitingFor && h('p.banner', `Number ${run.waitingFor.position} in the queue: ${run.waitingFor.reason}`),
    run.notes && h('p.notes', run.notes),
  ];
}

function facts(run) {
  const fact = (name, value) => h('div', h('dt', name), h('dd', value));
  const worker = run.attempts?.at(-1);
  return h(
    'dl.facts',
    fact('Progress', progress(run)),
    fact(run.finishedAt ? 'Took' : 'Runs for', run.startedAt ? duration(secondsBetween(run.startedAt, run.finishedAt)) : '–'),
    fact('Worker', run.state === 'queued' ? '–' : (worker?.worker ?? '–')),
    fact('Pool', run.pool),
    fact('Priority', run.priority),
    fact('Attempt', run.attempt || '–'),
    fact(
      'Id',
      h(
        'span.row',
        h('code', run.id.slice(0, 8)),
        copyButton(() => run.id, ''),
      ),
    ),
  );
}

function chart(key, host, run, query, signal, curves, redraw) {
  const contest = key === 'contest';
  const place = h('section.panel');
  host.append(place);
  const zoomed = (from, to) =>
    curves.zoom(chartsOf(curves.names).get(key), from, to).catch(error => signal.aborted || toast(error.message, 'bad'));
  const made = new Chart(place, {
    name: `${run.name}-${key}`,
    title: titles[key] ?? key,
    signal,
    query,
    key: key === 'meta-loss' || contest ? '' : `${key}.`,
    xLabel: contest ? 'inner step' : 'meta-step',
    yLabel: 'loss',
    log: true,
    smoothing: !contest,
    height: key === 'validation' ? 220 : undefined,
    zoomed,
    note: h(
      'p.small.muted',
      contest ? 'Bands hold 80 % of the instances. ' : '',
      'Drag to zoom, double-click for the whole range.',
    ),
  });
  if (made.zoom) zoomed(...made.zoom);
  made.statistic = query.get('statistic') === 'median' ? 'median' : 'mean';
  if (contest) {
    const choose = event => {
      made.statistic = event.target.value;
      const address = new URLSearchParams(location.search);
      if (made.statistic === 'median') address.set('statistic', 'median');
      else address.delete('statistic');
      history.replaceState(null, '', `${location.pathname}${address.size ? `?${address}` : ''}`);
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
          ['mean', 'median'].map(word => h('option', { value: word, selected: word === made.statistic }, word)),
        ),
      ),
    );
  }
  return made;
}

function linesOf(key, names, curves, run, chart) {
  if (key === 'contest') {
    const order = run.result?.contestants?.map(c => c.name) ?? [];
    const all = [...new Set([...order, ...contestants(names)])];
    return all.map((name, index) => ({
      key: name,
      label: name,
      index,
      band: true,
      curve: banded(n => curves.get(n), name, chart.statistic),
    }));
  }
  return names.map((name, index) => {
    const curve = curves.get(name) ?? new Curve();
    return { key: name, label: name, index, band: curve.buckets, curve };
  });
}
