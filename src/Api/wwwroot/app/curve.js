/** One trajectory as the server gives it: points, or buckets with the smallest, largest and mean value. */

/** Beyond so many points a curve is read again, summarised by the server. */
export const mostPoints = 2000;
export const wantedPoints = 1000;

export class Curve {
  constructor() {
    this.x = [];
    this.y = [];
    this.low = [];
    this.high = [];
    // Values of each entry that are no finite numbers.
    this.lost = [];
    this.buckets = false;
    // Steps of a bucket, and the newest one's first step and number of points.
    this.width = 1;
    this.newest = { from: 0, count: 0 };
  }

  /** Points of the API, in order; those of steps that are known already replace what was there. */
  add(points) {
    if (points.length === 0) return this;
    const from = points[0].step;
    while (this.x.length > 0 && this.x[this.x.length - 1] >= from)
      for (const list of [this.x, this.y, this.low, this.high, this.lost]) list.pop();
    for (const point of points) {
      const single = point.value !== undefined;
      if (single && this.width > 1 && point.step < this.newest.from + this.width && this.x.length > 0) this.join(point);
      else {
        this.x.push(single ? point.step : point.lastStep);
        this.y.push(single ? point.value : point.mean);
        this.low.push(single ? point.value : point.min);
        this.high.push(single ? point.value : point.max);
        this.lost.push(Number(point.diverged ?? 0));
        this.newest = { from: point.step, count: single ? 1 : point.count };
      }
      this.buckets ||= !single && point.count > 1;
      if (!single) this.width = Math.max(this.width, point.lastStep - point.step + 1);
    }
    return this;
  }

  /** A new point of a curve that is summarised goes into its newest bucket, so that the end looks like the rest. */
  join({ step, value }) {
    const i = this.x.length - 1,
      { count } = this.newest;
    this.x[i] = step;
    this.newest.count++;
    if (value === null) {
      this.lost[i]++;
      return;
    }
    if (this.y[i] === null) [this.y[i], this.low[i], this.high[i]] = [value, value, value];
    else {
      this.y[i] += (value - this.y[i]) / (count - this.lost[i] + 1);
      this.low[i] = Math.min(this.low[i], value);
      this.high[i] = Math.max(this.high[i], value);
    }
  }

  /** Index of the last finite value; -1 where there is none. */
  get lastIndex() {
    return this.y.findLastIndex(value => value !== null);
  }

  get last() {
    return this.y[this.lastIndex] ?? null;
  }

  /** How many values are no finite numbers. */
  get diverged() {
    return this.lost.reduce((sum, lost) => sum + lost, 0);
  }

  get lowest() {
    let lowest = null;
    for (const value of this.low) if (value !== null && (lowest === null || value < lowest)) lowest = value;
    return lowest;
  }
}

/** Index of the value at or before x; -1 when there is none. */
export function indexAt(xs, x) {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Indices of values between two gaps, which no line shows. An undefined value is one that the curve does not have. */
export function lone(values) {
  const own = [...values.keys()].filter(i => values[i] !== undefined);
  const isGap = k => (values[own[k]] ?? null) === null;
  return own.filter((_, k) => !isGap(k) && isGap(k - 1) && isGap(k + 1));
}

/** Exponential smoothing that leaves gaps alone. */
export function smooth(values, weight) {
  if (weight === 0) return values;
  let [mean, norm] = [0, 0];
  return values.map(value => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return mean / norm;
  });
}

/** Round positions for an axis from low to high. */
export function ticks(low, high, log, wanted = 6) {
  if (!(high > low)) return [low];
  // Within a third of a decade a logarithm looks straight.
  if (log && high / low > 2.2) {
    const decades = Math.log10(high) - Math.log10(low);
    const every = Math.max(1, Math.ceil(decades / (wanted + 1)));
    const [first, last] = [Math.floor(Math.log10(low) / every) * every, Math.ceil(Math.log10(high))];
    const within = decades > 3.5 ? [1] : decades > 2 ? [1, 3] : decades > 1 ? [1, 2, 5] : [1, 2, 3, 5, 7];
    const marks = [];
    for (let e = first; e <= last; e += every) for (const m of within) marks.push(Number((m * 10 ** e).toPrecision(12)));
    return marks.filter(mark => mark >= low && mark <= high);
  }
  const rough = (high - low) / wanted,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const first = Math.ceil(low / step - 1e-9),
    marks = new Set();
  // Counted: where a step is less than a number's last digit, adding it again and again would not end.
  for (let i = 0; i <= 2 * wanted && (first + i) * step <= high + step * 1e-9; i++)
    marks.add(first + i === 0 ? 0 : Number(((first + i) * step).toPrecision(15)));
  return [...marks];
}
