/** The top of a run's page: what it is called, where it stands, and what can be done with it. */
import { action, confirmed, h, toast } from './dom.js';
import { api, mayChange } from './api.js';
import { ask } from './dialog.js';
import { ago, state } from './format.js';
import { short, typed } from './numbers.js';

export function head(run, me, go, reload, view) {
  return [
    h('div.page-head', h('div', h('h1', run.name), under(run)), h('div.actions', actions(run, me, go, reload, view))),
    run.error && h('p.banner.bad', { role: 'alert' }, h('strong', run.error.code), ': ', run.error.detail),
    run.waitingFor && h('p.banner', `Number ${run.waitingFor.position} in the queue: ${run.waitingFor.reason}`),
    run.notes && h('p.notes', run.notes),
  ];
}

const under = run =>
  h(
    'p.under',
    state(run),
    ' ',
    run.kind,
    ' by ',
    run.owner,
    ', submitted ',
    ago(run.createdAt),
    run.forkedFrom && [', forked from ', h('a', { href: `/runs/${run.forkedFrom}` }, `run ${short(run.forkedFrom)}`)],
    run.batch && [', of ', h('a', { href: `/runs?batch=${run.batch}` }, 'a grid')],
    run.after.length > 0 && [
      ', after ',
      run.after.map((id, i) => [i > 0 && ', ', h('a', { href: `/runs/${id}` }, `run ${short(id)}`)]),
    ],
    run.tags.map(tag => h('a.tag', { href: `/runs?tag=${encodeURIComponent(tag)}` }, tag)),
  );

/** Buttons for what the run's state allows. */
function actions(run, me, go, reload, view) {
  const write = (path, say) => async () => {
    await api.post(`/runs/${run.id}/${path}`);
    toast(say);
    await reload();
  };
  const change = mayChange(run, me);
  const [queued, running] = ['queued', 'running'].map(word => run.state === word);
  return [
    change && run.paused && action('Resume', '', write('resume', 'It goes on.')),
    change &&
      (queued || running) &&
      !run.paused &&
      action('Pause', '', write('pause', queued ? 'Paused.' : 'It pauses at its next resume point.')),
    change &&
      running &&
      !run.paused &&
      action('Let others go first', '', write('yield', 'It goes to the end of the queue at its next resume point.')),
    change &&
      ['failed', 'cancelled'].includes(run.state) &&
      action('Retry', '.primary', async () => {
        await api.post(`/runs/${run.id}/retry`);
        toast('Queued again; it goes on from its resume point.');
        // The event stream of a run that ended is over; the page begins with another.
        await go(`/runs/${run.id}`, true);
      }),
    h('a.button', { href: `/new?from=${run.id}` }, 'Fork'),
    h('a.button', { href: `/compare?runs=${run.id}` }, 'Compare'),
    view.links(run).map(([label, href]) => h('a.button', { href }, label)),
    change && action('Edit', '', () => edit(run, me, reload)),
    change &&
      (queued || running) &&
      !run.cancelRequested &&
      action('Cancel', '.danger', write('cancel', queued ? 'Cancelled.' : 'It stops at its next step.')),
    change && !queued && !running && action('Delete', '.danger', () => remove(run, go)),
  ];
}

async function remove(run, go) {
  if (!(await confirmed(`Delete “${run.name}” with its curves and checkpoints? This cannot be undone.`, 'Delete the run')))
    return;
  await api.delete(`/runs/${run.id}`);
  toast('Deleted.');
  await go('/runs');
}

const edit = (run, me, reload) =>
  ask(
    'Edit the run',
    'Save',
    [
      { name: 'name', label: 'Name', value: run.name, required: true, maxlength: 200 },
      { name: 'tags', label: 'Tags', value: run.tags.join(', '), hint: 'Joined by commas.' },
      { name: 'notes', label: 'Notes', value: run.notes, rows: 4 },
      {
        name: 'priority',
        label: 'Priority',
        value: run.priority,
        inputmode: 'decimal',
        hint: me.scopes.includes('admin') ? '-100 to 100; higher goes first.' : '-100 to 0; higher goes first.',
      },
      {
        name: 'timeLimitSeconds',
        label: 'Time limit in seconds',
        value: run.timeLimitSeconds ?? '',
        inputmode: 'decimal',
        hint: 'Of all attempts together.',
      },
    ],
    async values => {
      await api.patch(`/runs/${run.id}`, {
        name: values.name.trim(),
        tags: values.tags
          .split(',')
          .map(tag => tag.trim())
          .filter(Boolean),
        notes: values.notes,
        ...changed('priority', values.priority, run.priority),
        ...changed('timeLimitSeconds', values.timeLimitSeconds, run.timeLimitSeconds ?? ''),
      });
      await reload();
    },
  );

/** A number that was typed, when it is another one. */
const changed = (name, text, before) => (text === String(before) || text === '' ? {} : { [name]: typed(text) });
