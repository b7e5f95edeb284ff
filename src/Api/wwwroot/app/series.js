/** What the names of a run's series say: which belong together, and which are a contestant's. */
import { Curve } from './curve.js';

const statistic = /^(.*)\/(mean|median|p10|p90)$/;

/** The chart of a series where statistics over instances are in one chart, and others by the first part of their name. */
export const contestChart = name => (statistic.test(name) ? 'contest' : name.split('/')[0]);

/** Series by the chart that they belong to. */
export function chartsOf(names, chartOf = contestChart) {
  const charts = new Map();
  for (const name of names) {
    const key = chartOf(name);
    charts.set(key, [...(charts.get(key) ?? []), name]);
  }
  return charts;
}

/** Contestants in the names of an evaluation's series, in order of appearance. */
export const contestants = names => [...new Set(names.map(name => statistic.exec(name)?.[1]).filter(name => name !== undefined))];

/** A statistic over instances with the band that holds 80 % of them. */
export function banded(get, contestant, kind) {
  const [middle, low, high] = [kind, 'p10', 'p90'].map(part => get(`${contestant}/${part}`));
  const curve = middle ?? new Curve();
  if (low?.x.length === curve.x.length && high?.x.length === curve.x.length)
    return Object.assign(new Curve(), { x: curve.x, y: curve.y, low: low.y, high: high.y, lost: curve.lost, width: curve.width });
  return curve;
}
