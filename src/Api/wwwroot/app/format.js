/** Numbers, times and words as people read them. */
import { h } from './dom.js';

/** A number as somebody typed it; what is none goes to the server as it is, which says what it takes. */
export function typed(text) {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

/** Four significant digits; powers of ten where they would be long. */
export function number(value, digits = 4) {
  if (value == null || !Number.isFinite(value)) return '–';
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
  if (seconds == null || !Number.isFinite(seconds)) return '–';
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

/** "3 min ago", with the exact time behind it. */
export function ago(iso) {
  if (!iso) return '–';
  const seconds = secondsBetween(iso);
  const short = seconds < 0 ? `in ${coarse(-seconds)}` : seconds < 5 ? 'just now' : `${coarse(seconds)} ago`;
  return h('time', { datetime: iso, title: new Date(iso).toLocaleString() }, short);
}

const coarse = s =>
  s < 90
    ? `${Math.round(s)} s`
    : s < 5400
      ? `${Math.round(s / 60)} min`
      : s < 129_600
        ? `${Math.round(s / 3600)} h`
        : `${Math.round(s / 86_400)} d`;

/** A run's state as a dot and a word. */
export const state = run => {
  const word = run.cancelRequested && run.state === 'running' ? 'cancelling' : run.state;
  return h(`span.state.${word}`, run.paused ? `${word}, paused` : word);
};

/** A run's progress as a bar, its parts, and what is left. */
export function progress(run) {
  const { done = 0, total = 0, phase, secondsLeft, stepsPerSecond } = run.progress ?? {};
  if (!total) return h('span.muted', run.state === 'running' ? 'starting' : '–');
  const left = run.state === 'running' && secondsLeft > 0 ? `${duration(secondsLeft)} left` : '';
  const rate = run.state === 'running' && stepsPerSecond > 0 ? `${number(stepsPerSecond, 3)} steps/s` : '';
  return h(
    'div.progress',
    h('progress', { max: total, value: done, 'aria-label': `${phase ?? 'progress'}: ${done} of ${total}` }),
    h('span.small', [`${Math.floor((100 * done) / total)} %`, left, rate].filter(Boolean).join(' · ')),
  );
}

export const short = id => id.slice(-6);

/** What a run is about, from its specification or brief. */
export const runLink = run => h('a', { href: `/runs/${run.id}` }, run.name);
