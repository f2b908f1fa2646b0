import { describe, expect, it, vi } from 'vitest';

vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => {} });
vi.stubGlobal('location', { hash: '', origin: 'http://ecp.test', pathname: '/console/', href: 'http://ecp.test/console/' });
vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('document', { documentElement: { dataset: {} } });
vi.stubGlobal('navigator', { language: 'en' });

const { Problem } = await import('./api');
const { ago, duration, setLang, texts } = await import('./i18n');
const { allowed, covers } = await import('./rights');
const { match } = await import('./router');
const { nextSort, visible } = await import('./components/Table');
const { merged } = await import('./clusters');
type Cluster = import('./api').Cluster;

describe('router', () => {
  it('matches words and parameters', () => {
    expect(match('/clusters/:id/:tab?', '/clusters/emqx-1')).toEqual({ id: 'emqx-1', tab: undefined });
    expect(match('/clusters/:id/:tab?', '/clusters/a%2Fb/logs')).toEqual({ id: 'a/b', tab: 'logs' });
    expect(match('/clusters/:id/guide', '/clusters/x/logs')).toBeUndefined();
    expect(match('/clusters', '/clusters/x')).toBeUndefined();
  });
});

describe('rights', () => {
  const table = [{ right: 'write', meaning: '', roles: ['system', 'org-admin', 'project-admin'] }];
  it('knows the reach of grants', () => {
    expect(covers({ role: 'org-admin', org: 'acme' }, 'acme/shops')).toBe(true);
    expect(covers({ role: 'org-admin', org: 'acme' }, 'acmeplus/shops')).toBe(false);
    expect(covers({ role: 'user', project: 'acme/shops' }, 'acme/plants')).toBe(false);
  });
  it('wants a role that holds the right', () => {
    expect(allowed('write', 'acme/shops', [{ role: 'user', project: 'acme/shops' }], table)).toBe(false);
    expect(allowed('write', 'acme/shops', [{ role: 'project-admin', project: 'acme/shops' }], table)).toBe(true);
    expect(allowed('audit', undefined, [{ role: 'system' }], table)).toBe(false);
  });
});

describe('problems', () => {
  const p = Problem.of(422, { code: 'invalid', detail: 'no', errors: [
    { pointer: '/spec/nodes', detail: 'too many' }, { pointer: '/spec/network/type', detail: 'unknown' }] });
  it('finds errors of fields and of what is inside them', () => {
    expect(p.field('/spec/nodes')).toBe('too many');
    expect(p.field('/spec/network')).toBe('unknown');
    expect(p.field('/spec/node')).toBeUndefined();
    expect(p.rest(['/spec/nodes']).map((e) => e.pointer)).toEqual(['/spec/network/type']);
  });
  it('understands answers without a body', () => {
    expect(Problem.of(502, undefined)).toMatchObject({ status: 502, code: 'http_502' });
  });
});

describe('words', () => {
  const t = texts({ 'x.n_one': ['{{n}} node', '{{n}} 个节点'], 'x.n_other': ['{{n}} nodes', '{{n}} 个节点'] });
  it('counts, escapes nothing and follows the language', () => {
    expect(t('x.n', { count: 1 })).toBe('1 node');
    expect(t('x.n', { count: 3 })).toBe('3 nodes');
    expect(t('x.n', { count: 1000 })).toBe('1,000 nodes');
    setLang('zh');
    expect(t('x.n', { count: 3 })).toBe('3 个节点');
    setLang('en');
  });
  it('tells times', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    expect(ago('2026-01-01T23:58:00Z', now)).toBe('2 minutes ago');
    expect(duration(80)).toBe('1 min 20 secs');
    expect(duration(0)).toBe('0 secs');
  });
});

describe('windows', () => {
  it('keep a few rows around what is seen', () => {
    expect(visible(100, 900, 1000, 44, 2)).toEqual([0, 24]);
    expect(visible(-4400, 880, 1000, 44, 2)).toEqual([96, 128]);
    expect(visible(-90_000, 880, 10, 44, 2)).toEqual([10, 10]);
  });
  it('turn the order around', () => {
    expect(nextSort(undefined, 'name')).toBe('name');
    expect(nextSort('name', 'name')).toBe('-name');
    expect(nextSort('-name', 'name')).toBe('name');
  });
});

describe('events', () => {
  it('leave alone what only a look at a cluster shows', () => {
    const old = { name: 'a', status: { state: 'running', readyNodes: 3, nodes: [{}] } } as unknown as Cluster;
    const told = { name: 'b', status: { state: 'stopping', readyNodes: 0, nodes: [] } } as unknown as Cluster;
    expect(merged(old, told)).toMatchObject({ name: 'b', status: { state: 'stopping', readyNodes: 3, nodes: [{}] } });
  });
});
