import { useEffect } from 'preact/hooks';
import { api, ok, type Problem, type Schemas } from '../api';
import { useResource, type Resource } from '../hooks';

export type HostedSpec = Schemas['HostedSpec'];
/** Patch is a JSON merge patch of a spec. */
export type Patch = Record<string, unknown>;

export type PartProps = {
  /** spec is what the fields begin with: that of a cluster, or nothing of a new one. */
  spec: Partial<HostedSpec>;
  problem: Problem | undefined;
  /** onPatch tells what the fields make of the spec, or nothing while what is typed makes none. */
  onPatch: (p: Patch | undefined) => void;
};

/** usePart tells what the fields make, whenever one of them has changed. */
export function usePart(onPatch: PartProps['onPatch'], make: () => Patch | undefined, fields: readonly unknown[]): void {
  useEffect(() => onPatch(make()), fields);
}

export function useSizes(): Resource<Schemas['Size'][]> {
  return useResource(
    async (signal) => (await ok(api.GET('/api/v1/sizes', { params: { query: { limit: 500 } }, signal }))).items, []);
}

export function lines(text: string): string[] {
  return text.split('\n').map((l) => l.trim()).filter(Boolean);
}

/** pairs reads lines of key=value; bad is the first one that is none. */
export function pairs(text: string): { values: Record<string, string>; bad: string | undefined } {
  const values: Record<string, string> = {};
  let bad: string | undefined;
  for (const l of lines(text)) {
    const i = l.indexOf('=');
    if (i < 1) bad ??= l;
    else values[l.slice(0, i).trim()] = l.slice(i + 1).trim();
  }
  return { values, bad };
}

export function unpairs(m: Record<string, string> | undefined): string {
  return Object.entries(m ?? {}).map(([k, v]) => `${k}=${v}`).join('\n');
}

/** replaced is a merge patch that makes a map what it is to be: keys that are gone are null. */
export function replaced(was: Record<string, string> | undefined, will: Record<string, string>): Record<string, string | null> {
  const out: Record<string, string | null> = { ...will };
  for (const k of Object.keys(was ?? {})) if (!(k in will)) out[k] = null;
  return out;
}

/** fresh is what a patch makes of nothing: what it takes away, and what is empty, is left out. */
export function fresh(p: Patch): Patch {
  const out: Patch = {};
  for (const [k, v] of Object.entries(p)) {
    if (v === null || v === undefined || (Array.isArray(v) && v.length === 0)) continue;
    const kept = typeof v === 'object' && !Array.isArray(v) ? fresh(v as Patch) : v;
    if (typeof kept === 'object' && !Array.isArray(kept) && Object.keys(kept as Patch).length === 0) continue;
    out[k] = kept;
  }
  return out;
}
