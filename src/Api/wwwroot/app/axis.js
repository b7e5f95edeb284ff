/** Ends of a chart's axes, and the words at their marks. */
import { number, superscript } from './numbers.js';

const room = 0.06;
// So that an axis of a series that hardly changes has marks that differ.
const leastSpan = 1e-9;
const smallest = 1e-307,
  largest = 1e307;

export const xRange = (min, max) => (min == null ? [0, 1] : min === max ? [min * 0.9, max * 1.1 || 1] : [min, max]);

/** Ends for finite values from min to max with some room; an axis of values that are not negative stays so. */
export function yRange(min, max, log) {
  if (log) return logRange(min, max);
  const span = Math.max(max - min, Math.max(Math.abs(min), Math.abs(max)) * leastSpan) || 1;
  const pad = min === max ? Math.abs(max) / 2 || 0.5 : room * span;
  return [
    min >= 0 ? Math.max(0, min - pad) : Math.max(-largest, min - pad),
    max <= 0 && min < 0 ? Math.min(0, max + pad) : Math.min(largest, max + pad),
  ];
}

/** Not less than half a decade on a logarithmic axis, so that what hardly changes looks so. */
function logRange(min, max) {
  const [low, high] = [Math.log10(min), Math.log10(max)],
    span = high - low;
  const pad = Math.max(Math.log10(1 + room), 0.04 * span, (Math.log10(3) - span) / 2);
  return [Math.max(smallest, 10 ** (low - pad)), Math.min(largest, 10 ** (high + pad))];
}

/** Smallest and largest of the values that an axis can show; null when there is none. */
export function extent(lists, log) {
  let [min, max] = [Infinity, -Infinity];
  for (const list of lists)
    for (const value of list) if (value != null && (!log || value > 0)) [min, max] = [Math.min(min, value), Math.max(max, value)];
  return min <= max ? [min, max] : null;
}

/** A mark's words. */
export function tick(value, digits = 6) {
  if (value === null || value === undefined) return '';
  const size = Math.abs(value),
    exponent = Math.log10(size);
  if (value !== 0 && (size < 1e-3 || size >= 1e6))
    return Math.abs(exponent - Math.round(exponent)) < 1e-9
      ? `${value < 0 ? '-' : ''}10${superscript(Math.round(exponent))}`
      : number(value, digits - 3);
  return size >= 10_000 ? `${Number((value / 1000).toPrecision(digits - 1))}k` : String(Number(value.toPrecision(digits)));
}

/** Words for the marks of an axis, with as many digits as tell them apart. */
export function labels(marks) {
  for (let digits = 6; ; digits += 3) {
    const words = marks.map(mark => tick(mark, digits));
    if (digits >= 15 || new Set(words).size === words.length) return words;
  }
}
