import { expect, it, vi } from 'vitest';

vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => {} });
vi.stubGlobal('location', { hash: '', origin: 'http://ecp.test', pathname: '/console/', href: 'http://ecp.test/console/' });
vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('document', { documentElement: { dataset: {} } });
vi.stubGlobal('navigator', { language: 'en' });

const { fresh, pairs, replaced } = await import('./part');
const { toleration } = await import('./Placement');

it('makes a new spec of a patch: nothing is taken away from nothing', () => {
  expect(fresh({ replicants: null, config: {}, network: { type: 'NodePort', certificate: null, annotations: {} } }))
    .toEqual({ network: { type: 'NodePort' } });
  expect(fresh({ placement: { nodeSelector: {}, tolerations: [] } })).toEqual({});
  expect(fresh({ network: { listeners: [{ protocol: 'mqtt', port: 1884 }] } }))
    .toEqual({ network: { listeners: [{ protocol: 'mqtt', port: 1884 }] } });
});

it('reads lines', () => {
  expect(pairs('a = 1\n\nb=c=d')).toEqual({ values: { a: '1', b: 'c=d' }, bad: undefined });
  expect(pairs('a=1\nnonsense').bad).toBe('nonsense');
  expect(replaced({ a: '1', b: '2' }, { a: '3' })).toEqual({ a: '3', b: null });
  expect(toleration('mqtt:NoSchedule')).toEqual({ key: 'mqtt', operator: 'Exists', effect: 'NoSchedule' });
  expect(toleration('a=b')).toEqual({ key: 'a', operator: 'Equal', value: 'b' });
});
