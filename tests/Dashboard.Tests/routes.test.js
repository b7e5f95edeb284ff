import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { route } from '../../src/Api/wwwroot/app/routes.js';

const id = '019a6f00-1111-7222-8333-4444deadbeef';

describe('route', () => {
  it('knows each page', () => {
    assert.deepEqual(route('/'), { name: 'queue' });
    for (const name of ['runs', 'compare', 'leaderboard', 'trajectory', 'models', 'schedules', 'new', 'account', 'admin', 'sign-in'])
      assert.deepEqual(route(`/${name}`), { name });
  });

  it('takes a run by its id or by the end of it', () => {
    assert.deepEqual(route(`/runs/${id}`), { name: 'run', id });
    assert.deepEqual(route('/runs/deadbeef'), { name: 'find', end: 'deadbeef' });
    assert.deepEqual(route('/runs/BEEF'), { name: 'find', end: 'BEEF' });
    assert.deepEqual(route(`/runs/${id.slice(1)}`), { name: 'find', end: id.slice(1) });
  });

  it('finds nothing at other addresses', () => {
    for (const path of [
      '/nothing',
      '/runs/',
      '/runs/abc',
      `/runs/0${id}`,
      `/runs/${id}/x`,
      '/runs/deadbee_',
      '/x/runs',
      `/x/runs/${id}`,
      '/x/runs/deadbeef',
      '/runs/x/deadbeef',
    ])
      assert.deepEqual(route(path), { name: 'missing' }, path);
    for (const name of ['runs', 'compare', 'leaderboard', 'trajectory', 'models', 'schedules', 'new', 'account', 'admin', 'sign-in'])
      for (const path of [`/${name}x`, `/x/${name}`, `/${name}/`]) assert.deepEqual(route(path), { name: 'missing' }, path);
  });
});
