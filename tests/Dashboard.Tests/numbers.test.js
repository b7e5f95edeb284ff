import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  count,
  duration,
  number,
  relative,
  secondsBetween,
  short,
  size,
  superscript,
  typed,
} from '../../src/Api/wwwroot/app/numbers.js';

/** Checks a function of one value against a table of {value: text}. */
const each = (work, rows) => {
  for (const [value, wanted] of rows) assert.equal(work(value), wanted, `of ${value}`);
};

describe('typed', () => {
  it('reads decimal numbers as numbers', () =>
    each(typed, [
      ['0', 0],
      ['12', 12],
      ['-3', -3],
      ['+3', 3],
      ['0.5', 0.5],
      ['.25', 0.25],
      ['12.75', 12.75],
      ['5.', 5],
      ['1e3', 1000],
      ['2.5E-2', 0.025],
      ['1e+2', 100],
      ['12e10', 12e10],
    ]));

  it('leaves everything else as the text it is', () =>
    each(
      typed,
      ['', ' ', 'abc', '1 2', '0x10', '1e', 'e3', '.', '-', '1,5', '1e999', 'Infinity', 'NaN', '1_000', 'x1', '1x'].map(text => [
        text,
        text,
      ]),
    ));
});

describe('number', () => {
  it('has four significant digits', () =>
    each(number, [
      [0, '0'],
      [1, '1'],
      [0.123456, '0.1235'],
      [12.3456, '12.35'],
      [1234.56, '1,235'],
      [-2.5, '-2.5'],
      [0.1 + 0.2, '0.3'],
    ]));

  it('has as many digits as asked for', () => {
    assert.equal(number(1.23456, 2), '1.2');
    assert.equal(number(1.23456, 3), '1.23');
    assert.equal(number(123_456, 3), '123,000');
    assert.equal(number(1_234_567, 2), '1·10⁶');
    assert.equal(number(1_234_567, 1), '1·10⁶');
  });

  it('uses powers of ten from a million on and below a thousandth', () =>
    each(number, [
      [999_999, '1,000,000'],
      [1e6, '1·10⁶'],
      [-1e6, '-1·10⁶'],
      [1_234_567, '1.23·10⁶'],
      [0.001, '0.001'],
      [0.000999, '9.99·10⁻⁴'],
      [1e-12, '1·10⁻¹²'],
    ]));

  it('shows a dash for what is no number', () =>
    each(
      number,
      [null, undefined, NaN, Infinity, -Infinity].map(v => [v, '–']),
    ));
});

describe('superscript', () => {
  it('writes every digit and the sign', () => {
    assert.equal(superscript(1_234_567_890), '¹²³⁴⁵⁶⁷⁸⁹⁰');
    assert.equal(superscript(-7), '⁻⁷');
  });
});

describe('count', () => {
  it('groups by thousands, and shows a dash where there is none', () =>
    each(count, [
      [0, '0'],
      [999, '999'],
      [1_000_000, '1,000,000'],
      [null, '–'],
      [undefined, '–'],
    ]));
});

describe('duration', () => {
  const spaced = seconds => duration(seconds).replaceAll('\u00a0', ' ');

  it('chooses the unit by size', () =>
    each(spaced, [
      [0, '0 µs'],
      [2.5e-6, '2.5 µs'],
      [0.000999, '999 µs'],
      [0.001, '1 ms'],
      [0.25, '250 ms'],
      [1, '1 s'],
      [9.87, '9.9 s'],
      [10, '10 s'],
      [12.34, '12.3 s'],
      [59, '59 s'],
      [60, '1 min 0 s'],
      [61.9, '1 min 1 s'],
      [3599, '59 min 59 s'],
      [3600, '1 h 0 min'],
      [86_399, '23 h 59 min'],
      [86_400, '1 d 0 h'],
      [86_400 * 100 + 7200, '100 d 2 h'],
    ]));

  it('does not break over lines', () => assert.equal(duration(3661), '1\u00a0h\u00a01\u00a0min'));

  it('shows a dash for what is no time', () =>
    each(
      duration,
      [null, undefined, NaN, Infinity].map(v => [v, '–']),
    ));
});

describe('size', () => {
  it('chooses the binary unit by size', () =>
    each(
      bytes => size(bytes).replaceAll('\u00a0', ' '),
      [
        [0, '0 B'],
        [1023, '1023 B'],
        [1024, '1 KiB'],
        [1536, '1.5 KiB'],
        [1_048_575, '1,020 KiB'],
        [1_048_576, '1 MiB'],
        [1_610_612_736, '1.5 GiB'],
        [2 ** 30, '1 GiB'],
        [2 ** 40, '1,020 GiB'],
      ],
    ));

  it('keeps number and unit on one line', () => assert.equal(size(2048), '2\u00a0KiB'));
});

describe('secondsBetween', () => {
  it('is positive when the second time is later', () =>
    assert.equal(secondsBetween('2026-01-01T00:00:00Z', '2026-01-01T00:01:30.500Z'), 90.5));

  it('counts to now when there is no second time', t => {
    t.mock.method(Date, 'now', () => Date.parse('2026-01-01T00:00:10Z'));
    assert.equal(secondsBetween('2026-01-01T00:00:00Z'), 10);
    assert.equal(secondsBetween('2026-01-01T00:00:00Z', null), 10);
  });
});

describe('relative', () => {
  it('says how long ago something was, in one unit', () =>
    each(relative, [
      [0, 'just now'],
      [4.9, 'just now'],
      [5, '5 s ago'],
      [89, '89 s ago'],
      [90, '2 min ago'],
      [5399, '90 min ago'],
      [5400, '2 h ago'],
      [129_599, '36 h ago'],
      [129_600, '2 d ago'],
      [864_000, '10 d ago'],
    ]));

  it('says in how long something will be', () =>
    each(relative, [
      [-1, 'in 1 s'],
      [-120, 'in 2 min'],
    ]));
});

describe('short', () => {
  it('is the last eight characters, which are random in ids made in the same second', () =>
    assert.equal(short('019a6f00-1111-7222-8333-4444deadbeef'), 'deadbeef'));
});
