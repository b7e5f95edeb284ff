/** Who is best at what, task by task: losses with their intervals, and how long it takes to a target loss. */
import { fill, h, panel, svg, table } from '../app/dom.js';
import { api } from '../app/api.js';
import { chrome, colour, isNarrow, onTheme } from '../app/palette.js';
import { ticks } from '../app/curve.js';
import { tick } from '../app/axis.js';
import { field, mark } from '../app/fields.js';
import { runLink } from '../app/format.js';
import { kinds } from '../app/kinds.js';
import { count, duration, number, typed } from '../app/numbers.js';
import { withInterval } from '../app/result.js';
import { quoted, svgMenu } from '../app/save.js';

export const title = 'Leaderboard';

export async function show(view, { query, signal, go }) {
  const { items, leftOut } = await api.get('/leaderboards', signal);
  if (items.length === 0) {
    const ranked = (await kinds()).find(kind => kind.ranked);
    fill(
      view,
      h('h1', 'Leaderboard'),
      missing(leftOut),
      h('p.empty', 'No evaluation has succeeded yet. ', h('a', { href: `/new?kind=${ranked?.name}` }, 'Submit one'), '.'),
    );
    return;
  }
  const id = query.get('board') ?? items[0].id,
    target = query.get('target');
  const search = target ? `?target=${encodeURIComponent(target)}` : '';
  const board = await api.get(`/leaderboards/${encodeURIComponent(id)}${search}`, signal);
  const address = changes =>
    `/leaderboard?${new URLSearchParams(Object.entries({ board: id, target, ...changes }).filter(([, v]) => v))}`;
  const goal = field(
    'Target loss',
    h('input', { value: target ?? '', placeholder: number(board.target), inputmode: 'decimal', size: 10 }),
  );
  const csv = () =>
    [
      'optimizer,learned,finalMean,low,high,average,stepsToTarget,secondsToTarget,secondsPerStep,run',
      ...board.entries.map(e =>
        [
          quoted(e.name),
          e.learned,
          e.finalMean,
          ...(e.finalMeanCi95 ?? ['', '']),
          e.averageLoss,
          e.stepsToTarget,
          e.secondsToTarget,
          e.secondsPerStep,
          e.run.id,
        ].join(','),
      ),
    ].join('\n') + '\n';
  const place = h('div');
  const draw = () => {
    const picture = intervals(board.entries);
    fill(
      place,
      panel([h('h2', 'Final loss with its 95 % interval'), h('div.tools', svgMenu('leaderboard', picture, csv))], picture),
    );
  };
  draw();
  onTheme(draw, signal);
  fill(
    view,
    h(
      'div.page-head',
      h('h1', 'Leaderboard'),
      h(
        'form.filters',
        {
          onsubmit: event => {
            event.preventDefault();
            const text = goal.input.value.trim();
            if (text === '' || typeof typed(text) === 'number') go(address({ target: text }));
            else mark(new Map([['', goal]]), [{ pointer: '', detail: `The target loss must be a number, got "${text}".` }]);
          },
        },
        h(
          'label.field',
          h('span', 'Task'),
          h(
            'select',
            { onchange: event => go(address({ board: event.target.value, target: '' })) },
            items.map(item => h('option', { value: item.id, selected: item.id === id }, name(item))),
          ),
        ),
        goal.element,
      ),
    ),
    h('p.lead', describe(board.task)),
    missing(leftOut),
    place,
    panel(
      'Optimizers',
      table(
        'Optimizers',
        [
          '#',
          'Optimizer',
          'Learning rate',
          'Final loss (95 % interval)',
          'Average loss (95 % interval)',
          `Steps to ${number(board.target, 3)}`,
          'Time to it',
          'A step',
          'Measured in',
        ],
        board.entries.map((e, i) => [
          i + 1,
          h('span.row', h('strong.name', e.name), e.learned && h('span.tag', 'learned')),
          e.learningRate === null ? '–' : number(e.learningRate, 3),
          withInterval(e.finalMean, e.finalMeanCi95),
          withInterval(e.averageLoss, e.averageLossCi95),
          e.stepsToTarget === null ? 'not reached' : count(e.stepsToTarget),
          duration(e.secondsToTarget),
          duration(e.secondsPerStep),
          [
            runLink(e.run),
            h('div.small.muted', `${count(e.instances)} instances, ${e.run.owner}`),
            e.notes.map(note => h('div.small', h('strong', note))),
          ],
        ]),
      ),
      h(
        'p.small.muted',
        'The target is the best hand-designed optimizer’s final loss unless you choose another. ',
        'What was measured several times counts with the most instances.',
      ),
    ),
  );
}

/** Evaluations that cannot be ranked, and why. */
const missing = leftOut =>
  leftOut.length > 0 &&
  h(
    'details.banner',
    h('summary', `${leftOut.length} ${leftOut.length === 1 ? 'evaluation is' : 'evaluations are'} left out`),
    h(
      'ul',
      leftOut.map(run => h('li', runLink(run), `: ${run.reason}`)),
    ),
  );

const name = board => `${board.task.type}, ${describe(board.task, 3)}, ${board.horizon} steps`;

const describe = (task, parts = 99) =>
  Object.entries(task)
    .filter(([key, value]) => key !== 'type' && value !== null && typeof value !== 'object')
    .slice(0, parts)
    .map(([key, value]) => `${key.replace(/([A-Z])/g, ' $1').toLowerCase()} ${value}`)
    .join(', ');

/** A dot and a line for each optimizer on a common axis, logarithmic where that is needed. */
function intervals(entries) {
  const paint = chrome(),
    shown = entries.filter(e => e.finalMean !== null);
  // Drawn for its width, so that labels stay readable on a telephone.
  const [width, row, left, top] = isNarrow() ? [360, 28, 112, 8] : [900, 28, 170, 8],
    height = top + row * shown.length + 34;
  const ends = shown.flatMap(e => [e.finalMean, ...(e.finalMeanCi95 ?? [])]).filter(v => v !== null);
  const log = Math.min(...ends) > 0 && Math.max(...ends) / Math.min(...ends) > 8;
  const f = v => (log ? Math.log10(v) : v),
    [low, high] = [f(Math.min(...ends)), f(Math.max(...ends))],
    room = (high - low) * 0.06 || 0.5;
  const x = v => left + ((f(v) - low + room) / (high - low + 2 * room)) * (width - left - 20);
  const [from, to] = [low - room, high + room].map(v => (log ? 10 ** v : v));
  return svg(
    'svg',
    {
      viewBox: `0 0 ${width} ${height}`,
      class: 'picture',
      role: 'img',
      'font-family': 'Inter, system-ui, sans-serif',
      'aria-label': `Final losses: ${shown.map(e => `${e.name} ${number(e.finalMean, 3)}`).join(', ')}`,
    },
    ticks(from, to, log, isNarrow() ? 4 : 7).map(v => [
      svg('line', { x1: x(v), x2: x(v), y1: top, y2: height - 28, stroke: paint.grid }),
      svg('text', { x: x(v), y: height - 10, 'text-anchor': 'middle', 'font-size': 12, fill: paint.muted }, tick(v)),
    ]),
    shown.map((e, i) => {
      const y = top + row * (i + 0.5),
        [a, b] = e.finalMeanCi95?.length === 2 ? e.finalMeanCi95 : [e.finalMean, e.finalMean];
      const stroke = colour(e.learned ? 0 : 6);
      return svg(
        'g',
        { fill: stroke },
        svg(
          'text',
          { x: left - 12, y: y + 4, 'text-anchor': 'end', 'font-size': 13, fill: paint.ink },
          e.name.length > left / 7.5 ? `${e.name.slice(0, left / 7.5 - 2)}…` : e.name,
        ),
        svg('line', { x1: x(Math.max(a, from)), x2: x(b), y1: y, y2: y, stroke, 'stroke-width': 2.5, 'stroke-linecap': 'round' }),
        e.learned
          ? svg('circle', { cx: x(e.finalMean), cy: y, r: 5.5 })
          : svg('rect', { x: x(e.finalMean) - 5, y: y - 5, width: 10, height: 10 }),
      );
    }),
  );
}
