/** Lines of a run's log, as the API gives them. */

/** Those of one attempt; all where it is 0. */
export const ofAttempt = (lines, attempt) => (attempt ? lines.filter(line => line.attempt === attempt) : lines);

/** A file of them: a time and a text in each line. */
export const asText = lines => lines.map(({ at, text }) => `${at} ${text}\n`).join('');
