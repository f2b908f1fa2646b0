import { expect, it } from 'vitest';
import type { Cluster } from '../../api';
import { connectionLimit, filterOf, fits, sorted, values, wantedNodes } from './filter';

function cluster(name: string, state: string, more: object = {}): Cluster {
  const status = { state, readyNodes: 0, since: '', connections: { current: 0, limit: 0 } };
  return { id: `emqx-${name}`, name, project: 'a/b', mode: 'hosted', version: '5.8.9', status,
    spec: { nodes: 3, connections: 100, replicants: { nodes: 2 } }, ...more } as unknown as Cluster;
}

it('filters by text, state and project', () => {
  const c = cluster('Line 1', 'running');
  expect(fits(c, filterOf(new URLSearchParams('q=line')))).toBe(true);
  expect(fits(c, filterOf(new URLSearchParams('q=line&state=stopped')))).toBe(false);
  expect(fits(c, filterOf(new URLSearchParams('project=a/c')))).toBe(false);
});

it('orders names as people count, and states by need', () => {
  const list = [cluster('n10', 'running'), cluster('n9', 'abnormal'), cluster('n1', 'stopped')];
  const names = (sort: string) => sorted(list, sort, 'en').map((c) => c.name);
  expect(names('name')).toEqual(['n1', 'n9', 'n10']);
  expect(names('-name')).toEqual(['n10', 'n9', 'n1']);
  expect(names('state')).toEqual(['n9', 'n10', 'n1']);
});

it('counts nodes and connections', () => {
  const c = cluster('x', 'running');
  expect(wantedNodes(c)).toBe(5);
  expect(connectionLimit(c)).toBe(100);
  expect(values([c, c], (x) => x.version)).toEqual(['5.8.9']);
});
