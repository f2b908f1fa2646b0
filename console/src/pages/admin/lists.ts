import { all, send, type Schemas } from '../../api';
import type { Choice } from './form';

export type Org = Schemas['Org'];
export type Project = Schemas['Project'];

/** listOf reads every page of a list by its path below /api/v1/. */
export function listOf<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  return all((cursor) =>
    send<{ items: T[]; next: string }>(
      'GET',
      `${path}?limit=500${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      signal ? { signal } : {},
    ),
  );
}

/** wholeList reads a list that has no pages. */
export async function wholeList<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  const got = await send<{ items: T[] | null }>('GET', path, signal ? { signal } : {});
  return got.items ?? [];
}

export async function orgChoices(): Promise<Choice[]> {
  return (await listOf<Org>('orgs')).map((o) => ({ value: o.name, label: [o.name, o.name] }));
}
