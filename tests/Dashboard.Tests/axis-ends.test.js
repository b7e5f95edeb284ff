import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { extent, labels, tick, xRange, yRange } from '../../src/Api/wwwroot/app/axis.js';

const near = (actual, wanted) =>
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - wanted[i]) <= 1e-9 * Math.max(1, Math.abs(wanted[i])), `${actual} is not ${wanted}`),
  );

describe('xRange', () => {
  it('is what the values span', () => assert.deepEqual(xRange(2, 9), [2, 9]));
  it('has room around a single value', () => {
    near(xRange(10, 10), [9, 11]);
    assert.deepEqual(xRange(0, 0), [0, 1]);
  });
  it('is something where there is nothing', () => {
    assert.deepEqual(xRange(null, null), [0, 1]);
    assert.deepEqual(xRange(undefined, undefined), [0, 1]);
  });
});

describe('yRange, linear', () => {
  it('has 6 % of room', () => {
    near(yRange(10, 20, false), [9.4, 20.6]);
    near(yRange(-20, -10, false), [-20.6, -9.4]);
    near(yRange(-10, 10, false), [-11.2, 11.2]);
  });

  it('does not cross 0 for values of one sign', () => {
    near(yRange(0, 10, false), [0, 10.6]);
    near(yRange(0.1, 10, false), [0, 10.594]);
    near(yRange(-10, 0, false), [-10.6, 0]);
    near(yRange(-10, -0.1, false), [-10.594, 0]);
  });

  it('has room around a single value', () => {
    near(yRange(4, 4, false), [2, 6]);
    near(yRange(-4, -4, false), [-6, -2]);
    near(yRange(0, 0, false), [0, 0.5]);
  });

  it('has marks that differ where values hardly do', () => {
    const [low, high] = yRange(1, 1 + 1e-15, false);
    assert.ok(low < 1 && high > 1);
    assert.ok(Math.abs((high - low) / 1.2e-10 - 1) < 1e-3);
  });

  it('is as wide as its larger end needs', () => {
    const [low, high] = yRange(1, 1e-12 + 1, false);
    assert.ok(low < 1 && high > 1);
    near([yRange(-1, 0.5, false)[0]], [-1.09]);
  });

  it('stays finite', () => {
    const [low, high] = yRange(-1.7e308, 1.7e308, false);
    assert.deepEqual([low, high], [-1e307, 1e307]);
  });
});

describe('yRange, logarithmic', () => {
  it('has 4 % of the decades as room', () => near(yRange(1e-2, 1e2, true), [10 ** -2.16, 10 ** 2.16]));
  it('has half a decade at least', () => {
    const [low, high] = yRange(1, 1, true);
    near([high / low], [3]);
    near([low * high], [1]);
    near([yRange(1, 2, true)[1] / yRange(1, 2, true)[0]], [3]);
  });
  it('has 6 % of room at least', () => near(yRange(1, 4, true), [1 / 1.06, 4.24]));
  it('stays within what a number can be', () => {
    assert.equal(yRange(5e-324, 1, true)[0], 1e-307);
    assert.equal(yRange(1, 1.7e308, true)[1], 1e307);
  });
});

describe('extent', () => {
  it('is the least and the greatest value of all lists', () => {
    assert.deepEqual(
      extent(
        [
          [3, 1],
          [2, 9],
        ],
        false,
      ),
      [1, 9],
    );
    assert.deepEqual(extent([[5]], false), [5, 5]);
    assert.deepEqual(extent([[-3, null, undefined, 0]], false), [-3, 0]);
  });
  it('has no value that a logarithm cannot show', () => {
    assert.deepEqual(extent([[-3, 0, 2, 8]], true), [2, 8]);
    assert.equal(extent([[-3, 0]], true), null);
  });
  it('is null where there is no value', () => {
    assert.equal(extent([], false), null);
    assert.equal(extent([[], [null]], false), null);
  });
});

describe('tick', () => {
  const each = (rows, digits) => {
    for (const [value, wanted] of rows) assert.equal(tick(value, digits), wanted);
  };

  it('is short', () =>
    each([
      [0, '0'],
      [1, '1'],
      [-2.5, '-2.5'],
      [0.1 + 0.2, '0.3'],
      [0.001, '0.001'],
      [9999, '9999'],
      [10_000, '10k'],
      [12_500, '12.5k'],
      [-250_000, '-250k'],
      [999_999, '1000k'],
    ]));

  it('uses powers of ten for what is large or small', () =>
    each([
      [1e6, '10⁶'],
      [-1e6, '-10⁶'],
      [1e-4, '10⁻⁴'],
      [1e12, '10¹²'],
      [2.5e6, '2.5·10⁶'],
      [0.00025, '2.5·10⁻⁴'],
    ]));

  it('has as many digits as asked for', () => {
    assert.equal(tick(1.23456789), '1.23457');
    assert.equal(tick(1.23456789, 9), '1.23456789');
    assert.equal(tick(12_345.6789), '12.346k');
    assert.equal(tick(12_345.6789, 9), '12.345679k');
    assert.equal(tick(1.23456789e7), '1.2·10⁷');
    assert.equal(tick(1.23456789e7, 9), '1.2346·10⁷');
  });

  it('is empty where there is no mark', () => {
    assert.equal(tick(null), '');
    assert.equal(tick(undefined), '');
  });
});

describe('labels', () => {
  it('are short where that tells them apart', () => assert.deepEqual(labels([0, 0.5, 1]), ['0', '0.5', '1']));
  it('have more digits where that is needed', () => {
    assert.deepEqual(labels([1.0000001, 1.0000002]), ['1.0000001', '1.0000002']);
    assert.deepEqual(labels([1e7 + 1, 1e7 + 2]), ['1.0000001·10⁷', '1.0000002·10⁷']);
  });
  it('give up where numbers end', () => assert.equal(labels([1, 1]).length, 2));
  it('are none for no marks', () => assert.deepEqual(labels([]), []));
});
