/**
 * What a page remembers of itself for when somebody comes back to it: the browser keeps it with the entry of its history, so
 * that Back and reloading find it, and a new visit begins anew.
 */

/** What was remembered here. */
export const remembered = () => history.state ?? {};

/** Adds to what is remembered here; the address may change as well. */
export const remember = (part, address) => history.replaceState({ ...history.state, ...part }, '', address);

const keepAfterMs = 150,
  lookForMs = 5000;

/** Keeps how far the page is scrolled, with the entry that it is scrolled in. */
export function keepScroll() {
  history.scrollRestoration = 'manual';
  let timer;
  addEventListener(
    'scroll',
    () => {
      clearTimeout(timer);
      const address = location.href;
      timer = setTimeout(() => address === location.href && remember({ scroll: scrollY }), keepAfterMs);
    },
    { passive: true },
  );
}

/** Scrolls to where the page was left, as soon as it is long enough, unless somebody scrolls before. */
export function restoreScroll(page, wanted, signal) {
  scrollTo(0, wanted);
  if (scrollY >= wanted - 1) return;
  const done = new AbortController();
  const watcher = new ResizeObserver(() => {
    scrollTo(0, wanted);
    if (scrollY >= wanted - 1) done.abort();
  });
  done.signal.addEventListener('abort', () => watcher.disconnect());
  signal.addEventListener('abort', () => done.abort(), { signal: done.signal });
  for (const event of ['wheel', 'touchmove', 'keydown', 'pointerdown'])
    addEventListener(event, () => done.abort(), { passive: true, signal: done.signal });
  setTimeout(() => done.abort(), lookForMs);
  watcher.observe(page);
}
