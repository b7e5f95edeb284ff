/** Values of a grid's fields as somebody types them. */

/** Runs that a grid has at most. */
export const most = 500;

/** Number of combinations of the axes' values. */
export const runsOf = axes => axes.reduce((product, axis) => product * axis.values.length, 1);

/** "1..3, 10, adam" as [1, 2, 3, 10, "adam"]. */
export function valuesOf(text) {
  return parts(text).flatMap(part => {
    const range = /^(-?\d+)\.\.(-?\d+)$/.exec(part)?.slice(1).map(Number);
    if (range && range[1] >= range[0] && range[1] - range[0] < most)
      return Array.from({ length: range[1] - range[0] + 1 }, (_, i) => range[0] + i);
    try {
      return [JSON.parse(part)];
    } catch {
      return [part];
    }
  });
}

/** At the commas that are not within brackets: a value may be a list such as [20, 20], or an object. */
function parts(text) {
  let depth = 0;
  const found = [''];
  for (const c of text) {
    if ('[{'.includes(c)) depth++;
    else if (']}'.includes(c)) depth--;
    if (c === ',' && depth <= 0) found.push('');
    else found[found.length - 1] += c;
  }
  return found.map(part => part.trim()).filter(Boolean);
}
