/** Saving what a chart shows: SVG and PNG of the picture, CSV of its data. */
import { h, icon, svg, toast } from './dom.js';
import { ticks } from './curve.js';
import { chrome, colour, dash, faint } from './palette.js';
import { labels } from './axis.js';

/** Offers a file to the browser. */
export function download(name, content) {
  const link = h('a', { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const saveMenu = chart =>
  menu(
    () => chart.options.name,
    () => {
      if (!chart.plot) throw new Error('There is no picture to save.');
      return toSvg(chart);
    },
    () => toCsv(chart),
  );

/** The same for a picture that is an SVG element already. */
export const svgMenu = (name, picture, csv) =>
  menu(
    () => name,
    () => {
      const whole = picture.cloneNode(true);
      const [, , width, height] = picture.getAttribute('viewBox').split(' ');
      for (const [key, value] of Object.entries({ xmlns: 'http://www.w3.org/2000/svg', width, height }))
        whole.setAttribute(key, value);
      whole.prepend(svg('rect', { width, height, fill: chrome().paper }));
      return new XMLSerializer().serializeToString(whole);
    },
    csv,
  );

function menu(name, picture, csv) {
  const file = ending => `${name().replace(/[^\w.-]+/g, '-')}.${ending}`;
  const entry = (label, save) =>
    h(
      'button',
      {
        type: 'button',
        onclick: async () => {
          box.open = false;
          try {
            await save();
          } catch (error) {
            toast(error.message, 'bad');
          }
        },
      },
      label,
    );
  const box = h(
    'details.menu',
    h('summary', { 'aria-label': 'Save' }, icon('save'), h('span', 'Save')),
    h(
      'div',
      entry('Picture as SVG', () => download(file('svg'), new Blob([picture()], { type: 'image/svg+xml' }))),
      entry('Picture as PNG', async () => download(file('png'), await toPng(picture()))),
      entry('Data as CSV', () => download(file('csv'), new Blob([csv()], { type: 'text/csv' }))),
    ),
  );
  box.addEventListener('focusout', e => {
    if (!box.contains(e.relatedTarget)) box.open = false;
  });
  box.addEventListener('keydown', e => {
    if (e.key === 'Escape') {
      box.open = false;
      box.querySelector('summary').focus();
    }
  });
  return box;
}

const text = label => String(label.textContent ?? label);
/**
 * A text as a field of a CSV file. A spreadsheet takes what begins like a formula for one, unless an apostrophe stands before
 * it.
 */
export const quoted = text => {
  const field = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
};

/** A row for each point of each curve that is shown. */
export function toCsv(chart) {
  const { continuous, xLabel, yLabel } = chart.options;
  const rows = [continuous ? ['curve', xLabel, yLabel].join(',') : 'curve,step,value,low,high'];
  for (const { label, curve } of chart.visible)
    curve.x.forEach((x, i) => {
      const values = continuous ? [curve.y[i]] : [curve.y[i], curve.low[i], curve.high[i]];
      rows.push([quoted(text(label)), x, ...values.map(v => v ?? '')].join(','));
    });
  return rows.join('\n') + '\n';
}

/** The picture drawn again from its data, as lines and text. */
export function toSvg(chart) {
  const [width, height, left, top, right] = [960, 560, 76, 52, 20],
    lines = chart.visible,
    paint = chrome();
  const legendRows = Math.ceil(lines.length / 4),
    bottom = 58 + 20 * legendRows;
  const { x: sx, y: sy } = chart.plot.scales;
  const place = (scale, log, value) =>
    log
      ? (Math.log10(value) - Math.log10(scale.min)) / (Math.log10(scale.max) - Math.log10(scale.min))
      : (value - scale.min) / (scale.max - scale.min);
  const px = v => (left + place(sx, chart.xLog, v) * (width - left - right)).toFixed(2);
  const py = v => (height - bottom - place(sy, chart.yLog, v) * (height - top - bottom)).toFixed(2);
  const label = (x, y, words, more = {}) => svg('text', { x, y, fill: paint.muted, 'font-size': 13, ...more }, words);
  const marks = values => labels(values).map((words, i) => [values[i], words]);
  const path = (xs, ys) => {
    let pen = false;
    return xs
      .map((x, i) => {
        const y = ys[i];
        const command = y === null ? '' : `${pen ? 'L' : 'M'}${px(x)} ${py(y)}`;
        pen = y !== null;
        return command;
      })
      .join('');
  };
  const picture = svg(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      'font-family': 'Inter, system-ui, sans-serif',
    },
    svg('rect', { width, height, fill: paint.paper }),
    svg(
      'clipPath',
      { id: 'inside' },
      svg('rect', { x: left, y: top, width: width - left - right, height: height - top - bottom }),
    ),
    label(left, 30, chart.options.title, { fill: paint.ink, 'font-size': 18, 'font-weight': 600 }),
    marks(ticks(sy.min, sy.max, chart.yLog)).map(([v, words]) => [
      svg('line', { x1: left, x2: width - right, y1: py(v), y2: py(v), stroke: paint.grid }),
      label(left - 8, Number(py(v)) + 4, words, { 'text-anchor': 'end' }),
    ]),
    marks(ticks(sx.min, sx.max, chart.xLog, 8)).map(([v, words]) => [
      svg('line', { y1: top, y2: height - bottom, x1: px(v), x2: px(v), stroke: paint.grid }),
      label(px(v), height - bottom + 20, words, { 'text-anchor': 'middle' }),
    ]),
    label((left + width - right) / 2, height - bottom + 42, chart.options.xLabel, { 'text-anchor': 'middle' }),
    label(0, 0, chart.options.yLabel, {
      'text-anchor': 'middle',
      transform: `translate(18 ${(top + height - bottom) / 2}) rotate(-90)`,
    }),
  );
  const inside = svg('g', { 'clip-path': 'url(#inside)', fill: 'none', 'stroke-width': 2, 'stroke-linejoin': 'round' });
  lines.forEach((line, i) => {
    const { x, y, low, high } = chart.values(line),
      stroke = colour(line.index),
      dashes = dash(line.index).join(' ') || null;
    const known = x.map((_, k) => k).filter(k => low[k] !== null && high[k] !== null);
    if (chart.showsBand(line) && known.length > 1)
      inside.append(
        svg('path', {
          fill: faint(stroke, 0.14),
          d: `M${known.map(k => `${px(x[k])} ${py(high[k])}`).join('L')}L${known
            .toReversed()
            .map(k => `${px(x[k])} ${py(low[k])}`)
            .join('L')}Z`,
        }),
      );
    inside.append(svg('path', { stroke, 'stroke-dasharray': dashes, d: path(x, y) }));
    const [lx, ly] = [left + (i % 4) * 215, height - 8 - 20 * (legendRows - 1 - Math.floor(i / 4))];
    picture.append(
      svg('line', { x1: lx, x2: lx + 28, y1: ly - 4, y2: ly - 4, stroke, 'stroke-width': 2.5, 'stroke-dasharray': dashes }),
      label(lx + 36, ly, text(line.label).slice(0, 26), { fill: paint.ink }),
    );
  });
  picture.append(inside);
  return new XMLSerializer().serializeToString(picture);
}

/** A picture in twice as many pixels as it has units. */
async function toPng(picture) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([picture], { type: 'image/svg+xml' }));
  await image.decode();
  const canvas = h('canvas', { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
}
