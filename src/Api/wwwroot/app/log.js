/** What the attempts at a run said; new lines come as they are said. */
import { fill, h, icon, panel } from './dom.js';
import { api } from './api.js';
import { asText, ofAttempt } from './log-lines.js';
import { download } from './save.js';

const everyMs = 2000;

export class Log {
  constructor(id, signal) {
    Object.assign(this, { id, signal, last: 0, live: false, attempt: 0, lines: [] });
    this.list = h('div.log', { role: 'log', tabindex: 0, 'aria-label': 'Log' });
    this.empty = h('p.empty');
    this.choice = h('select', { 'aria-label': 'Attempt', onchange: () => this.choose(), hidden: true });
    this.save = h(
      'button.toggle.row',
      {
        type: 'button',
        hidden: true,
        onclick: () => download(`${id}.log`, new Blob([asText(this.lines)], { type: 'text/plain' })),
      },
      icon('save'),
      'Save',
    );
    this.element = panel([h('h2', 'Log'), h('div.tools', this.choice, this.save)], this.list, this.empty);
    signal.addEventListener('abort', () => clearTimeout(this.timer));
  }

  /** Reads what is new, and goes on with it until the run is over. */
  async follow(run) {
    this.live = !run.finishedAt;
    this.choice.hidden = run.attempt < 2;
    if (this.choice.length !== run.attempt + 1)
      fill(
        this.choice,
        ['', ...Array(run.attempt).keys()].map(n =>
          h('option', { value: n === '' ? '' : n + 1 }, n === '' ? 'All attempts' : `Attempt ${n + 1}`),
        ),
      );
    fill(this.empty, run.state === 'queued' ? 'It says something when a worker has it.' : 'It has said nothing.');
    await this.read();
  }

  async read() {
    this.wanted = true;
    if (this.reading) return;
    this.reading = true;
    clearTimeout(this.timer);
    try {
      while (this.wanted && !document.hidden) {
        this.wanted = false;
        const answer = await api.get(`/runs/${this.id}/logs?after=${this.last}&limit=5000`, this.signal);
        this.last = answer.last;
        this.add(answer.items);
      }
    } catch {
      // The page says that the server is away; what was said meanwhile is read later.
    } finally {
      this.reading = false;
    }
    if (this.live && !this.signal.aborted) this.timer = setTimeout(() => this.read(), everyMs);
  }

  add(items) {
    this.lines.push(...items);
    const shown = ofAttempt(items, this.attempt);
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    this.list.append(
      ...shown.map(line =>
        h(
          'p',
          h('time', { datetime: line.at, title: new Date(line.at).toLocaleString() }, clock.format(new Date(line.at))),
          line.text,
        ),
      ),
    );
    this.list.hidden = this.list.childElementCount === 0;
    this.save.hidden = this.lines.length === 0;
    this.empty.hidden = !this.list.hidden;
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  choose() {
    this.attempt = Number(this.choice.value);
    const all = this.lines.splice(0);
    fill(this.list);
    this.add(all);
  }
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
