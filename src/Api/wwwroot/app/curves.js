/** All curves of one run: kept short however long the run is, read again in detail where somebody zooms in. */
import { api } from './api.js';
import { Curve, mostPoints, wantedPoints } from './curve.js';

export class Curves {
  constructor(id, signal, changed) {
    Object.assign(this, { id, signal, changed });
    this.whole = new Map();
    this.detail = new Map();
  }

  get names() {
    return [...this.whole.keys()];
  }

  /** The curve to draw: that of the zoomed range where there is one. */
  get(name) {
    return this.detail.get(name) ?? this.whole.get(name);
  }

  async read(name, [from, to] = []) {
    const part = from === undefined ? '' : `&from=${from}&to=${to}`;
    const data = await api.get(
      `/runs/${this.id}/series?name=${encodeURIComponent(name)}&maxPoints=${wantedPoints}${part}`,
      this.signal,
    );
    return new Curve().add(data.points);
  }

  /** New points of the event stream. */
  async add({ series, points }) {
    if (!this.whole.has(series)) this.whole.set(series, new Curve());
    const curve = this.whole.get(series).add(points);
    this.changed();
    if (curve.x.length > mostPoints && !curve.reading) {
      curve.reading = true;
      this.whole.set(series, await this.read(series));
      this.changed();
    }
  }

  /** Reads those of the curves that are summarised again for the range; null goes back to the whole. */
  async zoom(names, from, to) {
    const turn = (this.turn = {});
    for (const name of names) this.detail.delete(name);
    if (from === null) return this.changed();
    const rough = names.filter(name => this.whole.get(name).buckets);
    const read = await Promise.all(rough.map(async name => [name, await this.read(name, [from, to])]));
    if (this.turn !== turn) return;
    for (const [name, curve] of read) this.detail.set(name, curve);
    this.changed();
  }
}
