/** A training: losses over meta-steps, and its checkpoints. */

const titles = { 'meta-loss': 'Meta-loss', 'imitation-loss': 'Imitation loss', validation: 'Validation' };

export const chart = key => ({
  key: key === 'meta-loss' ? '' : `${key}.`,
  title: titles[key] ?? key,
  xLabel: 'meta-step',
  yLabel: 'loss',
  log: true,
  smoothing: true,
  height: key === 'validation' ? 220 : undefined,
});
