/** Times, states and progress as people read them, as elements. */
import { h } from './dom.js';
import { duration, number, relative, secondsBetween, short } from './numbers.js';

/** "3 min ago", with the exact time behind it. */
export function ago(iso) {
  if (!iso) return '–';
  return h('time', { datetime: iso, title: new Date(iso).toLocaleString() }, relative(secondsBetween(iso)));
}

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

/** The short form of a run's id, with the whole one behind it. */
export const runId = run => h('code.muted', { title: run.id }, short(run.id));

/** A run's name, which leads to its page. */
export const runLink = run => h('a.name', { href: `/runs/${run.id}` }, run.name);
