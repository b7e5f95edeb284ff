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
    this.diverged = 0;
    this.buckets = false;
  }

  /** Points of the API, in order; those of steps that are known already replace what was there. */
  add(points) {
    if (points.length === 0) return this;
    const from = points[0].step;
    while (this.x.length > 0 && this.x[this.x.length - 1] >= from)
      for (const list of [this.x, this.y, this.low, this.high]) list.pop();
    for (const point of points) {
      const single = point.value !== undefined;
      this.x.push(single ? point.step : point.lastStep);
      this.y.push(single ? point.value : point.mean);
      this.low.push(single ? point.value : point.min);
      this.high.push(single ? point.value : point.max);
      this.buckets ||= !single && point.count > 1;
      this.diverged += Number(point.diverged ?? 0);
    }
    return this;
  }

  get last() {
    return this.y.findLast(value => value !== null) ?? null;
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
  if (log) {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))],
      decades = Math.log10(high / low);
    const every = Math.max(1, Math.ceil(decades / (wanted + 1)));
    const within = decades > 2 ? [1] : decades > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
    const marks = [];
    for (let e = first; e <= last; e += every) for (const m of within) marks.push(Number((m * 10 ** e).toPrecision(12)));
    return marks.filter(mark => mark >= low && mark <= high);
  }
  const rough = (high - low) / wanted,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const marks = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step)
    marks.push(Math.abs(value) < step / 2 ? 0 : Number(value.toPrecision(12)));
  return marks;
}
