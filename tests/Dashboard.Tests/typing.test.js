import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listed, parsed } from '../../src/Api/wwwroot/app/typing.js';

describe('parsed', () => {
  it('reads by the type of the field', () => {
    assert.equal(parsed('integer', '12'), 12);
    assert.equal(parsed('number', '1e-3'), 0.001);
    assert.equal(parsed('number', 'abc'), 'abc');
    assert.equal(parsed('string', '12'), '12');
    assert.equal(parsed('choice', 'true'), 'true');
    assert.equal(parsed('boolean', 'true'), true);
    assert.equal(parsed('boolean', 'false'), false);
    assert.equal(parsed('uuid', '019a'), '019a');
  });
});

describe('listed', () => {
  it('reads each entry', () => {
    assert.deepEqual(listed('integer', '20, 20'), [20, 20]);
    assert.deepEqual(listed('string', ' a ,b c'), ['a', 'b c']);
  });
  it('leaves out empty entries', () => assert.deepEqual(listed('number', '1,, 2,'), [1, 2]));
  it('is none where nothing is left', () => {
    assert.equal(listed('number', ''), undefined);
    assert.equal(listed('number', ' , '), undefined);
  });
});
