/**
 * A run as it happens. The browser itself comes back after a lost connection and says how far it got; see
 * src/Api/Runs/RunStreamApi.cs.
 */

const retrySeconds = 2;
const kinds = ['state', 'progress', 'point', 'end'];

/**
 * Opens the stream at once, and keeps what comes until somebody listens: listen(handlers by event name, connected) then hears
 * all of it, until the run ended or the page is left; connected(false) is called while the server is away.
 */
export function follow(id, signal) {
  let source,
    timer,
    deliver = null;
  const kept = [];
  const hear = (name, value) => (deliver ? deliver(name, value) : kept.push([name, value]));
  const open = () => {
    source = new EventSource(`/api/v1/runs/${id}/stream`);
    source.onopen = () => hear('connected', true);
    for (const name of kinds) source.addEventListener(name, event => hear(name, JSON.parse(event.data)));
    source.addEventListener('end', () => source.close());
    source.onerror = () => {
      hear('connected', false);
      // The browser gives up where the answer is an error, as from a proxy whose server restarts.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, retrySeconds * 1000);
    };
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    source.close();
  });
  open();
  return {
    listen(handlers, connected) {
      deliver = (name, value) => (name === 'connected' ? connected(value) : handlers[name](value));
      for (const [name, value] of kept.splice(0)) deliver(name, value);
    },
  };
}
