/** The waiting runs of the queue: those of a grid folded into one row, and no more rows than one reads. */
import { action, confirmed, fill, h, table, toast } from './dom.js';
import { api, mayChange, Problem } from './api.js';
import { ago, runId, runLink } from './format.js';
import { count } from './numbers.js';
import { commonStart } from './names.js';
import { remember, remembered } from './place.js';

/** Waiting runs of one grid that the queue lists; the others are counted. */
export const perBatch = 20;
const pageSize = 25,
  retryMs = 1000;

export class Waiting {
  constructor(me, signal) {
    Object.assign(this, { me, signal, cancelling: new Set() });
    const { rows = pageSize, opened = [] } = remembered();
    this.rows = rows;
    this.opened = new Set(opened);
    this.element = h('div');
  }

  /** Draws the answer of /queue. */
  draw(queue) {
    this.queue = queue;
    const waiting = queue.items.filter(run => run.state === 'queued');
    const entries = this.folded(waiting);
    const rows = entries.slice(0, this.rows).flatMap(entry => (entry.runs ? this.gridRows(entry) : [this.runRow(entry)]));
    const hidden = entries.length - Math.min(entries.length, this.rows);
    const unlisted = queue.waiting - entries.reduce((sum, entry) => sum + (entry.waiting ?? 1), 0);
    fill(
      this.element,
      table('Waiting runs', ['#', 'Run', 'Id', 'By', 'Priority', 'Pool', 'Why it waits', 'Start', ''], rows, 'Nothing waits.'),
      hidden > 0 && h('button', { type: 'button', onclick: () => this.showMore() }, `Show more (${count(hidden)})`),
      unlisted > 0 &&
        hidden === 0 &&
        h(
          'p.small.muted',
          `${count(unlisted)} more wait behind these: `,
          h('a', { href: '/runs?state=queued' }, 'all waiting runs'),
          '.',
        ),
    );
  }

  showMore() {
    this.rows += pageSize;
    remember({ rows: this.rows });
    this.draw(this.queue);
  }

  /** Runs, and in the place of the first of several of a grid {batch, waiting, runs}. */
  folded(runs) {
    const counts = new Map(this.queue.batches.map(batch => [batch.id, batch.waiting]));
    const grids = new Map();
    const entries = [];
    for (const run of runs) {
      if (!(counts.get(run.batch) > 1)) entries.push(run);
      else if (grids.has(run.batch)) grids.get(run.batch).runs.push(run);
      else {
        grids.set(run.batch, { batch: run.batch, waiting: counts.get(run.batch), runs: [run] });
        entries.push(grids.get(run.batch));
      }
    }
    return entries;
  }

  runRow(run) {
    return [
      ...this.cells(run, runLink(run), runId(run)),
      mayChange(run, this.me) ? action('Cancel', '.quiet', () => this.cancel([run.id])) : '',
    ];
  }

  cells(run, name, id) {
    return [
      run.waitingFor?.position ?? '–',
      name,
      id,
      run.owner,
      run.priority,
      run.pool,
      h('span.reason', run.waitingFor?.reason ?? '–'),
      run.estimatedStart ? ago(run.estimatedStart) : '–',
    ];
  }

  gridRows({ batch, waiting, runs }) {
    const name = commonStart(runs.map(run => run.name)),
      open = this.opened.has(batch),
      busy = this.cancelling.has(batch);
    const toggle = h(
      'button.quiet.fold',
      { type: 'button', 'aria-expanded': String(open), onclick: () => this.toggle(batch) },
      h('span.name', name),
      h('span.tag', `${count(waiting)} runs`),
    );
    const cancel = () => this.cancelGrid(batch, name, waiting);
    const head = [
      ...this.cells(runs[0], toggle, ''),
      mayChange(runs[0], this.me)
        ? h('button.quiet', { type: 'button', disabled: busy, onclick: cancel }, busy ? 'Cancelling …' : 'Cancel all')
        : '',
    ];
    if (!open) return [head];
    const rest = waiting - runs.length;
    const all = h('a', { href: `/runs?batch=${batch}&state=queued` }, `${count(rest)} more runs of the grid`);
    return [head, ...runs.map(run => this.runRow(run)), ...(rest > 0 ? [['', all, '', '', '', '', '', '', '']] : [])];
  }

  toggle(batch) {
    if (!this.opened.delete(batch)) this.opened.add(batch);
    remember({ opened: [...this.opened] });
    this.draw(this.queue);
  }

  async cancelGrid(batch, name, waiting) {
    const running = this.queue.items.filter(run => run.batch === batch && run.state === 'running').length;
    const what = `${count(waiting)} waiting${running ? ` and ${count(running)} running` : ''} runs`;
    if (!(await confirmed(`Cancel the ${what} of the grid “${name}”?`, 'Cancel them'))) return;
    this.cancelling.add(batch);
    this.draw(this.queue);
    try {
      // Waiting ones first, so that none starts meanwhile.
      const ids = [...(await this.idsOf(batch, 'queued')), ...(await this.idsOf(batch, 'running'))];
      await this.cancel(ids);
      toast(`${count(ids.length)} runs cancelled.`);
    } catch (error) {
      if (!this.signal.aborted) toast(error.message, 'bad');
    } finally {
      this.cancelling.delete(batch);
    }
  }

  async idsOf(batch, state) {
    const ids = [];
    let cursor = null;
    do {
      const query = new URLSearchParams({ batch, state, limit: 200, ...(cursor && { cursor }) });
      const page = await api.get(`/runs?${query}`, this.signal);
      ids.push(...page.items.map(run => run.id));
      cursor = page.nextCursor;
    } while (cursor);
    return ids;
  }

  /** One after the other, and slower where the server wants that. */
  async cancel(ids) {
    for (const id of ids)
      while (!this.signal.aborted)
        try {
          await api.post(`/runs/${id}/cancel`, undefined, this.signal);
          break;
        } catch (error) {
          if (!(error instanceof Problem && error.status === 429)) throw error;
          await new Promise(resolve => setTimeout(resolve, retryMs));
        }
  }
}
