import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Curve } from '../../src/Api/wwwroot/app/curve.js';
import { banded, chartsOf, contestants } from '../../src/Api/wwwroot/app/series.js';

describe('chartsOf', () => {
  it('has one chart for the first part of the names', () =>
    assert.deepEqual(
      [...chartsOf(['meta-loss', 'validation/final', 'validation/average', 'imitation-loss'])],
      [
        ['meta-loss', ['meta-loss']],
        ['validation', ['validation/final', 'validation/average']],
        ['imitation-loss', ['imitation-loss']],
      ],
    ));
  it('has one chart for all contestants', () =>
    assert.deepEqual(
      [...chartsOf(['adam/mean', 'a/b/p10', 'adam/p90', 'sgd/median', 'adam/means', 'mean'])],
      [
        ['contest', ['adam/mean', 'a/b/p10', 'adam/p90', 'sgd/median']],
        ['adam', ['adam/means']],
        ['mean', ['mean']],
      ],
    ));
  it('has none without series', () => assert.equal(chartsOf([]).size, 0));
});

describe('contestants', () => {
  it('are each once, in order of appearance', () =>
    assert.deepEqual(contestants(['sgd/mean', 'adam/mean', 'sgd/p10', 'a/b/p90', 'meta-loss', 'x/means']), [
      'sgd',
      'adam',
      'a/b',
    ]));
  it('may have an empty name', () => assert.deepEqual(contestants(['/mean']), ['']));
});

describe('banded', () => {
  const curve = (...values) => new Curve().add(values.map((value, i) => ({ step: i + 1, value, diverged: value === null })));
  const stored = {
    'adam/mean': curve(4, 3, null),
    'adam/median': curve(3, 2, 1),
    'adam/p10': curve(1, 1, 0),
    'adam/p90': curve(9, 8, 7),
  };
  const get = name => stored[name];

  it('is the statistic with the band from the 10th to the 90th percentile', () => {
    const { x, y, low, high, diverged } = banded(get, 'adam', 'mean');
    assert.deepEqual({ x, y, low, high }, { x: [1, 2, 3], y: [4, 3, null], low: [1, 1, 0], high: [9, 8, 7] });
    assert.equal(diverged, 1);
    assert.deepEqual(banded(get, 'adam', 'median').y, [3, 2, 1]);
  });
  it('has no band while a percentile is missing or shorter', () => {
    for (const part of ['p10', 'p90'])
      for (const other of [undefined, curve(1, 2)]) {
        const given = { ...stored, [`adam/${part}`]: other };
        assert.equal(
          banded(name => given[name], 'adam', 'mean'),
          stored['adam/mean'],
        );
      }
  });
  it('keeps the width of its buckets', () => {
    const wide = new Curve().add([{ step: 1, lastStep: 10, min: 1, max: 3, mean: 2, count: 10 }]);
    assert.equal(banded(() => wide, 'adam', 'mean').width, 10);
  });
  it('is empty where there is no such series', () => assert.deepEqual(banded(() => undefined, 'adam', 'mean').x, []));
});
