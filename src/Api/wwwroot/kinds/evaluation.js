/** An evaluation: losses of its contestants on test instances, and who is better than whom. */
import { h, table } from '../app/dom.js';
import { swatch } from '../app/chart.js';
import { count, duration, number } from '../app/numbers.js';
import { withInterval } from '../app/result.js';
import { banded, contestants } from '../app/series.js';

const contest = 'contest';

export { contestChart as chartOf } from '../app/series.js';

export const chart = key =>
  key === contest
    ? {
        key: '',
        title: 'Loss on test instances',
        xLabel: 'inner step',
        yLabel: 'loss',
        log: true,
        smoothing: false,
        note: 'Bands hold 80 % of the instances. ',
        statistics: ['mean', 'median'],
      }
    : { title: key, xLabel: 'inner step', yLabel: 'loss', log: true, smoothing: true };

/** A curve with its band for each contestant, in the order of the result. */
export function lines(key, names, curves, run, statistic) {
  if (key !== contest) return null;
  const all = new Set([...(run.result?.contestants?.map(c => c.name) ?? []), ...contestants(names)]);
  return [...all].map((name, index) => ({
    key: name,
    label: name,
    index,
    band: true,
    curve: banded(n => curves.get(n), name, statistic),
  }));
}

export const links = run => (run.state === 'succeeded' ? [['Trajectory', `/trajectory?run=${run.id}`]] : []);

/** A learned optimizer against Adam, on what it was trained on. */
export const use = {
  label: 'Evaluate',
  submission: (learned, spec) => ({
    end: ' against Adam',
    spec: {
      task: spec.task,
      horizon: spec.training?.horizon,
      contestants: [{ checkpoint: learned }, { optimizer: { type: 'adam' } }],
    },
  }),
};

export function result(document) {
  const best = Math.min(...document.contestants.map(c => c.finalMean ?? Infinity));
  const rows = document.contestants.map((c, index) => [
    h('span.row', swatch(index), h('strong.name', c.name), c.learned && h('span.tag', 'learned')),
    c.learningRate === null ? '–' : number(c.learningRate, 3),
    h(c.finalMean === best ? 'strong.best' : 'span', withInterval(c.finalMean, c.finalMeanCi95)),
    number(c.finalMedian, 3),
    withInterval(c.averageLoss, c.averageLossCi95),
    c.targets[0]?.step ? `${count(c.targets[0].step)} steps, ${duration(c.targets[0].seconds)}` : 'not reached',
    duration(c.secondsPerStep),
    c.diverged || '–',
  ]);
  const target = document.contestants[0]?.targets[0]?.loss;
  return [
    table(
      'Contestants',
      [
        'Optimizer',
        'Learning rate',
        'Final loss (95 % interval)',
        'Median',
        'Average loss',
        `To a loss of ${number(target, 3)}`,
        'A step',
        'Diverged',
      ],
      rows,
    ),
    document.comparisons.length > 0 && [
      h('h3', 'Ratios'),
      table(
        'Comparisons',
        ['Against', 'Final loss (95 % interval)', 'p', 'Average loss (95 % interval)', 'p', 'Wins'],
        document.comparisons.map(c => [
          h('span.name', `${c.a} / ${c.b}`),
          ratio(c.finalRatio, c.finalRatioCi95),
          number(c.finalPHolm, 2),
          ratio(c.averageRatio, c.averageRatioCi95),
          number(c.averagePHolm, 2),
          `${number(100 * c.winRate, 3)} %`,
        ]),
      ),
    ],
    h(
      'p.small.muted',
      `${count(document.instances)} instances that nobody was tuned on, the same for all; ${count(document.horizon)} steps. `,
      'Intervals are paired bootstraps; p values are signed-rank tests, corrected after Holm.',
    ),
  ];
}

const ratio = (value, interval) =>
  h(interval?.[1] < 1 ? 'span.good' : interval?.[0] > 1 ? 'span.poor' : 'span', withInterval(value, interval));
