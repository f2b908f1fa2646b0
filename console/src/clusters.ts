import { signal } from '@preact/signals';
import { all, api, asProblem, ok, type Cluster, type Problem } from './api';
import { epoch, onEvent, type Event } from './stream';

/** clusters are all that may be read, by id. They are loaded when a page first asks, and kept up to date from then on. */
export const clusters = signal<ReadonlyMap<string, Cluster>>(new Map());
export const clustersState = signal<{ loaded: boolean; error?: Problem; at: number }>({ loaded: false, at: 0 });

let wanted = false;
let reading = false;
let again = false;
const changed = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** wantClusters loads the clusters unless that was done already. */
export function wantClusters(): void {
  if (wanted) return;
  wanted = true;
  void readClusters();
}

export async function readClusters(): Promise<void> {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  try {
    const items = await all((cursor) =>
      ok(api.GET('/api/v1/clusters', { params: { query: { limit: 500, ...(cursor ? { cursor } : {}) } } })),
    );
    clusters.value = new Map(items.map((c) => [c.id, c]));
    clustersState.value = { loaded: true, at: Date.now() };
  } catch (err) {
    clustersState.value = { ...clustersState.peek(), error: asProblem(err) };
  } finally {
    reading = false;
    if (again) {
      again = false;
      void readClusters();
    }
  }
}

/** put replaces one cluster, or removes it. */
export function put(id: string, c: Cluster | undefined): void {
  const next = new Map(clusters.peek());
  if (c) next.set(id, c);
  else next.delete(id);
  clusters.value = next;
}

/** merged is a cluster with what an event tells of it. What the event leaves out is as it was. */
export function merged(old: Cluster | undefined, told: Partial<Cluster>): Cluster | undefined {
  if (!old) return undefined;
  // What only a look at a cluster shows is empty in an event, or not there.
  const { nodes, volumes, connections, endpoints, readyNodes } = old.status;
  const status = { ...old.status, ...told.status, nodes, volumes, connections, endpoints, readyNodes };
  return { ...old, ...told, status };
}

function take(e: Event): void {
  if (!wanted) return;
  const told = e.object as Partial<Cluster> | null;
  if (e.deleted || e.state === 'gone' || !told) {
    put(e.key, undefined);
    return;
  }
  // A cluster that was not known is shown once it was read as a whole.
  const now = merged(clusters.peek().get(e.key), told);
  if (now) put(e.key, now);
  changed.add(e.key);
  if (timer === undefined) timer = setTimeout(() => void lookAgain(), 300);
}

async function lookAgain(): Promise<void> {
  timer = undefined;
  const ids = [...changed];
  changed.clear();
  if (ids.length > 20) {
    await readClusters();
    return;
  }
  await Promise.all(
    ids.map(async (id) => {
      try {
        const got = await ok(api.GET('/api/v1/clusters/{id}', { params: { path: { id } } }));
        put(id, got);
      } catch (err) {
        if (asProblem(err).status === 404) put(id, undefined);
      }
    }),
  );
}

onEvent(['cluster'], take);
onEvent(['departure'], () => {
  if (wanted) void readClusters();
});
let first = true;
epoch.subscribe(() => {
  if (!first && wanted) void readClusters();
  first = false;
});
