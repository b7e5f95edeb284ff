/** JSON merge patches (RFC 7396). */

/** What leads from one document to another, as a JSON merge patch: what is gone is null, which stands for the default. */
export function mergePatch(before, after) {
  const isObject = value => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isObject(before) || !isObject(after) || (after.type !== undefined && before.type !== after.type)) return after;
  const patch = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (after[key] === undefined) {
      if (before[key] !== null) patch[key] = null;
    } else if (JSON.stringify(before[key]) !== JSON.stringify(after[key])) patch[key] = mergePatch(before[key], after[key]);
  }
  return patch;
}
