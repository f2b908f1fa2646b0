import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { FieldSpec } from './form';

vi.stubGlobal('localStorage', { getItem: () => 'en', setItem: () => {} });
vi.stubGlobal('document', { documentElement: {} });
let form: typeof import('./form');
beforeAll(async () => {
  form = await import('./form');
});

const label = ['', ''] as const;
const fields: FieldSpec[] = [
  { path: '/name', type: 'text', label, fixed: true },
  { path: '/description', type: 'text', label, optional: true },
  { path: '/cpu/limit', type: 'text', label },
  { path: '/key', type: 'lines', label, secret: true },
  { path: '/annotations', type: 'map', label },
  { path: '/hosts', type: 'list', label },
  { path: '/n', type: 'number', label },
];

describe('patchOf', () => {
  const record = { name: 'a', description: 'd', cpu: { limit: '1' }, key: 'x', annotations: { a: '1', b: '2' }, hosts: ['h'], n: 3 };
  it('sends nothing where nothing was changed, and never a secret that was read', () => {
    const base = form.valuesOf(fields, record);
    expect(base['/key']).toBe('');
    expect(form.patchOf(fields, base, base)).toEqual({});
  });
  it('sends what was changed, null for what was emptied, and null for keys that are gone', () => {
    const base = form.valuesOf(fields, record);
    const mine = {
      ...base, '/name': 'b', '/description': '', '/cpu/limit': '2', '/key': 'new', '/annotations': 'b=3\nc = 4', '/hosts': 'h\n\n i ',
    };
    expect(form.patchOf(fields, base, mine)).toEqual({
      description: null, cpu: { limit: '2' }, key: 'new', annotations: { a: null, b: '3', c: '4' }, hosts: ['h', 'i'],
    });
  });
});

describe('rebased', () => {
  it('keeps what was typed and takes the rest from the newer record', () => {
    const base = { '/description': 'd', '/n': 1 };
    const two: FieldSpec[] = [
      { path: '/description', type: 'text', label },
      { path: '/n', type: 'number', label },
    ];
    expect(form.rebased(two, base, { ...base, '/n': 2 }, { '/description': 'theirs', '/n': 5 }))
      .toEqual({ '/description': 'theirs', '/n': 2 });
  });
});

describe('bodyOf', () => {
  it('leaves out what is optional and empty, and keeps what is required', () => {
    expect(form.bodyOf(fields, { '/name': 'a', '/description': '', '/cpu/limit': '', '/n': 0 }))
      .toEqual({ name: 'a', cpu: { limit: '' }, annotations: {}, hosts: [], n: 0 });
  });
  it('puts the grant of a token into the body itself', () => {
    const token: FieldSpec[] = [{ path: '/grant', type: 'grant', label }];
    expect(form.bodyOf(token, { '/grant': [{ role: 'user', project: 'o/p' }] })).toEqual({ role: 'user', project: 'o/p' });
  });
});
