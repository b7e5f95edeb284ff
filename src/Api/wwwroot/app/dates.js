/** Days as date fields give them. */

/** The time at which a day such as 2026-01-31, or one some days later, begins where the browser is; as ISO 8601 in UTC. */
export function dayBegins(day, later = 0) {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
