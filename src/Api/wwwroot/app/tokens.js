/** Tokens of oneself or, for administrators, of somebody: listed, made, revoked. */
import { action, confirmed, copyButton, fill, h, table } from './dom.js';
import { api } from './api.js';
import { attempt, field } from './fields.js';
import { ago } from './format.js';
import { typed } from './numbers.js';

const scopes = { 'runs:read': 'see everything', 'runs:write': 'submit and change runs', admin: 'administer' };

/** A part of a page that lives at an address of the API such as /me/tokens. */
export function tokens(path, possible, signal) {
  const list = h('div'),
    made = h('div', { role: 'status' });
  const refresh = async () => {
    const { items } = await api.get(path, signal);
    fill(
      list,
      table(
        'Tokens',
        ['Name', 'May', 'Made', 'Used', 'Expires', ''],
        items.map(token => [
          h('span', token.name, ' ', token.session && h('span.tag', 'browser')),
          token.scopes.join(', '),
          ago(token.createdAt),
          ago(token.lastUsedAt),
          token.revokedAt ? h('span.muted', 'revoked') : token.expiresAt ? ago(token.expiresAt) : 'never',
          token.revokedAt
            ? ''
            : action('Revoke', '.quiet', async () => {
                if (!(await confirmed(`Revoke “${token.name}”? What uses it stops working at once.`, 'Revoke the token'))) return;
                await api.delete(`${path}/${token.id}`);
                await refresh();
              }),
        ]),
      ),
    );
  };
  const name = field('Name', h('input', { name: 'name', required: true, maxlength: 100 }));
  const days = field('Days until it expires', h('input', { name: 'days', inputmode: 'numeric', placeholder: 'never', size: 10 }));
  const found = new Map([
    ['/name', name],
    ['/expiresInDays', days],
  ]);
  const create = async () => {
    const lifetime = days.input.value.trim();
    const token = await api.post(path, {
      name: name.input.value,
      scopes: possible.filter(scope => form.elements[scope].checked),
      ...(lifetime ? { expiresInDays: typed(lifetime) } : {}),
    });
    fill(
      made,
      h(
        'div.banner',
        h('p', 'Copy the token now and keep it safe: it is not shown again.'),
        h('code.secret', token.token),
        ' ',
        copyButton(() => token.token),
      ),
    );
    form.reset();
    await refresh();
  };
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        attempt(found, create);
      },
    },
    name.element,
    days.element,
    possible.map(scope =>
      h('label.row', { title: scopes[scope] }, h('input', { type: 'checkbox', name: scope, checked: scope !== 'admin' }), scope),
    ),
    h('button', 'Make a token'),
  );
  return { element: [list, h('h3', 'New token'), form, made], refresh };
}
