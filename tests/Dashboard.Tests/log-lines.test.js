import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asText, ofAttempt } from '../../src/Api/wwwroot/app/log-lines.js';

const lines = [
  { attempt: 1, at: '2026-01-01T00:00:00Z', text: 'first' },
  { attempt: 2, at: '2026-01-01T00:00:01Z', text: 'second, with\ttab' },
  { attempt: 11, at: '2026-01-01T00:00:02Z', text: '' },
];

describe('ofAttempt', () => {
  it('has the lines of that attempt only', () => {
    assert.deepEqual(ofAttempt(lines, 1), [lines[0]]);
    assert.deepEqual(ofAttempt(lines, 11), [lines[2]]);
    assert.deepEqual(ofAttempt(lines, 3), []);
  });
  it('has all where none is chosen', () => assert.deepEqual(ofAttempt(lines, 0), lines));
});

describe('asText', () => {
  it('has a time and a text in each line', () =>
    assert.equal(asText(lines), '2026-01-01T00:00:00Z first\n2026-01-01T00:00:01Z second, with\ttab\n2026-01-01T00:00:02Z \n'));
  it('is empty for no lines', () => assert.equal(asText([]), ''));
});
