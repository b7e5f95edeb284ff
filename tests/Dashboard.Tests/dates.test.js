import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dayBegins } from '../../src/Api/wwwroot/app/dates.js';

describe('dayBegins', () => {
  const inZone = (zone, work) => {
    const before = process.env.TZ;
    process.env.TZ = zone;
    try {
      work();
    } finally {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    }
  };

  it('is midnight where the browser is', () => {
    inZone('UTC', () => assert.equal(dayBegins('2026-01-31'), '2026-01-31T00:00:00.000Z'));
    inZone('America/New_York', () => assert.equal(dayBegins('2026-01-31'), '2026-01-31T05:00:00.000Z'));
    inZone('Asia/Kolkata', () => assert.equal(dayBegins('2026-01-31'), '2026-01-30T18:30:00.000Z'));
  });

  it('goes over the ends of months and years', () =>
    inZone('UTC', () => {
      assert.equal(dayBegins('2026-01-31', 1), '2026-02-01T00:00:00.000Z');
      assert.equal(dayBegins('2026-12-31', 1), '2027-01-01T00:00:00.000Z');
      assert.equal(dayBegins('2024-02-28', 1), '2024-02-29T00:00:00.000Z');
    }));

  it('is a day later where the clock is changed in between', () =>
    inZone('Europe/Berlin', () => {
      assert.equal(dayBegins('2026-03-29'), '2026-03-28T23:00:00.000Z');
      assert.equal(dayBegins('2026-03-29', 1), '2026-03-29T22:00:00.000Z');
    }));
});
