import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Curve, indexAt, lone, mostPoints, smooth, ticks, wantedPoints } from '../../src/Api/wwwroot/app/curve.js';

const point = (step, value) => ({ step, value, ...(value === null ? { diverged: true } : {}) });
const bucket = (step, lastStep, min, max, mean, more = {}) => ({
  step,
  lastStep,
  min,
  max,
  mean,
  count: lastStep - step + 1,
  ...more,
});

/** The lists of a curve, for comparison. */
const lists = ({ x, y, low, high, lost }) => ({ x, y, low, high, lost });

describe('Curve.add', () => {
  it('keeps single points as they are', () => {
    const curve = new Curve().add([point(1, 3), point(2, 5)]);
    assert.deepEqual(lists(curve), { x: [1, 2], y: [3, 5], low: [3, 5], high: [3, 5], lost: [0, 0] });
    assert.equal(curve.buckets, false);
    assert.equal(curve.width, 1);
  });

  it('adds what comes later', () => {
    const curve = new Curve()
      .add([point(1, 3)])
      .add([])
      .add([point(2, 5), point(4, 1)]);
    assert.deepEqual(curve.x, [1, 2, 4]);
  });

  it('replaces points of steps that are known already', () => {
    const curve = new Curve().add([point(1, 1), point(2, 2), point(3, 3)]).add([point(2, 20), point(3, 30)]);
    assert.deepEqual(lists(curve), { x: [1, 2, 3], y: [1, 20, 30], low: [1, 20, 30], high: [1, 20, 30], lost: [0, 0, 0] });
    assert.deepEqual(new Curve().add([point(1, 1), point(2, null)]).add([point(1, 7)]).x, [1]);
  });

  it('counts values that are not finite', () => {
    const curve = new Curve().add([point(1, 1), point(2, null), point(3, null)]);
    assert.deepEqual(curve.lost, [0, 1, 1]);
    assert.equal(curve.diverged, 2);
    assert.equal(new Curve().add([bucket(1, 4, 1, 2, 1.5, { diverged: 3 })]).diverged, 3);
    assert.equal(new Curve().diverged, 0);
  });

  it('places a bucket at its last step, between its least and greatest value', () => {
    const curve = new Curve().add([bucket(1, 10, 2, 8, 4), bucket(11, 20, 1, 3, 2)]);
    assert.deepEqual(lists(curve), { x: [10, 20], y: [4, 2], low: [2, 1], high: [8, 3], lost: [0, 0] });
    assert.equal(curve.buckets, true);
    assert.equal(curve.width, 10);
  });

  it('has no buckets where each holds one point', () => {
    const curve = new Curve().add([bucket(1, 1, 2, 2, 2)]);
    assert.equal(curve.buckets, false);
    assert.equal(curve.width, 1);
  });

  it('keeps the widest bucket as its width', () => {
    assert.equal(new Curve().add([bucket(1, 10, 2, 8, 4), bucket(11, 13, 1, 3, 2)]).width, 10);
  });

  it('takes new points into the newest bucket until it is full', () => {
    const curve = new Curve().add([bucket(1, 10, 2, 8, 4), bucket(11, 12, 1, 3, 2)]);
    curve.add([point(13, 5)]);
    assert.deepEqual(lists(curve), { x: [10, 13], y: [4, 3], low: [2, 1], high: [8, 5], lost: [0, 0] });
    curve.add([point(14, 0.5)]);
    assert.deepEqual([curve.y[1], curve.low[1], curve.high[1]], [2.375, 0.5, 5]);
    curve.add([point(20, 2.375)]);
    assert.deepEqual(curve.x, [10, 20]);
    curve.add([point(21, 9)]);
    assert.deepEqual(curve.x, [10, 20, 21]);
    assert.deepEqual([curve.y[2], curve.low[2], curve.high[2]], [9, 9, 9]);
  });

  it('goes on filling a bucket that a single point began', () => {
    const curve = new Curve()
      .add([bucket(1, 10, 2, 8, 4)])
      .add([point(11, 1)])
      .add([point(12, 3)])
      .add([point(13, 5)]);
    assert.deepEqual(
      [curve.x, curve.y, curve.low, curve.high],
      [
        [10, 13],
        [4, 3],
        [2, 1],
        [8, 5],
      ],
    );
  });

  it('leaves the mean alone when a point of a bucket is not finite', () => {
    const curve = new Curve().add([bucket(1, 10, 2, 8, 4), bucket(11, 12, 1, 3, 2)]);
    curve.add([point(13, null)]).add([point(14, 5)]);
    assert.deepEqual([curve.x[1], curve.y[1], curve.lost[1]], [14, 3, 1]);
  });

  it('begins the mean of a bucket with its first finite value', () => {
    const curve = new Curve()
      .add([bucket(1, 10, 2, 8, 4)])
      .add([point(11, null)])
      .add([point(12, 6)]);
    assert.deepEqual([curve.y[1], curve.low[1], curve.high[1], curve.lost[1]], [6, 6, 6, 1]);
  });
});

describe('Curve', () => {
  it('knows its last finite value', () => {
    const curve = new Curve().add([point(1, 4), point(2, 2), point(3, null)]);
    assert.equal(curve.last, 2);
    assert.equal(curve.lastIndex, 1);
    assert.equal(new Curve().last, null);
    assert.equal(new Curve().add([point(1, null)]).last, null);
    assert.equal(new Curve().add([point(1, 0)]).last, 0);
  });

  it('knows its lowest value, that of a bucket included', () => {
    assert.equal(new Curve().lowest, null);
    assert.equal(new Curve().add([point(1, null), point(2, 4), point(3, 2), point(4, 3)]).lowest, 2);
    assert.equal(new Curve().add([bucket(1, 2, -7, 8, 4), point(3, 2)]).lowest, -7);
  });

  it('is summarised to half of the points at which it is read again', () =>
    assert.deepEqual([wantedPoints, mostPoints], [1000, 2000]));
});

describe('indexAt', () => {
  const xs = [2, 4, 6, 8, 10];

  it('finds the entry at or before', () =>
    assert.deepEqual(
      [2, 3.9, 4, 4.1, 8, 9.99, 10, 1000].map(x => indexAt(xs, x)),
      [0, 0, 1, 1, 3, 3, 4, 4],
    ));

  it('is -1 before the first and where there is none', () => {
    assert.equal(indexAt(xs, 1.99), -1);
    assert.equal(indexAt([], 5), -1);
  });

  it('finds the last of equal ones', () => assert.equal(indexAt([1, 1, 1], 1), 2));

  it('agrees with a search from the end', () => {
    const many = Array.from({ length: 37 }, (_, i) => i * 3);
    for (let x = -2; x < 115; x++)
      assert.equal(
        indexAt(many, x),
        many.findLastIndex(v => v <= x),
      );
  });
});

describe('lone', () => {
  it('finds values between gaps', () => {
    assert.deepEqual(lone([1]), [0]);
    assert.deepEqual(lone([1, 2]), []);
    assert.deepEqual(lone([1, null, 2, null, 3, 4]), [0, 2]);
    assert.deepEqual(lone([null, null]), []);
    assert.deepEqual(lone([3, 4, null, 5]), [3]);
    assert.deepEqual(lone([]), []);
  });

  it('skips what the curve does not have', () => {
    assert.deepEqual(lone([1, undefined, 2]), []);
    assert.deepEqual(lone([undefined, 1, undefined]), [1]);
    assert.deepEqual(lone([1, undefined, null, undefined, 2]), [0, 4]);
  });
});

describe('smooth', () => {
  it('is the curve itself with weight 0', () => {
    const values = [1, null, 3];
    assert.equal(smooth(values, 0), values);
  });

  it('weighs each value by how long ago it was', () => {
    assert.deepEqual(smooth([4, 4, 4], 0.9), [4, 4, 4]);
    const [a, b, c] = smooth([1, 3, 5], 0.5);
    assert.equal(a, 1);
    assert.ok(Math.abs(b - 7 / 3) < 1e-12);
    assert.ok(Math.abs(c - 27 / 7) < 1e-12);
  });

  it('leaves gaps and goes on after them', () => {
    const [a, gap, b] = smooth([1, null, 3], 0.5);
    assert.equal(a, 1);
    assert.equal(gap, null);
    assert.ok(Math.abs(b - 7 / 3) < 1e-12);
  });
});

describe('ticks, linear', () => {
  it('are round numbers within the range, about as many as wanted', () => {
    assert.deepEqual(ticks(0, 1, false), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.deepEqual(ticks(0, 6, false), [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(ticks(0, 100, false, 10), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert.deepEqual(ticks(-1, 1, false, 4), [-1, -0.5, 0, 0.5, 1]);
    assert.deepEqual(ticks(0.13, 0.87, false), [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
    assert.deepEqual(ticks(3, 47, false), [5, 10, 15, 20, 25, 30, 35, 40, 45]);
  });

  it('choose steps of 1, 2, 5 and 10', () => {
    const step = rough => ticks(0, 10 * rough, false, 10)[1];
    assert.deepEqual([1, 1.49, 1.5, 3.49, 3.5, 7.49, 7.5, 9.9].map(step), [1, 1, 2, 2, 5, 5, 10, 10]);
    assert.deepEqual([0.1, 0.2, 50].map(step), [0.1, 0.2, 50]);
  });

  it('are one where there is no range', () => {
    assert.deepEqual(ticks(3, 3, false), [3]);
    assert.deepEqual(ticks(3, 2, true), [3]);
  });

  it('end where steps are finer than numbers', () => {
    const marks = ticks(1e16, 1e16 + 4, false);
    assert.ok(marks.length >= 1 && marks.length <= 13);
    assert.equal(new Set(marks).size, marks.length);
  });

  it('do not miss the ends by rounding', () => {
    assert.deepEqual(ticks(0.1, 0.3, false, 2), [0.1, 0.2, 0.3]);
    assert.deepEqual(ticks(-0.3, 0.3, false, 2), [-0.2, 0, 0.2]);
  });
});

describe('ticks, logarithmic', () => {
  it('are powers of ten over many decades', () => assert.deepEqual(ticks(1e-3, 1e3, true), [0.001, 0.01, 0.1, 1, 10, 100, 1000]));
  it('leave powers out over very many decades', () =>
    assert.deepEqual(ticks(1e-12, 1, true), [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 0.01, 1]));
  it('have 1 and 3 over two to three and a half decades', () =>
    assert.deepEqual(ticks(1, 1000, true), [1, 3, 10, 30, 100, 300, 1000]));
  it('have 1, 2 and 5 over one to two decades', () => assert.deepEqual(ticks(1, 100, true), [1, 2, 5, 10, 20, 50, 100]));
  it('have 1, 2, 3, 5 and 7 within a decade', () => assert.deepEqual(ticks(1, 10, true), [1, 2, 3, 5, 7, 10]));
  it('are linear where a logarithm looks straight', () => {
    assert.deepEqual(ticks(1, 2, true), ticks(1, 2, false));
    assert.deepEqual(ticks(10, 22, true), [10, 12, 14, 16, 18, 20, 22]);
    assert.deepEqual(ticks(10, 23, true), [10, 20]);
  });
  it('stay within the range', () => assert.deepEqual(ticks(2.5, 45, true), [5, 10, 20]));
});
