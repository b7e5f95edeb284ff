/** What is below a run's curves: result, timeline, checkpoints, log and specification. */
import { fill, h, panel, toast } from './dom.js';
import { api, mayChange } from './api.js';
import { kindOf, readersOf, usesOf, viewOf } from './kinds.js';
import { Log } from './log.js';
import { attempts, checkpoints, specification, timeline } from './run-parts.js';
import { result } from './result.js';

export class Below {
  constructor(place, id, me, signal) {
    Object.assign(this, { id, me, signal, log: new Log(id, signal) });
    [this.result, this.timeline, this.checkpoints, this.spec] = Array.from({ length: 4 }, () => h('div'));
    fill(place, this.result, this.timeline, this.checkpoints, this.log.element, this.spec);
  }

  async draw(run) {
    fill(this.timeline, panel('Timeline', timeline(run), attempts(run)));
    fill(this.result, run.result ? result(run, await viewOf(run.kind)) : null);
    if (!this.drawn) this.drawSpecification(run).catch(error => this.signal.aborted || toast(error.message, 'bad'));
    const following = this.log.follow(run);
    await this.drawCheckpoints(run);
    await following;
  }

  async drawCheckpoints(run) {
    const kind = await kindOf(run.kind);
    if (kind.makes.length === 0) return;
    const [stored, models] = await Promise.all([
      api.get(`/runs/${this.id}/checkpoints`, this.signal),
      api.get('/models', this.signal),
    ]);
    // Some kinds make one only when they are asked to.
    if (stored.items.length === 0 && !kind.makes.some(made => made.checkpoint === 'final')) return;
    const artifact = item => kind.makes.find(made => made.checkpoint === item.name)?.artifact;
    const offers = new Map(
      await Promise.all(
        stored.items.map(async item => [
          item.id,
          {
            uses: run.state === 'succeeded' ? await usesOf(artifact(item)) : [],
            starts: Boolean(kind.start) && kind.reads.includes(artifact(item)),
            promotes: run.state === 'succeeded' && mayChange(run, this.me) && (await readersOf(artifact(item))).length > 0,
          },
        ]),
      ),
    );
    const again = () => this.drawCheckpoints(run);
    fill(this.checkpoints, panel('Checkpoints', checkpoints(stored.items, models.items, run, offers, again)));
  }

  /** Once: it does not change. What it is compared with comes later. */
  async drawSpecification(run) {
    this.drawn = true;
    fill(this.spec, specification(run));
    const { nearest } = await api.get(`/runs/${this.id}/preset`, this.signal);
    if (nearest) fill(this.spec, specification(run, nearest));
  }
}
