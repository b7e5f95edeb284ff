/** For administrators: everybody, their tokens, workers, and who changed what. */
import { action, fill, h, panel, table, toast } from '../app/dom.js';
import { api } from '../app/api.js';
import { audit } from '../app/audit.js';
import { ago } from '../app/format.js';
import { limits } from '../app/limits.js';
import { tokens } from '../app/tokens.js';
import { workerTable } from '../app/workers.js';

export const title = 'Administration';
const roles = ['admin', 'member', 'viewer'];
const scopesOf = { admin: ['runs:read', 'runs:write', 'admin'], member: ['runs:read', 'runs:write'], viewer: ['runs:read'] };

export async function show(view, { me, query, signal, go }) {
  if (!me.scopes.includes('admin')) {
    fill(view, h('h1', 'Administration'), h('p.empty', 'Only administrators see this.'));
    return;
  }
  const people = h('div'),
    chosen = h('div'),
    crew = h('div'),
    bounds = limits(signal),
    trail = audit(signal);
  const work = async () => fill(crew, workerTable((await api.get('/workers', signal)).items, me, work));
  const refresh = async () => {
    const { items } = await api.get('/users', signal);
    fill(
      people,
      table(
        'Users',
        ['Name', 'Role', 'Weight', 'Joined', 'State', ''],
        items.map(user => [
          user.name,
          h(
            'select',
            { 'aria-label': `Role of ${user.name}`, onchange: event => change(user, { role: event.target.value }) },
            roles.map(role => h('option', { value: role, selected: role === user.role }, role)),
          ),
          h('input', {
            'aria-label': `Weight of ${user.name}`,
            value: user.weight,
            size: 5,
            inputmode: 'decimal',
            onchange: event => change(user, { weight: Number(event.target.value) }),
          }),
          ago(user.createdAt),
          user.disabledAt ? h('span.muted', 'disabled') : 'active',
          h(
            'span.row',
            h('a', { href: `/admin?user=${user.name}` }, 'Tokens'),
            action(user.disabledAt ? 'Enable' : 'Disable', '.quiet', () => change(user, { disabled: !user.disabledAt })),
          ),
        ]),
      ),
    );
    await bounds.refresh(items);
    await trail.refresh();
  };
  const change = async (user, edit) => {
    try {
      await api.patch(`/users/${user.name}`, edit);
    } catch (error) {
      toast([error.message, ...(error.errors ?? []).map(e => e.detail)].join(' '), 'bad');
    }
    await refresh();
  };
  const form = h(
    'form.filters',
    {
      onsubmit: async event => {
        event.preventDefault();
        try {
          const user = await api.post('/users', { name: form.elements.name.value.trim(), role: form.elements.role.value });
          toast(`${user.name} is there now; make a first token.`);
          await go(`/admin?user=${user.name}`);
        } catch (error) {
          toast([error.message, ...(error.errors ?? []).map(e => e.detail)].join(' '), 'bad');
        }
      },
    },
    h('label.field', h('span', 'Name'), h('input', { name: 'name', required: true, maxlength: 40 })),
    h(
      'label.field',
      h('span', 'Role'),
      h(
        'select',
        { name: 'role' },
        roles.map(role => h('option', { value: role, selected: role === 'member' }, role)),
      ),
    ),
    h('button', 'Add a user'),
  );
  fill(
    view,
    h('h1', 'Administration'),
    panel('Users', people, h('h3', 'New user'), form),
    chosen,
    panel('Limits', bounds.element),
    panel('Workers', crew),
    panel('Audit trail', trail.element),
  );
  await Promise.all([refresh(), work()]);
  if (!query.get('user')) return;
  const user = await api.get(`/users/${query.get('user')}`, signal);
  const theirs = tokens(`/users/${user.name}/tokens`, scopesOf[user.role], signal);
  fill(chosen, panel(`Tokens of ${user.name}`, theirs.element));
  await theirs.refresh();
}
