/** Kinds of runs: what the catalogue says of each, and the module that shows it, kinds/VIEW.js. */
import { api } from './api.js';
import * as generic from '../kinds/generic.js';

let asked;

/** The catalogue's kinds, asked for once a document. */
export function kinds() {
  asked ??= api.get('/catalogue').then(
    catalogue => catalogue.kinds,
    error => {
      asked = undefined;
      throw error;
    },
  );
  return asked;
}

/** The kind's entry; a run of a kind that the server no longer knows has one that says nothing. */
export const kindOf = async name => (await kinds()).find(kind => kind.name === name) ?? { name, makes: [], reads: [], view: 'generic' };

/** How runs of a kind are shown: its module, and what the generic one does where that says nothing. */
export async function viewOf(name) {
  const { view } = await kindOf(name);
  return { ...generic, ...(await import(`../kinds/${view}.js`)) };
}

/** What kinds do with a stored artifact, as {kind, label, submission}; see use in their views. */
export async function usesOf(artifact) {
  const readers = await readersOf(artifact);
  const views = await Promise.all(readers.map(kind => viewOf(kind.name)));
  return readers.map((kind, i) => ({ kind: kind.name, ...views[i].use })).filter(use => use.submission);
}

/** What a run learns, which models are made of. */
export const learnedOptimizer = 'learned-optimizer';

/** Kinds whose runs store an artifact, and those whose specifications name one. */
export const makersOf = async artifact => (await kinds()).filter(kind => kind.makes.some(made => made.artifact === artifact));
export const readersOf = async artifact => (await kinds()).filter(kind => kind.reads.includes(artifact));
