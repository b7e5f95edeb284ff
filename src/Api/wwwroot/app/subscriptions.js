/** The signed-in user's notifications: listed, created, tried, deleted. */
import { action, confirmed, copyButton, fill, h, table, toast } from './dom.js';
import { api } from './api.js';
import { attempt, field } from './fields.js';
import { ago } from './format.js';

const events = {
  'run-ended': 'run succeeded or cancelled',
  'run-failed': 'run failed',
  'run-waits': 'run waits for an hour',
  'worker-offline': 'worker offline',
};

/** A part of the account page. */
export function subscriptions(signal) {
  const list = h('div'),
    made = h('div', { role: 'status' }),
    sent = h('div');
  const refresh = async () => {
    const { items } = await api.get('/subscriptions', signal);
    fill(
      list,
      items.length === 0
        ? h('p.empty', 'No notifications yet. Create one below.')
        : table(
            'Notifications',
            ['Address', 'Events', 'Runs', 'Created', ''],
            items.map(item => [
              h('code', item.address),
              item.events.map(event => events[event] ?? event).join(', '),
              item.tag ? ['with tag ', h('span.tag', item.tag)] : 'my own',
              ago(item.createdAt),
              h(
                'span.row.wrap',
                action('Send a test', '.quiet', async () => {
                  await api.post(`/subscriptions/${item.id}/test`);
                  toast('A test is on its way.');
                }),
                action('Deliveries', '.quiet', () => show(item)),
                action(item.enabled ? 'Disable' : 'Enable', '.quiet', async () => {
                  await api.patch(`/subscriptions/${item.id}`, { enabled: !item.enabled });
                  await refresh();
                }),
                action('Delete', '.quiet', async () => {
                  if (!(await confirmed(`Delete the notifications to ${item.address}?`, 'Delete'))) return;
                  await api.delete(`/subscriptions/${item.id}`);
                  await refresh();
                }),
              ),
            ]),
          ),
    );
  };
  const show = async item => {
    const { items } = await api.get(`/subscriptions/${item.id}/deliveries`, signal);
    fill(
      sent,
      h('h3', `Sent to ${item.address}`),
      items.length === 0
        ? h('p.empty', 'Nothing was sent yet.')
        : table(
            'Deliveries',
            ['When', 'Event', 'About', 'State', 'Attempts', 'Answer'],
            items.map(one => [
              ago(one.createdAt),
              one.event,
              one.payload.run ? h('a', { href: `/runs/${one.payload.run}` }, one.payload.name) : (one.payload.worker ?? '–'),
              one.state,
              String(one.attempts),
              one.outcome ?? '–',
            ]),
          ),
    );
  };
  const address = field(
    'Address',
    h('input', { name: 'address', required: true, maxlength: 500, size: 40, placeholder: 'https://… or mailto:…' }),
  );
  const tag = field('Only runs with the tag', h('input', { name: 'tag', maxlength: 60, placeholder: 'my own runs', size: 16 }));
  const found = new Map([
    ['/address', address],
    ['/tag', tag],
  ]);
  const create = async () => {
    const wanted = Object.keys(events).filter(event => form.elements[event].checked);
    const item = await api.post('/subscriptions', {
      address: address.input.value.trim(),
      events: wanted,
      ...(tag.input.value.trim() ? { tag: tag.input.value.trim() } : {}),
    });
    fill(
      made,
      item.address.startsWith('http') &&
        h(
          'div.banner',
          h('p', 'Webhooks are signed with this secret (base64url). It is not shown again.'),
          h('code.secret', item.secret),
          ' ',
          copyButton(() => item.secret),
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
    address.element,
    tag.element,
    Object.entries(events).map(([event, words]) =>
      h('label.row', h('input', { type: 'checkbox', name: event, checked: event === 'run-failed' }), words),
    ),
    h('button', 'Create'),
  );
  return { element: [list, sent, h('h3', 'New notification'), form, made], refresh };
}
