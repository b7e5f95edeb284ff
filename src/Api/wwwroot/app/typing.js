/** What somebody typed into a field, as the JSON of its type. */
import { typed } from './numbers.js';

/** What somebody typed as a list, without empty entries; none where nothing is left. */
export function listed(type, text) {
  const parts = text.split(',').map(part => part.trim());
  const entries = parts.filter(Boolean).map(part => parsed(type, part));
  return entries.length ? entries : undefined;
}

/** What somebody typed as JSON. */
export function parsed(type, text) {
  if (type === 'boolean') return text === 'true';
  return type === 'integer' || type === 'number' ? typed(text) : text;
}
