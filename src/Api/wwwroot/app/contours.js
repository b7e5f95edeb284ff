/** Paths over a loss of two coordinates, drawn as a map. */
import { svg } from './dom.js';
import { ticks } from './curve.js';
import { tick } from './axis.js';
import { isoline } from './isoline.js';
import { number } from './numbers.js';
import { chrome, colour, dash, isNarrow } from './palette.js';

const row = 24;
const levels = 14;

/** Data of the API's trajectory: a grid of losses with its extent, and paths. */
export function contours({ grid, x, y, loss, paths }) {
  const paint = chrome();
  // On a telephone the names are below the map.
  const narrow = isNarrow();
  const [width, height, left, top, right, bottom] = narrow
    ? [360, 380 + row * paths.length, 48, 10, 10, 44 + row * paths.length]
    : [900, 620, 64, 16, 190, 44];
  const legend = index => (narrow ? [left, height - bottom + 52 + row * index] : [width - right + 20, top + 18 + row * index]);
  const px = v => left + ((v - x[0]) / (x[1] - x[0])) * (width - left - right),
    py = v => height - bottom - ((v - y[0]) / (y[1] - y[0])) * (height - top - bottom);
  const shown = v => v !== null && v >= -1e30;
  const lowest = Math.min(...loss.filter(shown));
  // Losses span decades: levels are even in the logarithm of the height above the lowest point.
  const heights = loss.map(v => (v === null ? null : Math.log10(v - lowest + 1e-4 * (1 + Math.abs(lowest)))));
  const [from, to] = [Math.min(...heights.filter(v => v !== null)), Math.max(...heights.filter(v => v !== null))];
  const at = (i, n, [a, b]) => a + ((b - a) * i) / (n - 1);
  const lines = Array.from({ length: levels }, (_, k) =>
    svg('path', {
      d: isoline(
        heights,
        grid,
        from + ((to - from) * (k + 0.5)) / levels,
        i => px(at(i, grid, x)).toFixed(1),
        j => py(at(j, grid, y)).toFixed(1),
      ),
      stroke: paint.muted,
      'stroke-opacity': (0.65 - (0.4 * k) / levels).toFixed(2),
      fill: 'none',
      'stroke-width': 1,
    }),
  );
  const picture = svg(
    'svg',
    {
      viewBox: `0 0 ${width} ${height}`,
      class: 'picture',
      role: 'img',
      'font-family': 'Inter, system-ui, sans-serif',
      'aria-label': `Paths: ${paths.map(p => `${p.name} from ${number(p.loss[0], 3)} to ${number(p.loss.at(-1), 3)}`).join(', ')}`,
    },
    svg('clipPath', { id: 'map' }, svg('rect', { x: left, y: top, width: width - left - right, height: height - top - bottom })),
    svg('rect', {
      x: left,
      y: top,
      width: width - left - right,
      height: height - top - bottom,
      fill: 'none',
      stroke: paint.grid,
    }),
    svg('g', { 'clip-path': 'url(#map)' }, lines),
    ticks(x[0], x[1], false, narrow ? 4 : 7).map(v =>
      svg('text', { x: px(v), y: height - bottom + 22, fill: paint.muted, 'font-size': 12, 'text-anchor': 'middle' }, tick(v)),
    ),
    ticks(y[0], y[1], false, 7).map(v =>
      svg('text', { x: left - 8, y: py(v) + 4, fill: paint.muted, 'font-size': 12, 'text-anchor': 'end' }, tick(v)),
    ),
  );
  paths.forEach((path, index) => {
    const stroke = colour(index),
      dashes = dash(index).join(' ') || null;
    const points = path.x
      .map((v, k) => (v === null || path.y[k] === null ? null : [px(v), py(path.y[k])]))
      .filter(p => p !== null)
      .map(([a, b]) => [clamp(a), clamp(b)]);
    const [lx, ly] = legend(index);
    picture.append(
      svg(
        'g',
        { 'clip-path': 'url(#map)' },
        svg('path', {
          d: `M${points.map(p => p.map(v => v.toFixed(1)).join(' ')).join('L')}`,
          stroke,
          'stroke-width': 2,
          fill: 'none',
          'stroke-dasharray': dashes,
          'stroke-linejoin': 'round',
        }),
        svg('circle', { cx: points[0][0], cy: points[0][1], r: 6, fill: 'none', stroke: paint.ink, 'stroke-width': 2 }),
        svg('circle', { cx: points.at(-1)[0], cy: points.at(-1)[1], r: 4.5, fill: stroke, stroke: paint.paper }),
      ),
      svg('line', {
        x1: lx,
        x2: lx + 28,
        y1: ly - 4,
        y2: ly - 4,
        stroke,
        'stroke-width': 2.5,
        'stroke-dasharray': dashes,
      }),
      svg(
        'text',
        { x: lx + 36, y: ly, fill: paint.ink, 'font-size': 13 },
        `${path.name.slice(0, narrow ? 32 : 12)} ${number(path.loss.at(-1), 2)}`,
      ),
    );
  });
  return picture;
}

const clamp = v => Math.max(-1e4, Math.min(1e4, v));
