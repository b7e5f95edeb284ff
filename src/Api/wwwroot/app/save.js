/** Saving what a chart shows: SVG and PNG of the picture, CSV of its data. */
import { h, icon, svg } from './dom.js';
import { ticks } from './curve.js';
import { chrome, colour, dash, faint } from './palette.js';
import { tick } from './chart.js';

/** Offers a file to the browser. */
export function download(name, content) {
  const link = h('a', { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveMenu(chart) {
  const name = () => chart.options.name.replace(/[^\w.-]+/g, '-');
  const entry = (label, save) => h('button', {
    type: 'button', onclick: () => { menu.open = false; save(); },
  }, label);
  const menu = h('details.menu', h('summary', { 'aria-label': 'Save' }, icon('save'), h('span', 'Save')), h('div',
    entry('Picture as SVG', () => download(`${name()}.svg`, new Blob([toSvg(chart)], { type: 'image/svg+xml' }))),
    entry('Picture as PNG', () => toPng(chart).then(picture => download(`${name()}.png`, picture))),
    entry('Data as CSV', () => download(`${name()}.csv`, new Blob([toCsv(chart)], { type: 'text/csv' })))));
  menu.addEventListener('focusout', (e) => { if (!menu.contains((e.relatedTarget))) menu.open = false; });
  menu.addEventListener('keydown', (e) => { if (e.key === 'Escape') { menu.open = false; menu.querySelector('summary').focus(); } });
  return menu;
}

const text = (label) => String(label.textContent ?? label);
const quoted = (field) => /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

/** A row for each point of each curve that is shown. */
export function toCsv(chart) {
  const rows = ['curve,step,value,low,high'];
  for (const { label, curve } of chart.visible)
    curve.x.forEach((x, i) => rows.push([quoted(text(label)), x, curve.y[i] ?? '', curve.low[i] ?? '', curve.high[i] ?? ''].join(',')));
  return rows.join('\n') + '\n';
}

/** The picture drawn again from its data, as lines and text. */
export function toSvg(chart) {
  const [width, height, left, top, right] = [960, 560, 76, 52, 20], lines = chart.visible, paint = chrome();
  const legendRows = Math.ceil(lines.length / 4), bottom = 58 + 20 * legendRows;
  const { x: sx, y: sy } = chart.plot.scales;
  const place = (scale, log, value) => log
    ? (Math.log10(value) - Math.log10(scale.min)) / (Math.log10(scale.max) - Math.log10(scale.min)) : (value - scale.min) / (scale.max - scale.min);
  const px = (v) => (left + place(sx, chart.xLog, v) * (width - left - right)).toFixed(2);
  const py = (v) => (height - bottom - place(sy, chart.yLog, v) * (height - top - bottom)).toFixed(2);
  const label = (x, y, words, more = {}) => svg('text', { x, y, fill: paint.muted, 'font-size': 13, ...more }, words);
  const path = (xs, ys) => {
    let pen = false;
    return xs.map((x, i) => {
      const y = ys[i];
      const command = y === null ? '' : `${pen ? 'L' : 'M'}${px(x)} ${py(y)}`;
      pen = y !== null;
      return command;
    }).join('');
  };
  const picture = svg('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, 'font-family': 'Inter, system-ui, sans-serif' },
    svg('rect', { width, height, fill: paint.paper }),
    svg('clipPath', { id: 'inside' }, svg('rect', { x: left, y: top, width: width - left - right, height: height - top - bottom })),
    label(left, 30, chart.options.title, { fill: paint.ink, 'font-size': 18, 'font-weight': 600 }),
    ticks(sy.min, sy.max, chart.yLog).map(v => [      svg('line', { x1: left, x2: width - right, y1: py(v), y2: py(v), stroke: paint.grid }),
      label(left - 8, Number(py(v)) + 4, tick(v), { 'text-anchor': 'end' })]),
    ticks(sx.min, sx.max, chart.xLog, 8).map(v => [      svg('line', { y1: top, y2: height - bottom, x1: px(v), x2: px(v), stroke: paint.grid }),
      label(px(v), height - bottom + 20, tick(v), { 'text-anchor': 'middle' })]),
    label((left + width - right) / 2, height - bottom + 42, chart.options.xLabel, { 'text-anchor': 'middle' }),
    label(0, 0, chart.options.yLabel, { 'text-anchor': 'middle', transform: `translate(18 ${(top + height - bottom) / 2}) rotate(-90)` }));
  const inside = svg('g', { 'clip-path': 'url(#inside)', fill: 'none', 'stroke-width': 2, 'stroke-linejoin': 'round' });
  lines.forEach((line, i) => {
    const { x, y, low, high } = chart.values(line), stroke = colour(line.index), dashes = dash(line.index).join(' ') || null;
    const known = x.map((_, k) => k).filter(k => low[k] !== null && high[k] !== null);
    if (chart.showsBand(line) && known.length > 1)
      inside.append(svg('path', {
        fill: faint(stroke, 0.14), d: `M${known.map(k => `${px(x[k])} ${py(high[k])}`).join('L')}L${known.toReversed().map(k => `${px(x[k])} ${py(low[k])}`).join('L')}Z`,
      }));
    inside.append(svg('path', { stroke, 'stroke-dasharray': dashes, d: path(x, y) }));
    const [lx, ly] = [left + (i % 4) * 215, height - 8 - 20 * (legendRows - 1 - Math.floor(i / 4))];
    picture.append(svg('line', { x1: lx, x2: lx + 28, y1: ly - 4, y2: ly - 4, stroke, 'stroke-width': 2.5, 'stroke-dasharray': dashes }),
      label(lx + 36, ly, text(line.label).slice(0, 26), { fill: paint.ink }));
  });
  picture.append(inside);
  return new XMLSerializer().serializeToString(picture);
}

/** The picture as it is on the screen, with its title and legend. */
function toPng(chart) {
  const plot = chart.plot.ctx.canvas, paint = chrome(), scale = devicePixelRatio || 1, lines = chart.visible;
  const columns = Math.max(1, Math.floor(plot.width / scale / 210)), rows = Math.ceil(lines.length / columns);
  const canvas = h('canvas', { width: plot.width, height: plot.height + (44 + 22 * rows) * scale });
  const pen = canvas.getContext('2d');
  pen.fillStyle = paint.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(plot, 0, 36 * scale);
  pen.scale(scale, scale);
  pen.fillStyle = paint.ink;
  pen.font = '600 16px Inter, system-ui, sans-serif';
  pen.fillText(chart.options.title, 12, 24);
  pen.font = '12px Inter, system-ui, sans-serif';
  lines.forEach((line, i) => {
    const [x, y] = [12 + (i % columns) * 210, plot.height / scale + 52 + 22 * Math.floor(i / columns)];
    pen.strokeStyle = colour(line.index);
    pen.lineWidth = 2.5;
    pen.setLineDash(dash(line.index));
    pen.beginPath();
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 28, y - 4);
    pen.stroke();
    pen.fillText(text(line.label).slice(0, 26), x + 36, y);
  });
  return new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
}
