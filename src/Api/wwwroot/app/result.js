/** What came out of a run, and numbers with their intervals. */
import { documentPanel } from './document.js';
import { h } from './dom.js';
import { number } from './numbers.js';

/** An interval as "0.28 (0.22 to 0.35)". */
export const withInterval = (value, interval) => [
  number(value, 3),
  interval?.length === 2 && h('span.small.muted', ` (${number(interval[0], 3)} to ${number(interval[1], 3)})`),
];

/** The panel of a result, drawn as its kind's view does. */
export function result(run, view) {
  const { kind, ...rest } = run.result;
  return documentPanel('Result', run.result, () => view.result(rest));
}
