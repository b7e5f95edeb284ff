import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extent, labels, tick, xRange, yRange } from '../../src/Api/wwwroot/app/axis.js';
import { Curve, lone, ticks } from '../../src/Api/wwwroot/app/curve.js';

/** Words at the marks of the axis of values from min to max. */
const marks = (min, max, log) => labels(ticks(...yRange(min, max, log), log));

test('marks of linear axes have words that differ, whatever the size of the values', () => {
  assert.deepEqual(marks(0, 1e34, false), ['0', '2·10³³', '4·10³³', '6·10³³', '8·10³³', '10³⁴']);
  assert.deepEqual(marks(1e-30, 2e-30, false), ['10⁻³⁰', '1.2·10⁻³⁰', '1.4·10⁻³⁰', '1.6·10⁻³⁰', '1.8·10⁻³⁰', '2·10⁻³⁰']);
  assert.deepEqual(marks(-5, 7, false), ['-4', '-2', '0', '2', '4', '6']);
  assert.deepEqual(marks(-1e300, 1e300, false), ['-10³⁰⁰', '-5·10²⁹⁹', '0', '5·10²⁹⁹', '10³⁰⁰']);
  const close = marks(1, 1 + 1e-13, false);
  assert.equal(new Set(close).size, close.length);
  assert.ok(close.length > 2);
});

test('marks of logarithmic axes are powers of ten over many decades, and finer over few', () => {
  assert.deepEqual(marks(1, 1e34, true), ['1', '10⁶', '10¹²', '10¹⁸', '10²⁴', '10³⁰']);
  assert.deepEqual(marks(3e33, 7e34, true), ['5·10³³', '10³⁴', '2·10³⁴', '5·10³⁴']);
  assert.deepEqual(marks(1e-300, 1e300, true), ['10⁻²⁶⁴', '10⁻¹⁷⁶', '10⁻⁸⁸', '1', '10⁸⁸', '10¹⁷⁶', '10²⁶⁴']);
  assert.deepEqual(marks(5, 5, true), ['3', '5', '7']);
});

test('an axis holds all values, and does not go below 0 for values that do not', () => {
  for (const [min, max] of [
    [0, 0],
    [5, 5],
    [0, 1e34],
    [1e-30, 2e-30],
    [-3, -3],
    [-2, 0],
    [0.001, 1e300],
  ]) {
    const [low, high] = yRange(min, max, false);
    assert.ok(low <= min && high >= max && high > low, `${min} to ${max}: ${low} to ${high}`);
    if (min >= 0) assert.ok(low >= 0);
    if (max <= 0 && min < 0) assert.ok(high <= 0);
  }
  assert.deepEqual(xRange(null, null), [0, 1]);
  assert.deepEqual(xRange(3, 9), [3, 9]);
  const [from, to] = xRange(7, 7);
  assert.ok(from < 7 && to > 7);
});

test('the extent leaves out gaps, and on a logarithmic axis what is not above 0', () => {
  assert.deepEqual(
    extent(
      [
        [3, null, -1],
        [undefined, 8],
      ],
      false,
    ),
    [-1, 8],
  );
  assert.deepEqual(
    extent(
      [
        [3, null, -1],
        [undefined, 8],
      ],
      true,
    ),
    [3, 8],
  );
  assert.equal(extent([[null], []], false), null);
  assert.equal(extent([[-1, 0]], true), null);
});

test('the marks of a range below the last digit of its ends come to an end', () => {
  assert.ok(ticks(1e34, 1e34 * (1 + 2e-16), false).length <= 13);
  assert.deepEqual(ticks(5, 5, false), [5]);
});

test('a mark is written with thousands as k and large and small ones as powers', () => {
  assert.deepEqual(
    [0, 250, 12_000, 2e6, -1e7, 0.0005].map(v => tick(v)),
    ['0', '250', '12k', '2·10⁶', '-10⁷', '5·10⁻⁴'],
  );
  assert.equal(tick(null), '');
});

test('a curve knows its last finite value and how many values diverged, also when points come again', () => {
  const curve = new Curve().add([
    { step: 1, value: 4 },
    { step: 2, value: 2 },
    { step: 3, value: null, diverged: true },
  ]);
  assert.deepEqual([curve.lastIndex, curve.last, curve.diverged], [1, 2, 1]);
  curve.add([{ step: 3, value: null, diverged: true }]);
  assert.deepEqual([curve.x, curve.diverged], [[1, 2, 3], 1]);
  const empty = new Curve();
  assert.deepEqual([empty.lastIndex, empty.last, empty.diverged], [-1, null, 0]);
  const buckets = new Curve().add([
    { step: 0, lastStep: 9, min: 1, max: 3, mean: 2, count: 10 },
    { step: 10, lastStep: 11, min: 4, max: 4, mean: 4, count: 1 },
  ]);
  buckets.add([{ step: 12, value: null, diverged: true }]).add([{ step: 13, value: 8 }]);
  assert.deepEqual([buckets.x, buckets.y, buckets.diverged], [[9, 13], [2, 6], 1]);
});

test('values between two gaps are alone; steps that a curve does not have are no gaps', () => {
  assert.deepEqual(lone([1, null, 2, undefined, null, 3, 4]), [0, 2]);
  assert.deepEqual(lone([undefined, 5, undefined]), [1]);
  assert.deepEqual(lone([1, undefined, 2]), []);
});
