import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { most, runsOf, valuesOf } from '../../src/Api/wwwroot/app/grid-values.js';

describe('valuesOf', () => {
  const reads = (text, wanted) => assert.deepEqual(valuesOf(text), wanted, text);

  it('reads numbers, words and JSON at the commas', () => {
    reads('0.001, 0.003,0.01', [0.001, 0.003, 0.01]);
    reads('adam, sgd', ['adam', 'sgd']);
    reads('true, null, "7"', [true, null, '7']);
  });

  it('keeps lists and objects together', () => {
    reads('[20, 20], [5]', [[20, 20], [5]]);
    reads('{"type": "adam", "x": 1}, 2', [{ type: 'adam', x: 1 }, 2]);
    reads('[[1, 2], [3]], 4', [[[1, 2], [3]], 4]);
  });

  it('splits again after a bracket that nothing opened', () => reads('a], b', ['a]', 'b']));

  it('leaves empty parts out', () => {
    reads('', []);
    reads(' , ,', []);
    reads('1,,2,', [1, 2]);
  });

  it('counts a range with both ends', () => {
    reads('1..3', [1, 2, 3]);
    reads('-1..1', [-1, 0, 1]);
    reads('10..12, 7', [10, 11, 12, 7]);
    reads('4..4', [4]);
  });

  it('takes a range backwards, with more or with something around it as text', () => {
    reads('3..1', ['3..1']);
    reads('a1..3', ['a1..3']);
    reads('1..3b', ['1..3b']);
    reads('1..', ['1..']);
    reads('1.5..3', ['1.5..3']);
    reads('0..500', ['0..500']);
  });

  it('takes the longest range that a grid may have', () => {
    assert.equal(valuesOf('1..500').length, most);
    assert.equal(valuesOf('1..500').at(-1), 500);
    assert.equal(most, 500);
  });
});

describe('runsOf', () => {
  it('is the number of combinations', () => {
    assert.equal(runsOf([]), 1);
    assert.equal(runsOf([{ values: [1, 2, 3] }]), 3);
    assert.equal(runsOf([{ values: [1, 2, 3] }, { values: ['a', 'b'] }]), 6);
    assert.equal(runsOf([{ values: [1] }, { values: [] }]), 0);
  });
});
