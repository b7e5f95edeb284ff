/** Addresses, the bar on the left, signing in and out, light and dark. A page is a module with a title and show(). */
import { api, session } from './api.js';
import { fill, h, icon } from './dom.js';
import { keepScroll, remember, remembered, restoreScroll } from './place.js';
import { route } from './routes.js';

const places = [
  ['/', 'queue', 'Queue'],
  ['/runs', 'runs', 'Runs'],
  ['/new', 'new', 'New run'],
  ['/compare', 'compare', 'Compare'],
  ['/leaderboard', 'leaderboard', 'Leaderboard'],
  ['/trajectory', 'trajectory', 'Trajectory'],
  ['/models', 'models', 'Models'],
  ['/schedules', 'schedules', 'Schedules'],
  ['/account', 'account', 'Account'],
  ['/admin', 'admin', 'Administration'],
];

const page = document.getElementById('page');
const bar = document.getElementById('bar');
let me = null;
let leaving = new AbortController();

/** Goes to an address of ours without loading the document again. */
export function go(address, replace = false) {
  if (!replace) remember({ scroll: scrollY });
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  return show();
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving,
    { pathname, search } = location,
    // Before the empty page scrolls to its top.
    { scroll = 0 } = remembered();
  const { name, ...parts } = route(pathname);
  const parameters = { ...parts, query: new URLSearchParams(search), signal };
  // The module and what it wants to know first come while the server is asked who this is.
  const arriving = import(`../pages/${name}.js`).then(view => ({ view, loaded: view.load?.(parameters) }));
  // Whoever awaits them hears of what goes wrong, and nobody where the page is left before.
  arriving
    .then(({ loaded }) => [loaded, ...Object.values(loaded ?? {})].forEach(part => part?.catch?.(() => {})))
    .catch(() => {});
  try {
    if (name !== 'sign-in') me ??= await api.get('/me');
    if (signal.aborted) return;
    drawBar(pathname);
    const { view, loaded } = await arriving;
    if (signal.aborted) return;
    document.title = `${view.title} – MetaOpt`;
    const place = h('div.view');
    fill(page, place);
    await view.show(place, { ...parameters, loaded, me, go, entered });
    if (signal.aborted) return;
    // Not from somebody who is typing already.
    if (!page.contains(document.activeElement)) page.focus({ preventScroll: true });
    restoreScroll(place, scroll, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 401) return go(`/sign-in?to=${encodeURIComponent(pathname + search)}`, true);
    // After an update of the server the scripts of this document are gone.
    if (error instanceof TypeError && performance.now() > 10_000 && (await isThere())) return location.reload();
    leaving.abort();
    fill(page, failure(error, pathname, search));
  }
}

/** In place of a page whose first request failed: what is wrong, and what can be done. */
function failure(error, pathname, search) {
  document.title = 'Error – MetaOpt';
  return h(
    'div.view',
    h('h1', 'This page cannot be shown'),
    h('p.banner.bad', { role: 'alert' }, error.message),
    error.errors?.length > 0 &&
      h(
        'ul',
        error.errors.map(e => h('li', h('code', e.pointer), ' ', e.detail)),
      ),
    h(
      'div.actions',
      h('button', { type: 'button', onclick: show }, 'Try again'),
      search && h('a.button', { href: pathname }, 'Clear filters'),
    ),
  );
}

const isThere = () =>
  fetch('/', { method: 'HEAD' }).then(
    answer => answer.ok,
    () => false,
  );

/** After signing in: a new document, which names what its view asks for. Read as the browser does: "/\host" would leave. */
const entered = to => {
  const address = URL.canParse(to, location.origin) ? new URL(to, location.origin) : null;
  location.replace(address?.origin === location.origin ? address.href : '/');
};

async function leave() {
  await api.delete('/session').catch(() => {});
  me = null;
  await go('/sign-in');
}

session.lost = () => {
  if (!me) return;
  me = null;
  go(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`, true);
};

function drawBar(path) {
  bar.hidden = !me;
  if (!me) return;
  const link = (href, picture, label) =>
    h(
      'a',
      { href, 'aria-current': path === href || (href === '/runs' && path.startsWith('/runs/')) ? 'page' : null },
      icon(picture),
      h('span', label),
    );
  fill(
    bar,
    h('a.brand', { href: '/' }, h('img', { src: '/icon.svg', alt: '', width: 26, height: 26 }), h('span', 'MetaOpt')),
    h(
      'nav',
      { 'aria-label': 'Pages' },
      places.filter(([path]) => path !== '/admin' || me.scopes.includes('admin')).map(place => link(...place)),
    ),
    h(
      'div.foot',
      h(
        'button.quiet',
        { type: 'button', onclick: turnTheme, title: 'Light, dark or as the system' },
        icon('theme'),
        h('span', themeName()),
      ),
      h('a', { href: '/swagger', 'data-outside': true }, icon('docs'), h('span', 'HTTP API')),
      h('div.who', h('span', { title: me.role }, me.name), h('button.quiet', { type: 'button', onclick: leave }, 'Sign out')),
    ),
  );
  // On narrow screens the bar is longer than the screen.
  bar.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
}

const themes = ['system', 'light', 'dark'];
const theme = () => localStorage.getItem('theme') ?? 'system';
const themeName = () => ({ system: 'System colours', light: 'Light', dark: 'Dark' })[theme()];
const applyTheme = () => {
  document.documentElement.dataset.theme = theme();
};
function turnTheme() {
  localStorage.setItem('theme', themes[(themes.indexOf(theme()) + 1) % themes.length]);
  applyTheme();
  drawBar(location.pathname);
  document.dispatchEvent(new Event('theme'));
}

document.addEventListener('click', event => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.origin !== location.origin || link.hasAttribute('download') || link.dataset.outside !== undefined || link.hash) return;
  event.preventDefault();
  if (link.pathname + link.search !== location.pathname + location.search) go(link.pathname + link.search);
});
addEventListener('popstate', show);
applyTheme();
keepScroll();
show();
