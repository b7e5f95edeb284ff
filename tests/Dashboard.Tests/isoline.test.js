import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isoline } from '../../src/Api/wwwroot/app/isoline.js';

const same = value => value;
const line = (values, level, n = 2) => isoline(values, n, level, same, same);

describe('isoline', () => {
  it('is empty where all values are on one side', () => {
    assert.equal(line([0, 0, 0, 0], 1), '');
    assert.equal(line([2, 2, 2, 2], 1), '');
    assert.equal(line([1, 1, 1, 1], 1), '');
  });

  it('crosses edges in proportion to the values', () => {
    assert.equal(line([0, 4, 0, 4], 1), 'M0.25 0L0.25 1');
    assert.equal(line([0, 0, 4, 4], 1), 'M1 0.25L0 0.25');
    assert.equal(line([4, 0, 4, 0], 1), 'M0.75 0L0.75 1');
  });

  it('cuts off each corner', () => {
    assert.equal(line([2, 0, 0, 0], 1), 'M0.5 0L0 0.5');
    assert.equal(line([0, 2, 0, 0], 1), 'M0.5 0L1 0.5');
    assert.equal(line([0, 0, 0, 2], 1), 'M1 0.5L0.5 1');
    assert.equal(line([0, 0, 2, 0], 1), 'M0.5 1L0 0.5');
  });

  it('has two pieces in a saddle', () => assert.equal(line([2, 0, 0, 2], 1), 'M0.5 0L1 0.5M0.5 1L0 0.5'));

  it('counts a value at the level as above it, at each corner', () => {
    assert.equal(line([1, 0, 0, 0], 1), 'M0 0L0 0');
    assert.equal(line([0, 1, 0, 0], 1), 'M1 0L1 0');
    assert.equal(line([0, 0, 1, 0], 1), 'M0 1L0 1');
    assert.equal(line([0, 0, 0, 1], 1), 'M1 1L1 1');
    for (let corner = 0; corner < 4; corner++)
      assert.equal(
        line(
          [2, 2, 2, 2].map((v, i) => (i === corner ? 1 : v)),
          1,
        ),
        '',
      );
  });

  it('skips squares with a corner that has no value', () => {
    for (let corner = 0; corner < 4; corner++)
      assert.equal(
        line(
          [0, 4, 0, 4].map((v, i) => (i === corner ? null : v)),
          1,
        ),
        '',
      );
    assert.equal(line([null, 0, 2, null, 0, 2, null, 0, 2], 1, 3), 'M1.5 0L1.5 1M1.5 1L1.5 2');
  });

  it('goes through every square of the grid, with the functions of the picture', () => {
    const values = [0, 2, 4, 0, 2, 4, 0, 2, 4];
    assert.equal(
      isoline(
        values,
        3,
        3,
        i => 100 * i,
        j => 10 * j,
      ),
      'M150 0L150 10M150 10L150 20',
    );
    assert.equal(
      isoline(
        values,
        3,
        1,
        i => 100 * i,
        j => 10 * j,
      ),
      'M50 0L50 10M50 10L50 20',
    );
  });
});
