import type { Cluster } from '../../api';

export type Difference = { key: string; was: string; is: string };

/** flatten tells each value in something with its path. */
export function flatten(v: unknown, at: string, into: Map<string, string>): void {
  if (v !== null && typeof v === 'object') {
    for (const [k, x] of Object.entries(v)) flatten(x, at ? `${at}.${k}` : k, into);
    return;
  }
  if (v !== undefined && v !== '') into.set(at, String(v));
}

function wish(c: Cluster): Map<string, string> {
  const out = new Map<string, string>();
  flatten({ name: c.name, description: c.description, project: c.project, spec: c.spec }, '', out);
  return out;
}

/** differences tells what was asked of a cluster between two readings of it. */
export function differences(before: Cluster, now: Cluster): Difference[] {
  const a = wish(before);
  const b = wish(now);
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort();
  return keys
    .filter((k) => a.get(k) !== b.get(k))
    .map((key) => ({ key, was: a.get(key) ?? '–', is: b.get(key) ?? '–' }));
}
