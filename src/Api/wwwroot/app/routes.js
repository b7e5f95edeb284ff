/** Which page an address shows. */

const pages = [
  [/^\/$/, 'queue'],
  [/^\/runs$/, 'runs'],
  [/^\/runs\/(?<id>[0-9a-f-]{36})$/, 'run'],
  [/^\/runs\/(?<end>[0-9a-f-]{4,35})$/i, 'find'],
  [/^\/compare$/, 'compare'],
  [/^\/leaderboard$/, 'leaderboard'],
  [/^\/trajectory$/, 'trajectory'],
  [/^\/models$/, 'models'],
  [/^\/schedules$/, 'schedules'],
  [/^\/new$/, 'new'],
  [/^\/account$/, 'account'],
  [/^\/admin$/, 'admin'],
  [/^\/sign-in$/, 'sign-in'],
];

/** Name of the page's module, and the parts of the address that it takes: the id of a run, or the end of one. */
export function route(pathname) {
  for (const [pattern, name] of pages) {
    const found = pattern.exec(pathname);
    if (found) return { ...found.groups, name };
  }
  return { name: 'missing' };
}
