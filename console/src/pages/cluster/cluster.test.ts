import { describe, expect, test } from 'vitest';
import type { Cluster, Schemas } from '../../api';
import { possible } from './actions';
import { differences } from './differ';
import { added, most, newest, type Entry } from './lines';
import { seriesOf, summary, thin } from './monitoring/series';

function cluster(change: Partial<Cluster> = {}): Cluster {
  return {
    id: 'emqx-1', name: 'a', description: '', project: 'o/p', mode: 'hosted', revision: 1, spec: { nodes: 3, connections: 10 },
    status: { state: 'running' }, features: [{ feature: 'scale', available: true }, { feature: 'delete', available: true }], ...change,
  } as unknown as Cluster;
}

function sample(at: string, received: number): Schemas['Sample'] {
  return { at, connections: 1, received, sent: 0, dropped: 0, sessions: 1, subscriptions: 1, topics: 1 };
}

describe('series', () => {
  const samples = [sample('2026-01-01T00:00:00Z', 10), sample('2026-01-01T00:00:10Z', 20), sample('2026-01-01T00:00:20Z', 40),
    sample('2026-01-01T00:02:00Z', 50)];
  test('counts become rates, and missing samples a gap', () => {
    expect(seriesOf(samples).received).toEqual([1, 2, 4, null, 5]);
  });
  test('a gap that is told is one even where samples are close', () => {
    expect(seriesOf(samples.slice(0, 3), [{ from: '2026-01-01T00:00:12Z', to: '2026-01-01T00:00:18Z' }]).received).toEqual([1, 2, null, 4]);
  });
  test('summary leaves gaps out', () => {
    expect(summary([1, null, 3, null])).toEqual({ last: 3, min: 1, max: 3 });
    expect(summary([null])).toBeUndefined();
  });
  test('thin keeps both ends', () => {
    expect(thin(5, 10)).toEqual([0, 1, 2, 3, 4]);
    const rows = thin(1_000, 120);
    expect([rows.length, rows[0], rows.at(-1)]).toEqual([120, 0, 999]);
  });
});

test('differences tell what was asked for, not what was found', () => {
  const now = cluster({ name: 'b', spec: { nodes: 4, connections: 10 }, status: { state: 'updating' } } as Partial<Cluster>);
  expect(differences(cluster(), now)).toEqual([{ key: 'name', was: 'a', is: 'b' }, { key: 'spec.nodes', was: '3', is: '4' }]);
});

describe('actions', () => {
  test('need a command that is taken, and a feature that is there', () => {
    const ids = possible(cluster(), ['update', 'stop', 'start', 'delete']);
    expect(ids).toContain('scale');
    expect(ids).toContain('stop');
    expect(ids).not.toContain('start');
    expect(ids).not.toContain('resize');
    expect(ids).not.toContain('transfer');
  });
  test('adopted clusters have no nodes to scale', () => {
    expect(possible(cluster({ mode: 'adopted' }), ['update', 'delete'])).toEqual(['serviceAddress', 'describe', 'delete']);
  });
});

test('logs keep the newest lines, and know the time to go on from', () => {
  const lines = Array.from({ length: most + 5 }, (_, n): Entry => ({ n, log: { at: `t${n}` } as Schemas['Log'] }));
  const kept = added([], lines);
  expect(kept.length).toBe(most);
  expect(newest([...kept, { n: -1, gap: { at: '', node: '', why: '' } }])).toBe(`t${most + 4}`);
});
