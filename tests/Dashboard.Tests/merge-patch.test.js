import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergePatch } from '../../src/Api/wwwroot/app/merge-patch.js';

/** What RFC 7396 says a server does with a patch. */
function merged(target, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result = target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  return result;
}

describe('mergePatch', () => {
  const leads = (before, after, patch) => {
    assert.deepEqual(mergePatch(before, after), patch);
    assert.deepEqual(merged(before, patch), after);
  };

  it('is empty where nothing changed', () => leads({ a: 1, b: { c: [1, 2] } }, { a: 1, b: { c: [1, 2] } }, {}));
  it('has what is new and what is different', () => leads({ a: 1, b: 2 }, { a: 1, b: 3, c: 'x' }, { b: 3, c: 'x' }));
  it('has null for what is gone', () => leads({ a: 1, b: 2 }, { a: 1 }, { b: null }));
  it('goes into records', () => leads({ t: { x: 1, y: 2 } }, { t: { x: 1, y: 3 } }, { t: { y: 3 } }));
  it('replaces lists as a whole', () => leads({ layers: [20, 20] }, { layers: [20] }, { layers: [20] }));
  it('replaces a list by a record and a value by a list', () => {
    leads({ a: [1] }, { a: { b: 1 } }, { a: { b: 1 } });
    leads({ a: 1 }, { a: [1] }, { a: [1] });
  });
  it('leaves out what was null before', () => assert.deepEqual(mergePatch({ a: null, b: 1 }, { b: 1 }), {}));
  it('replaces a record of another type as a whole', () =>
    assert.deepEqual(mergePatch({ task: { type: 'quadratic', dimensions: 10 } }, { task: { type: 'rosenbrock' } }), {
      task: { type: 'rosenbrock' },
    }));
  it('has null for a type that is gone', () =>
    leads({ task: { type: 'a', x: 1 } }, { task: { x: 1 } }, { task: { type: null } }));
  it('goes into a record of the same type', () =>
    leads(
      { task: { type: 'quadratic', dimensions: 10, batch: 3 } },
      { task: { type: 'quadratic', dimensions: 20, batch: 3 } },
      {
        task: { dimensions: 20 },
      },
    ));
  it('replaces null by a record', () => assert.deepEqual(mergePatch({ a: null }, { a: { b: 1 } }), { a: { b: 1 } }));
  it('has null where a record becomes null', () => assert.deepEqual(mergePatch({ a: { b: 1 } }, { a: null }), { a: null }));
});
