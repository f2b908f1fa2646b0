import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ok, type Cluster } from '../../api';

// Alarms are asked of brokers, so only of clusters in sight, a few at a time, and not again within a minute.
const keep = 60_000;
const atOnce = 4;
const most = 100;

type Known = { at: number; active: number | undefined };

/** alarms are the active ones by cluster; undefined where the broker has not told. */
export const alarms = signal<ReadonlyMap<string, Known>>(new Map());
let queue: string[] = [];
let running = 0;

export function canTell(c: Cluster): boolean {
  return c.features.some((f) => f.feature === 'alarms' && f.available) && c.status.readyNodes > 0 && !c.status.stale;
}

async function next(): Promise<void> {
  const id = queue.shift();
  if (id === undefined || running >= atOnce) {
    if (id !== undefined) queue.unshift(id);
    return;
  }
  running++;
  let active: number | undefined;
  try {
    const params = { path: { id }, query: { active: true, limit: most } };
    active = (await ok(api.GET('/api/v1/clusters/{id}/alarms', { params }))).items.length;
  } catch {
    active = undefined;
  }
  alarms.value = new Map(alarms.peek()).set(id, { at: Date.now(), active });
  running--;
  void next();
}

/** useAlarms asks for the alarms of those clusters that are in sight. */
export function useAlarms(seen: Cluster[]): void {
  const ids = seen.filter(canTell).map((c) => c.id).join();
  useEffect(() => {
    const ask = () => {
      const old = Date.now() - keep;
      queue = ids ? ids.split(',').filter((id) => (alarms.peek().get(id)?.at ?? 0) < old) : [];
      for (let i = 0; i < atOnce; i++) void next();
    };
    // Somebody who scrolls past asks nothing.
    const soon = setTimeout(ask, 400);
    const again = setInterval(ask, keep);
    return () => {
      clearTimeout(soon);
      clearInterval(again);
      queue = [];
    };
  }, [ids]);
}

export function alarmText(n: number): string {
  return n >= most ? `${most}+` : String(n);
}
