/**
 * A run as it happens; see src/Api/Runs/RunStreamApi.cs. Over HTTP/1.1 a browser opens at most six connections to a server, for
 * all of its tabs together, and an open stream keeps one. So only a few tabs hold a stream; each other one asks every two
 * seconds for what is new, and takes a stream over when its tab closes, signs out or sees the end of its run.
 */
import { api } from './api.js';

const retrySeconds = 2;
const kinds = ['state', 'progress', 'point', 'end'];
const mostStreams = 3;
// Of an address; the server reads a request line of 8 KiB. A longer id is left out: the curves come anew.
const longestId = 4000;

/**
 * Opens the stream at once, and keeps what comes until somebody listens: listen(handlers by event name, connected) then hears
 * all of it, until the run ended or the page is left; connected(false) is called while the server is away.
 */
export function follow(id, signal) {
  let source,
    timer,
    holds = false,
    lastEventId = '',
    deliver = null;
  const kept = [];
  const hear = (name, value) => (deliver ? deliver(name, value) : kept.push([name, value]));
  const over = new AbortController();
  over.signal.addEventListener('abort', () => {
    clearTimeout(timer);
    source?.close();
  });
  signal.addEventListener('abort', () => over.abort());

  const open = async () => {
    holds ||= await takeStream(over.signal);
    if (over.signal.aborted) return;
    const query = new URLSearchParams({
      ...(lastEventId.length < longestId && { lastEventId }),
      ...(!holds && { once: 'true' }),
    });
    source = new EventSource(`/api/v1/runs/${id}/stream?${query}`);
    let answered = false;
    source.onopen = () => {
      answered = true;
      hear('connected', true);
    };
    for (const name of kinds)
      source.addEventListener(name, event => {
        lastEventId = event.lastEventId;
        hear(name, JSON.parse(event.data));
      });
    source.addEventListener('end', () => over.abort());
    source.onerror = () => {
      // An answer to "once" ends when everything new was sent.
      if (holds || !answered) hear('connected', false);
      // The browser itself reconnects a stream, but not after an answer that is an error, as from a proxy whose server restarts.
      if (holds && source.readyState !== EventSource.CLOSED) return;
      source.close();
      // Leads to the page for signing in where that is the reason; a stream does not say it.
      if (!answered) api.get('/me', over.signal).catch(() => {});
      timer = setTimeout(open, retrySeconds * 1000);
    };
  };
  open();
  return {
    listen(handlers, connected) {
      deliver = (name, value) => (name === 'connected' ? connected(value) : handlers[name](value));
      for (const [name, value] of kept.splice(0)) deliver(name, value);
    },
  };
}

/**
 * Whether this tab may hold a stream until the signal ends. The browser gives a lock back when its tab closes or crashes. It
 * has no locks for pages over plain HTTP from another machine: there every tab asks again and again.
 */
async function takeStream(signal) {
  for (let n = 1; n <= mostStreams && navigator.locks && !signal.aborted; n++)
    if (await takeLock(`stream ${n}`, signal)) return true;
  return false;
}

const takeLock = (name, signal) =>
  new Promise(taken => {
    navigator.locks
      .request(name, { ifAvailable: true }, lock => {
        taken(lock !== null);
        return lock && !signal.aborted && new Promise(free => signal.addEventListener('abort', free));
      })
      .catch(() => taken(false));
  });
