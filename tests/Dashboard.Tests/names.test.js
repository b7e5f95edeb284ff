import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commonStart, labels, title } from '../../src/Api/wwwroot/app/names.js';

describe('title', () => {
  it('is the words of a field, the first with a capital', () => {
    assert.equal(title('metaBatch'), 'Meta batch');
    assert.equal(title('seed'), 'Seed');
    assert.equal(title('timeLimitSeconds'), 'Time limit seconds');
    assert.equal(title('beta1'), 'Beta 1');
    assert.equal(title('sha256'), 'Sha 256');
    assert.equal(title('meta training'), 'Meta training');
    assert.equal(title(''), '');
  });
});

describe('labels', () => {
  const run = (name, end) => ({ name, id: `019a6f00-1111-7222-8333-4444${end}` });

  it('are names where they differ', () => assert.deepEqual(labels([run('a', '00000001'), run('b', '00000002')]), ['a', 'b']));
  it('have the ends of ids where names are the same', () =>
    assert.deepEqual(labels([run('a', '00000001'), run('b', '00000002'), run('a', '00000003')]), [
      'a (00000001)',
      'b',
      'a (00000003)',
    ]));
  it('are none for no runs', () => assert.deepEqual(labels([]), []));
});

describe('commonStart', () => {
  it('ends with a whole word', () => {
    assert.equal(commonStart(['grid seed=1', 'grid seed=2']), 'grid');
    assert.equal(commonStart(['a b c=10', 'a b c=12']), 'a b');
    assert.equal(commonStart(['grid seed=1 rate=2', 'grid seed=2 rate=2']), 'grid');
  });
  it('is the name where all have the same, or the others go on after it', () => {
    assert.equal(commonStart(['one']), 'one');
    assert.equal(commonStart(['one two', 'one two']), 'one two');
    assert.equal(commonStart(['one', 'one two']), 'one');
  });
  it('is the first name where there is nothing in common', () => {
    assert.equal(commonStart(['one', 'two']), 'one');
    assert.equal(commonStart(['seed=1', 'seed=2']), 'seed=1');
  });
});
