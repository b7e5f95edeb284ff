/** What came out of a run. */
import { documentPanel, everything } from './document.js';
import { h, table } from './dom.js';
import { swatch } from './chart.js';
import { count, duration, number } from './numbers.js';

/** An interval as "0.28 (0.22 to 0.35)". */
export const withInterval = (value, interval) => [
  number(value, 3),
  interval?.length === 2 && h('span.small.muted', ` (${number(interval[0], 3)} to ${number(interval[1], 3)})`),
];

export function result(run) {
  const { kind, ...rest } = run.result;
  return documentPanel('Result', run.result, () => (rest.contestants ? contest(rest) : everything(rest)));
}

function contest(document) {
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
