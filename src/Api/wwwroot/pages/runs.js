/** Every run, newest first, with filters that are in the address; chosen ones can be compared. */
import { fill, h, table } from '../app/dom.js';
import { api, poll } from '../app/api.js';
import { ago, progress, runId, runLink, state } from '../app/format.js';
import { kinds } from '../app/kinds.js';
import { duration, secondsBetween } from '../app/numbers.js';
import { remember, remembered } from '../app/place.js';

export const title = 'Runs';
const filters = ['id', 'state', 'kind', 'owner', 'tag', 'batch'];
const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
const mostCompared = 8;
const pageSize = 50,
  largestPage = 200;

export const load = () => kinds();

export async function show(view, { signal, query, go, loaded }) {
  const chosen = new Set(remembered().chosen);
  const list = h('div');
  const compare = h(
    'button.primary',
    { type: 'button', disabled: true, onclick: () => go(`/compare?runs=${[...chosen].join(',')}`) },
    'Compare',
  );
  const more = h(
    'button',
    {
      type: 'button',
      hidden: true,
      onclick: () => {
        remember({ pages: ++pages });
        refresh();
      },
    },
    'Show more',
  );
  let pages = remembered().pages ?? 1;
  const choose = (run, on) => {
    chosen[on ? 'add' : 'delete'](run.id);
    remember({ chosen: [...chosen] });
    drawChosen();
  };
  const drawChosen = () => {
    compare.disabled = chosen.size < 2 || chosen.size > mostCompared;
    fill(compare, chosen.size > mostCompared ? `At most ${mostCompared}` : chosen.size ? `Compare ${chosen.size}` : 'Compare');
  };
  const apply = () => {
    const next = new URLSearchParams(filters.map(name => [name, form.elements[name]?.value.trim()]).filter(([, value]) => value));
    go(`/runs${next.size ? `?${next}` : ''}`);
  };
  const field = (name, control) => h('label.field', h('span', name), control);
  const pick = (name, words) =>
    h(
      'select',
      { name, onchange: apply },
      h('option', { value: '' }, 'any'),
      words.map(word => h('option', { value: word, selected: query.get(name) === word }, word)),
    );
  const type = name => h('input', { name, value: query.get(name) ?? '', onchange: apply, size: 12 });
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        apply();
      },
    },
    field('State', pick('state', states)),
    field(
      'Kind',
      pick(
        'kind',
        (await loaded).map(kind => kind.name),
      ),
    ),
    field('Id', type('id')),
    field('By', type('owner')),
    field('Tag', type('tag')),
    query.get('batch') && field('Grid', type('batch')),
  );
  fill(
    view,
    h('div.page-head', h('h1', 'Runs'), h('div.actions', compare, h('a.button', { href: '/new' }, 'New run'))),
    form,
    list,
    more,
  );

  drawChosen();
  const refresh = async () => {
    const items = [];
    let cursor = null;
    const wanted = pages * pageSize;
    do {
      const limit = String(Math.min(largestPage, wanted - items.length));
      const part = new URLSearchParams(
        [...query, ['limit', limit], ...(cursor ? [['cursor', cursor]] : [])].filter(([name]) =>
          [...filters, 'limit', 'cursor'].includes(name),
        ),
      );
      const answer = await api.get(`/runs?${part}`, signal);
      items.push(...answer.items);
      cursor = answer.nextCursor;
    } while (cursor && items.length < wanted);
    more.hidden = !cursor;
    if (list.contains(document.activeElement) && pages === 1 && list.dataset.seen === JSON.stringify(items)) return;
    list.dataset.seen = JSON.stringify(items);
    const focus = document.activeElement?.id;
    fill(
      list,
      table(
        'Runs',
        ['', 'Run', 'Id', 'State', 'Kind', 'By', 'Tags', 'Progress', 'Took', 'Submitted'],
        items.map(run => [
          h('input', {
            type: 'checkbox',
            id: `choose-${run.id}`,
            'aria-label': `Compare ${run.name}`,
            checked: chosen.has(run.id),
            onchange: event => choose(run, event.target.checked),
          }),
          runLink(run),
          runId(run),
          state(run),
          run.kind,
          run.owner,
          run.tags.map(tag => h('a.tag', { href: `/runs?tag=${encodeURIComponent(tag)}` }, tag)),
          run.state === 'queued' ? '–' : progress(run),
          run.startedAt ? duration(secondsBetween(run.startedAt, run.finishedAt)) : '–',
          ago(run.createdAt),
        ]),
        ['No runs match these filters. ', query.size > 0 && h('a', { href: '/runs' }, 'Clear filters')],
      ),
    );
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  };
  await poll(4, signal, refresh);
}
