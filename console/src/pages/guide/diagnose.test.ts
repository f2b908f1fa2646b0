import { expect, it } from 'vitest';
import type { Cluster } from '../../api';
import { diagnose, stageOf, type Agent, type Registration } from './diagnose';

const now = Date.parse('2026-01-02T00:00:00Z');
const cluster = (state: string) => ({ status: { state, stale: false, reason: 'x', message: 'm' } }) as unknown as Cluster;
const token = (expiresAt: string, more = {}) => ({ id: 'reg-1', uses: 0, expiresAt, ...more }) as Registration;
const agent = (more: object) => ({ id: 'a', connected: true, errors: [], ...more }) as unknown as Agent;
const later = '2026-01-03T00:00:00Z';

it('waits for a while before it says that nobody has come', () => {
  expect(diagnose(cluster('created'), [], token(later), now - 1_000, now)).toEqual([]);
  expect(diagnose(cluster('created'), [], token(later), now - 60_000, now)).toEqual([{ is: 'none' }]);
});

it('says that the token is no good', () => {
  expect(diagnose(cluster('created'), [], token('2026-01-01T00:00:00Z'), now, now)).toEqual([{ is: 'expired' }]);
  expect(diagnose(cluster('created'), [], token(later, { revokedAt: later }), now, now)).toEqual([{ is: 'revoked' }]);
});

it('tells what agents tell', () => {
  const refused = agent({ reason: 'EMQXAuthFailed', message: 'wrong password' });
  expect(diagnose(cluster('abnormal'), [refused], undefined, 0, now)).toEqual([{ is: 'told', agent: refused }]);
  const away = agent({ connected: false });
  expect(diagnose(cluster('registering'), [away], undefined, 0, now)).toEqual([{ is: 'away', agent: away }]);
  expect(diagnose(cluster('running'), [away], undefined, 0, now)).toEqual([]);
});

it('knows how far it is', () => {
  expect(stageOf(cluster('registering'), [agent({})], undefined)).toEqual(
    { used: true, registered: true, connected: true, running: false });
});
