/** Lines of equal value over a grid. */

/**
 * Marching squares: pieces of the line where values are equal to the level, as a path of SVG. The values are those of n rows of n
 * points, null where there is none; x and y turn an index, or a place between two, into a coordinate of the picture.
 */
export function isoline(values, n, level, x, y) {
  const pieces = [];
  const cross = (a, b) => (level - a) / (b - a);
  for (let j = 0; j < n - 1; j++)
    for (let i = 0; i < n - 1; i++) {
      const [a, b, c, d] = [values[j * n + i], values[j * n + i + 1], values[(j + 1) * n + i + 1], values[(j + 1) * n + i]];
      if (a === null || b === null || c === null || d === null) continue;
      const ends = [];
      if (a < level !== b < level) ends.push([i + cross(a, b), j]);
      if (b < level !== c < level) ends.push([i + 1, j + cross(b, c)]);
      if (d < level !== c < level) ends.push([i + cross(d, c), j + 1]);
      if (a < level !== d < level) ends.push([i, j + cross(a, d)]);
      for (let e = 0; e + 1 < ends.length; e += 2)
        pieces.push(`M${x(ends[e][0])} ${y(ends[e][1])}L${x(ends[e + 1][0])} ${y(ends[e + 1][1])}`);
    }
  return pieces.join('');
}
