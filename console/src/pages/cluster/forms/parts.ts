import { useEffect } from 'preact/hooks';
import { api, ok, type Cluster, type Schemas } from '../../../api';
import { changes, type Change } from '../../../change';
import { useResource, type Resource } from '../../../hooks';
import type { FormProps } from '../ChangeDialog';

export type HostedSpec = Schemas['HostedSpec'];
export type AdoptedSpec = Schemas['AdoptedSpec'];

export const hosted = (c: Cluster): HostedSpec => c.spec as HostedSpec;
export const adopted = (c: Cluster): AdoptedSpec => c.spec as AdoptedSpec;

/** patch is a change of parts of the spec. */
export function patch(spec: Record<string, unknown>, now = false): Change {
  return { ...changes.update({ spec }), ...(now ? { query: { now: true } } : {}) };
}

/** useChange tells the dialog what the fields make, whenever one of them has changed. */
export function useChange(onChange: FormProps['onChange'], make: () => Change | undefined, fields: readonly unknown[]): void {
  useEffect(() => onChange(make()), fields);
}

export function useSizes(): Resource<Schemas['Size'][]> {
  return useResource(
    async (signal) => (await ok(api.GET('/api/v1/sizes', { params: { query: { limit: 500 } }, signal }))).items, []);
}

export function useImages(): Resource<Schemas['Image'][]> {
  return useResource(
    async (signal) => (await ok(api.GET('/api/v1/images', { params: { query: { limit: 500 } }, signal }))).items, []);
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
