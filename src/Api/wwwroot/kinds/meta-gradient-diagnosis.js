/** A diagnosis: bias and variance of each estimator against its reference. */
import { h, table } from '../app/dom.js';
import { count, number } from '../app/numbers.js';

export const result = document => [
  table(
    'Estimators',
    ['Estimator', 'Reference', 'Relative bias', 'Norm of the bias', 'Its standard error', 'Variance', 'Cosine', 'Estimates'],
    document.rows.map(row => [
      h('strong.name', row.estimator),
      h('span.name', row.reference),
      ...[row.relativeBias, row.biasNorm, row.biasStandardError, row.variance, row.cosine].map(value => number(value, 3)),
      count(row.estimates),
    ]),
  ),
  h(
    'p.small.muted',
    `${document.optimizer}, ${count(document.metaParameters)} meta-parameters on ${count(document.coordinates)} coordinates; `,
    `${count(document.horizon)} inner steps in unrolls of ${count(document.unroll)}. `,
    `The strategies’ deviation is ${number(document.deviation, 3)}, with ${count(document.pairs)} pairs an estimate.`,
  ),
];
