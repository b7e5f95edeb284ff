/** A run as it happens. The browser itself comes back after a lost connection and says how far it got; see src/Api/Runs/RunStreamApi.cs. */

const retrySeconds = 2;

/** Calls the handlers by event name until the run ended or the page is left; connected(false) while the server is away. */
export function follow(id, signal, handlers, connected) {
  let source, timer;
  const open = () => {
    source = new EventSource(`/api/v1/runs/${id}/stream`);
    source.onopen = () => connected(true);
    for (const [name, handle] of Object.entries(handlers)) source.addEventListener(name, event => handle(JSON.parse(event.data)));
    source.addEventListener('end', () => source.close());
    source.onerror = () => {
      connected(false);
      // The browser gives up where the answer is an error, as from a proxy whose server restarts.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, retrySeconds * 1000);
    };
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    source.close();
  });
  open();
}
