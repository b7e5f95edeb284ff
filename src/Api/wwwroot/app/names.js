/** Names as people read them: of fields, and of runs beside each other. */
import { short } from './numbers.js';

/** "metaBatch" as "Meta batch". */
export const title = name =>
  name
    .replace(/[A-Z0-9]+/g, ' $&')
    .toLowerCase()
    .replace(/^./, c => c.toUpperCase());

/** Names, told apart by the end of the id where they are the same. */
export const labels = runs =>
  runs.map(run => (runs.filter(other => other.name === run.name).length > 1 ? `${run.name} (${short(run.id)})` : run.name));

/** What all names begin with, to the last whole word; the first name where they have nothing in common. */
export function commonStart(names) {
  let length = names[0].length;
  for (const name of names) while (!name.startsWith(names[0].slice(0, length))) length--;
  if (length === names[0].length) return names[0];
  return names[0].slice(0, length).replace(/\S*$/, '').trim() || names[0];
}
