/** How runs of any kind are shown. A kind's own module exports what it does otherwise, under the same names. */
import { everything } from '../app/document.js';

/** What came out, without the name of the kind. */
export const result = document => everything(document);

/** The chart that a series belongs to: by the first part of its name. */
export const chartOf = series => series.split('/')[0];

/** How a chart is drawn; see Chart, whose key is empty for the main one. */
export const chart = key => ({ title: key, xLabel: 'step', yLabel: 'value', log: false, smoothing: true });

/** The curves of a chart, where they are others than its series. */
export const lines = () => null;

/** Links beside the run's buttons, as [label, address]. */
export const links = () => [];

/**
 * What the kind does with an artifact that a run stored: {label, submission}, where submission(id, spec) of the artifact's id and that run's
 * specification gives the specification to begin with and how its name ends.
 */
export const use = null;
