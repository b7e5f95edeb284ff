/** For administrators: everybody, their tokens, workers, and who changed what. */
import { action, confirmed, fill, h, panel, table, toast } from '../app/dom.js';
import { api } from '../app/api.js';
import { audit } from '../app/audit.js';
import { attempt, bare, field } from '../app/fields.js';
import { ago } from '../app/format.js';
import { typed } from '../app/numbers.js';
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
          roleOf(user),
          weightOf(user),
          ago(user.createdAt),
          user.disabledAt ? h('span.muted', 'disabled') : 'active',
          h(
            'span.row',
            h('a', { href: `/admin?user=${encodeURIComponent(user.name)}` }, 'Tokens'),
            action(user.disabledAt ? 'Enable' : 'Disable', '.quiet', () => change(user, { disabled: !user.disabledAt })),
            action('Delete', '.quiet', () => remove(user)),
          ),
        ]),
      ),
    );
    await bounds.refresh(items);
    await trail.refresh();
  };
  const path = user => `/users/${encodeURIComponent(user.name)}`;
  const change = async (user, edit) => {
    await api.patch(path(user), edit);
    await refresh();
  };
  const roleOf = user => {
    const place = bare(
      h(
        'select',
        {
          'aria-label': `Role of ${user.name}`,
          onchange: async () => {
            const role = place.input.value;
            const question = `Change ${user.name} from ${user.role} to ${role}? Scopes: ${scopesOf[role].join(', ')}.`;
            const done =
              (await confirmed(question, 'Change the role', `Keep ${user.role}`)) &&
              (await attempt(new Map([['/role', place]]), () => change(user, { role })));
            if (!done) place.input.value = user.role;
          },
        },
        roles.map(role => h('option', { value: role, selected: role === user.role }, role)),
      ),
    );
    return place.element;
  };
  const weightOf = user => {
    const place = bare(
      h('input', {
        'aria-label': `Weight of ${user.name}`,
        value: user.weight,
        size: 5,
        inputmode: 'decimal',
        onchange: () => attempt(new Map([['/weight', place]]), () => change(user, { weight: typed(place.input.value.trim()) })),
      }),
    );
    return place.element;
  };
  const remove = async user => {
    const question = `Delete ${user.name} with all tokens and limits? `
      + `Runs and models of ${user.name} stay. This cannot be undone.`;
    if (!(await confirmed(question, 'Delete the user', 'Cancel'))) return;
    await api.delete(path(user));
    toast(`User ${user.name} deleted.`);
    if (query.get('user') === user.name) await go('/admin');
    else await refresh();
  };
  const name = field('Name', h('input', { name: 'name', required: true, maxlength: 40 }));
  const role = field(
    'Role',
    h(
      'select',
      { name: 'role' },
      roles.map(word => h('option', { value: word, selected: word === 'member' }, word)),
    ),
  );
  const create = async () => {
    const user = await api.post('/users', { name: name.input.value.trim(), role: role.input.value });
    toast(`User ${user.name} created. Create a token.`);
    await go(`/admin?user=${encodeURIComponent(user.name)}`);
  };
  const form = h(
    'form.filters',
    {
      onsubmit: event => {
        event.preventDefault();
        const found = new Map([
          ['/name', name],
          ['/role', role],
        ]);
        attempt(found, create);
      },
    },
    name.element,
    role.element,
    h('button', 'Add a user'),
  );
  fill(
    view,
    h('h1', 'Administration'),
    panel('Users', people, h('h3', 'New user'), form),
    chosen,
    panel('Limits', bounds.element),
    panel('Workers', crew),
    panel('Background jobs', h('p', h('a', { href: '/hangfire', 'data-outside': true }, 'Recurring jobs, retries and failures'))),
    panel('Audit trail', trail.element),
  );
  await Promise.all([refresh(), work()]);
  if (!query.get('user')) return;
  const user = await api.get(`/users/${encodeURIComponent(query.get('user'))}`, signal);
  const theirs = tokens(`/users/${encodeURIComponent(user.name)}/tokens`, scopesOf[user.role], signal);
  fill(chosen, panel(`Tokens of ${user.name}`, theirs.element));
  await theirs.refresh();
}
