/** Numbers, times and ids as text that people read, and back. */

/** A number as somebody typed it; a text that is not a number stays a text, so that the server says what the field takes. */
export const typed = text => (decimal.test(text) && Number.isFinite(Number(text)) ? Number(text) : text);

// Stricter than Number(), which takes an empty text for 0 and reads 0x10.
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Four significant digits; powers of ten where they would be long. */
export function number(value, digits = 4) {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 2)).split('e');
    return `${Number(mantissa)}·10${superscript(Number(exponent))}`;
  }
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumSignificantDigits: digits });
}

/** 10 to a whole power. */
export const superscript = exponent => [...String(exponent)].map(c => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)])).join('');

export const count = value => (value == null ? '–' : value.toLocaleString('en'));

/** Its parts do not break over lines. */
export const duration = seconds => plainDuration(seconds).replaceAll(' ', '\u00a0');

function plainDuration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 1e-3) return `${number(seconds * 1e6, 3)} µs`;
  if (seconds < 1) return `${number(seconds * 1e3, 3)} ms`;
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 2 : 3)} s`;
  const [s, m, hours, days] = [
    [1, 60],
    [60, 60],
    [3600, 24],
    [86_400, Infinity],
  ].map(([unit, of]) => Math.floor(seconds / unit) % of);
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${m} min` : `${m} min ${s} s`;
}

export function size(bytes) {
  for (const [unit, factor] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ])
    if (bytes >= factor) return `${number(bytes / factor, 3)}\u00a0${unit}`;
  return `${bytes} B`;
}

/** Seconds between two times; to now when the second is absent. */
export const secondsBetween = (from, to) => ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000;

/** How long ago something was, or in how long it will be. */
export const relative = seconds => (seconds < 0 ? `in ${coarse(-seconds)}` : seconds < 5 ? 'just now' : `${coarse(seconds)} ago`);

const coarse = s =>
  s < 90
    ? `${Math.round(s)} s`
    : s < 5400
      ? `${Math.round(s / 60)} min`
      : s < 129_600
        ? `${Math.round(s / 3600)} h`
        : `${Math.round(s / 86_400)} d`;

/** The last 8 characters of an id, which are random; the command line and GET /runs?id= take them too. */
export const short = id => id.slice(-8);
