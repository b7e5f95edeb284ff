/**
 * A chart of curves with bands: hover values, zoom, logarithmic axes, keyboard, and pictures to save. uPlot draws; everything
 * around it is ours. What a viewer chose (axes, zoom, hidden curves) is in the page's address.
 */
import { fill, h, svg } from './dom.js';
import { extent, labels, xRange, yRange } from './axis.js';
import { count, number } from './numbers.js';
import { indexAt, lone, smooth, ticks } from './curve.js';
import { chrome, colour, dash, faint, onTheme } from './palette.js';
import { remember } from './place.js';
import { saveMenu } from './save.js';

let library;
// A script that sets a global, since the package has no small module. It is missing where the server was built without npm.
const uPlotLibrary = () =>
  (library ??= new Promise(resolve => {
    const script = h('script', {
      src: new URL('../vendor/uPlot.iife.min.js', import.meta.url),
      onload: () => resolve(window.uPlot),
      onerror: () => resolve(null),
    });
    document.head.append(script);
  }));

/**
 * Lines are {key, label, curve, index, band}: the index chooses colour and dashes, a band is drawn from the curve's low to its
 * high. Options: name (of saved files), title, xLabel, yLabel, signal (ends it), query (of the address), key (prefix in the
 * address), log, smoothing, height, note, continuous (x is no count of steps), zoomed(from, to).
 */
export class Chart {
  constructor(host, options) {
    this.options = options;
    this.lines = [];
    this.plot = null;
    const { query, key = '' } = options;
    this.yLog = query.has(`${key}y`) ? query.get(`${key}y`) === 'log' : (options.log ?? false);
    this.xLog = query.get(`${key}x`) === 'log';
    this.bands = query.get(`${key}bands`);
    this.weight = Number(query.get(`${key}smooth`) ?? 0) || 0;
    this.hiddenLines = new Set((query.get(`${key}hide`) ?? '').split('~').filter(Boolean));
    const [from, to] = (query.get(`${key}zoom`) ?? '').split('~').map(Number);
    this.zoom = to > from ? [from, to] : null;
    this.canvas = h('div.plot', {
      style: { 'min-height': `${options.height ?? 260}px` },
      tabindex: 0,
      role: 'img',
      'aria-label': options.title,
      onkeydown: e => this.pressed(e),
    });
    this.legend = h('div.legend', { role: 'group', 'aria-label': `Curves of ${options.title}` });
    this.reset = h('button.quiet', { type: 'button', hidden: !this.zoom, onclick: () => this.zoomTo(null) }, 'Whole range');
    this.canvas.chart = this;
    host.append(
      h(
        'figure.chart',
        h('div.panel-head', h('h2', options.title), this.tools()),
        this.canvas,
        this.legend,
        options.note ?? null,
      ),
    );
    const watcher = new ResizeObserver(() => this.resize());
    watcher.observe(this.canvas);
    options.signal.addEventListener('abort', () => {
      watcher.disconnect();
      this.plot?.destroy();
    });
    onTheme(() => this.rebuild(), options.signal);
  }

  tools() {
    const choice = (label, on, turn) => {
      const button = h(
        'button.toggle',
        {
          type: 'button',
          'aria-pressed': String(on),
          onclick: () => {
            on = !on;
            button.setAttribute('aria-pressed', String(on));
            turn(on);
          },
        },
        label,
      );
      return button;
    };
    const smoothing =
      this.options.smoothing &&
      h(
        'label.small.row',
        'Smooth',
        h('input', {
          type: 'range',
          min: 0,
          max: 0.98,
          step: 0.02,
          value: this.weight,
          'aria-label': 'Smoothing',
          oninput: e => {
            this.weight = Number(e.target.value);
            this.refresh();
            this.remember();
          },
        }),
      );
    this.bandsButton = choice('bands', false, on => {
      this.bands = on ? 'on' : 'off';
      this.rebuild();
      this.remember();
    });
    return h(
      'div.tools',
      this.reset,
      smoothing,
      this.bandsButton,
      choice('log x', this.xLog, on => {
        this.xLog = on;
        this.rebuild();
        this.remember();
      }),
      choice('log y', this.yLog, on => {
        this.yLog = on;
        this.rebuild();
        this.remember();
      }),
      saveMenu(this),
    );
  }

  /** Shows these curves; what changed is only their data while their keys stay. */
  async show(lines) {
    const same =
      lines.length === this.lines.length && lines.every((l, i) => l.key === this.lines[i].key && l.band === this.lines[i].band);
    this.lines = lines;
    if (same && this.plot) this.refresh();
    else await this.rebuild();
  }

  /** Many bands hide each other, so that they are shown of a few curves only unless somebody asks for them. */
  showsBand(line) {
    return line.band && (this.bands ? this.bands === 'on' : this.visible.filter(l => l.band).length <= 3);
  }

  get visible() {
    return this.lines.filter(line => !this.hiddenLines.has(line.key));
  }

  /** What is drawn of a line: smoothed, and without what a logarithm cannot show. */
  values(line) {
    const fits = v => (v !== null && (!this.yLog || v > 0) ? v : null);
    const { x, y, low, high } = line.curve;
    const floor = this.yLog ? smallestPositive(y) / 10 : 0;
    const first = this.xLog ? x.findIndex(step => step > 0) : 0;
    const cut = list => (first === 0 ? list : first < 0 ? [] : list.slice(first));
    return {
      x: cut(x),
      y: cut(smooth(y, this.weight).map(fits)),
      high: cut(high.map(fits)),
      low: cut(this.yLog ? low.map((v, i) => (v === null ? null : v > 0 ? v : high[i] !== null ? floor : null)) : low),
    };
  }

  /** Columns of steps and of values, those of curves without points as well; null where there is nothing to draw. */
  data() {
    const tables = this.visible.map(line => {
      const { x, y, low, high } = this.values(line);
      return this.showsBand(line) ? [x, y, high, low] : [x, y];
    });
    if (
      !extent(
        tables.flatMap(t => t.slice(1)),
        this.yLog,
      )
    )
      return null;
    if (tables.length === 1 || tables.every(t => sameSteps(t[0], tables[0][0])))
      return [tables[0][0], ...tables.flatMap(t => t.slice(1))];
    return this.uPlot.join(tables);
  }

  /** Why there is nothing to draw. */
  reason() {
    const curves = this.visible.map(line => line.curve);
    if (curves.length === 0) return this.lines.length === 0 ? 'No points yet.' : 'No curve is chosen.';
    const points = curves.reduce((sum, curve) => sum + curve.x.length, 0);
    if (points === 0) return 'No points yet.';
    if (curves.every(curve => curve.last === null))
      return `All values diverged: none of ${count(curves.reduce((sum, curve) => sum + curve.diverged, 0))} is a finite number.`;
    return this.xLog && curves.every(curve => !(curve.x.at(-1) > 0))
      ? `No ${this.options.xLabel} is above 0, as a logarithmic axis needs. Switch off “log x”.`
      : 'No value is above 0, as a logarithmic axis needs. Switch off “log y”.';
  }

  async rebuild() {
    const uPlot = (this.uPlot = await uPlotLibrary());
    if (this.options.signal.aborted) return;
    this.drawLegend();
    this.bandsButton.hidden = !this.lines.some(line => line.band);
    this.bandsButton.setAttribute('aria-pressed', String(this.lines.some(line => this.showsBand(line))));
    this.plot?.destroy();
    this.plot = null;
    if (!uPlot) {
      fill(
        this.canvas,
        h(
          'p.empty',
          'Curves are drawn with uPlot, which this server was built without: install npm and start it again with ',
          h('code', './metaopt up'),
          '. Values are below.',
        ),
      );
      return;
    }
    const data = this.data();
    if (!data) {
      fill(this.canvas, h('p.empty', this.reason()));
      return;
    }
    fill(this.canvas);
    this.plot = new uPlot(this.layout(uPlot), data, this.canvas);
    this.scaleToZoom();
    this.describe();
  }

  refresh() {
    const data = this.data();
    if (!this.plot || !data) return this.rebuild();
    this.plot.setData(data, !this.zoom);
    if (this.zoom) this.plot.redraw();
    this.writeValues(null);
    this.describe();
  }

  layout(uPlot) {
    const paint = chrome();
    const series = [{}],
      bands = [];
    for (const line of this.visible) {
      const stroke = colour(line.index);
      series.push({
        stroke,
        width: 1.75,
        dash: dash(line.index),
        points: { show: false, filter: (u, k) => lone(u.data[k]), size: 6 },
        spanGaps: false,
      });
      if (!this.showsBand(line)) continue;
      bands.push({ series: [series.length, series.length + 1], fill: faint(stroke, 0.14) });
      series.push(
        { stroke: 'transparent', width: 0, points: { show: false } },
        { stroke: 'transparent', width: 0, points: { show: false } },
      );
    }
    const font = '12px Inter, system-ui, sans-serif';
    const axis = (label, log, wanted, more) => ({
      stroke: paint.muted,
      grid: { stroke: paint.grid, width: 1 },
      ticks: { show: false },
      font,
      labelFont: font,
      labelGap: 0,
      label,
      splits: (_, __, min, max) => ticks(min, max, log, wanted),
      filter: (_, marks) => marks,
      values: (_, marks) => labels(marks),
      // The library's own steps end at 10 to the 17th, and without one it draws no marks.
      incrs: () => [Infinity],
      ...more,
    });
    return {
      ...this.size(),
      series,
      bands,
      legend: { show: false },
      cursor: { points: { size: 7, fill: paint.paper }, drag: { x: true, y: false, dist: 8 }, focus: { prox: -1 } },
      scales: {
        x: { time: false, distr: this.xLog ? 3 : 1, range: (_, min, max) => xRange(min, max) },
        y: {
          distr: this.yLog ? 3 : 1,
          // Where a zoomed range has no values the axis stays that of all of them.
          range: (u, min, max) => yRange(...(min == null ? extent(u.data.slice(1), this.yLog) : [min, max]), this.yLog),
        },
      },
      axes: [
        axis(this.options.xLabel, this.xLog, this.canvas.clientWidth < 600 ? 5 : 10, { size: 30, labelSize: 20 }),
        axis(this.options.yLabel, this.yLog, 6, {
          size: (_, words) => Math.max(54, 20 + 7 * Math.max(0, ...(words ?? []).map(w => w.length))),
          labelSize: 22,
        }),
      ],
      hooks: {
        // For whoever measures how long it took.
        draw: [() => performance.mark('metaopt-curve')],
        setCursor: [u => this.writeValues(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : null)],
        setSelect: [
          u => {
            if (u.select.width < 8) return;
            this.zoomTo([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')]);
          },
        ],
        ready: [u => u.over.addEventListener('dblclick', () => this.zoomTo(null))],
      },
    };
  }

  size() {
    return { width: Math.max(240, this.canvas.clientWidth), height: this.options.height ?? (innerWidth < 700 ? 260 : 340) };
  }

  resize() {
    if (this.plot && this.plot.width !== this.size().width) this.plot.setSize(this.size());
  }

  /** Null shows everything. */
  zoomTo(range) {
    this.zoom = range && (this.options.continuous ? range : [Math.max(0, Math.floor(range[0])), Math.ceil(range[1])]);
    this.reset.hidden = !this.zoom;
    if (this.zoom) this.scaleToZoom();
    else this.refresh();
    this.options.zoomed?.(this.zoom?.[0] ?? null, this.zoom?.[1] ?? null);
    this.remember();
  }

  scaleToZoom() {
    if (!this.zoom || !this.plot) return;
    const [from, to] = this.zoom;
    // A logarithmic axis cannot begin at 0.
    this.plot.setScale('x', { min: this.xLog && from <= 0 ? Math.min(this.plot.data[0][0], to / 2) : from, max: to });
  }

  /** Arrow keys move the cursor, plus and minus zoom around it, 0 or Escape shows everything. */
  pressed(event) {
    const u = this.plot;
    if (!u || event.target !== this.canvas) return;
    const { width } = u.over.getBoundingClientRect(),
      left = u.cursor.left >= 0 ? u.cursor.left : width / 2;
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
    if (event.key in moves) u.setCursor({ left: Math.min(width, Math.max(0, left + (moves[event.key] * width) / 200)), top: 10 });
    else if (event.key === '+' || event.key === '-') {
      const factor = event.key === '+' ? 0.25 : 1,
        at = u.posToVal(left, 'x'),
        span = (u.scales.x.max - u.scales.x.min) * factor;
      this.zoomTo([at - span, at + span]);
    } else if (event.key === '0' || event.key === 'Escape') this.zoomTo(null);
    else return;
    event.preventDefault();
  }

  drawLegend() {
    this.outputs = new Map();
    fill(
      this.legend,
      this.lines.map(line => {
        const output = h('output.value');
        this.outputs?.set(line.key, output);
        return h(
          'button',
          {
            type: 'button',
            'aria-pressed': String(!this.hiddenLines.has(line.key)),
            onclick: () => {
              if (!this.hiddenLines.delete(line.key)) this.hiddenLines.add(line.key);
              this.rebuild();
              this.remember();
            },
          },
          swatch(line.index),
          h('span.name', line.label),
          output,
        );
      }),
      (this.at = h('span.at.small.muted')),
    );
    this.writeValues(null);
  }

  /** Values at x, or the last finite ones. A value of another step than the one that is named says so. */
  writeValues(x) {
    const at = this.lines.map(({ curve }) =>
      x === null ? curve.x.length - 1 : indexAt(curve.x, this.options.continuous ? x : x + 0.5),
    );
    const step = Math.max(...this.lines.map(({ curve }, k) => curve.x[at[k]] ?? -Infinity));
    const place = value => (this.options.continuous ? number(value) : count(value));
    this.lines.forEach((line, k) => {
      const { curve } = line;
      const i = x === null ? curve.lastIndex : at[k];
      const value = curve.y[i] ?? null;
      const [low, high] = [curve.low[i], curve.high[i]];
      const band = this.showsBand(line) && value !== null && low !== high ? ` (${number(low, 3)} to ${number(high, 3)})` : '';
      const elsewhere = value !== null && curve.x[i] < step && (x === null || i === curve.x.length - 1);
      fill(
        this.outputs?.get(line.key),
        value !== null
          ? number(value) + band
          : curve.x.length === 0
            ? 'no points'
            : curve.diverged && (x === null || curve.lost[i])
              ? 'diverged'
              : '–',
        elsewhere && ` at ${place(curve.x[i])}`,
        x === null && value !== null && curve.y.at(-1) === null && ', then diverged',
      );
    });
    const width = Math.max(1, ...this.lines.map(({ curve }) => curve.width));
    fill(
      this.at,
      Number.isFinite(step) && [
        x === null && 'last, ',
        width > 1 && `mean of ${count(width)} steps to `,
        `${this.options.xLabel} ${place(step)}`,
      ],
    );
  }

  describe() {
    const parts = this.visible.map(
      ({ label, curve }) =>
        `${label.textContent ?? label}: ${number(curve.y.find(v => v !== null))} to ${number(curve.last)}, `
        + `lowest ${number(curve.lowest)}`,
    );
    this.canvas.setAttribute(
      'aria-label',
      `${this.options.title}. ${parts.join('; ')}. Arrow keys read values, plus and minus zoom.`,
    );
  }

  /** Puts what was chosen into the address. */
  remember() {
    const { key = '', log = false } = this.options,
      query = new URLSearchParams(location.search);
    const put = (name, value) => (value ? query.set(key + name, value) : query.delete(key + name));
    put('y', this.yLog === log ? null : this.yLog ? 'log' : 'linear');
    put('x', this.xLog ? 'log' : null);
    put('smooth', this.weight ? String(this.weight) : null);
    put('bands', this.bands);
    put('hide', [...this.hiddenLines].join('~'));
    put('zoom', this.zoom ? this.zoom.join('~') : null);
    remember({}, `${location.pathname}${query.size ? `?${query}` : ''}`);
  }
}

/** A short piece of a line, as in the chart. */
export const swatch = index =>
  svg(
    'svg',
    { viewBox: '0 0 28 10', class: 'swatch', 'aria-hidden': 'true' },
    svg('line', {
      x1: 1,
      y1: 5,
      x2: 27,
      y2: 5,
      stroke: colour(index),
      'stroke-width': 2.5,
      'stroke-dasharray': dash(index).join(' ') || null,
    }),
  );

const sameSteps = (a, b) => a === b || (a.length === b.length && a.every((x, i) => x === b[i]));

const smallestPositive = values => values.reduce((least, v) => (v !== null && v > 0 && v < least ? v : least), Infinity) ?? 1;
