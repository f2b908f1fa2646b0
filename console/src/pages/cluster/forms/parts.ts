import { useEffect } from 'preact/hooks';
import { api, ok, type Cluster, type Schemas } from '../../../api';
import { changes, type Change } from '../../../change';
import { useResource, type Resource } from '../../../hooks';
import type { HostedSpec } from '../../../spec/part';
import type { FormProps } from '../ChangeDialog';

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

export function useImages(): Resource<Schemas['Image'][]> {
  return useResource(
    async (signal) => (await ok(api.GET('/api/v1/images', { params: { query: { limit: 500 } }, signal }))).items, []);
}
