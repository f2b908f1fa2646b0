import { send, type Cluster, type Operation, type Plan } from './api';

/**
 * Change is a command to a cluster, as method and path below clusters/ID. Its plan is asked for with dryRun first;
 * sent with the plan's hash it is refused where the plan is another by now.
 */
export type Change = {
  method: 'POST' | 'PATCH' | 'DELETE';
  path?: string;
  query?: Record<string, string | boolean>;
  body?: unknown;
};

/** asked leaves out what is not asked for. */
function asked(q: Record<string, boolean | undefined>): Record<string, boolean> {
  return Object.fromEntries(Object.keys(q).filter((k) => q[k]).map((k) => [k, true]));
}

export const changes = {
  start: (): Change => ({ method: 'POST', path: 'start' }),
  stop: (): Change => ({ method: 'POST', path: 'stop' }),
  restart: (now = false): Change => ({ method: 'POST', path: 'restart', query: now ? { now } : {} }),
  repair: (more: { force?: boolean; lostVolumes?: boolean } = {}): Change => ({ method: 'POST', path: 'repair', query: asked(more) }),
  remove: (force = false): Change => ({ method: 'DELETE', query: force ? { force } : {} }),
  update: (body: unknown): Change => ({ method: 'PATCH', body }),
  transfer: (project: string): Change => ({ method: 'POST', path: 'transfer', body: { project } }),
};

/** newKey names one request, so that it happens once however often it is sent. */
export function newKey(): string {
  // crypto.randomUUID is missing on pages that came over plain http.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

function address(id: string, c: Change, dryRun: boolean): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(c.query ?? {})) q.set(k, String(v));
  if (dryRun) q.set('dryRun', 'true');
  const query = q.size ? `?${q.toString()}` : '';
  return `clusters/${encodeURIComponent(id)}${c.path ? `/${c.path}` : ''}${query}`;
}

export function planOf(id: string, c: Change, signal?: AbortSignal): Promise<Plan> {
  return send<Plan>(c.method, address(id, c, true), { body: c.body, ...(signal ? { signal } : {}) });
}

/** apply sends the change. It returns the operation, or nothing where the change needed none. */
export async function apply(
  id: string,
  c: Change,
  opts: { plan?: Plan; revision?: number; key?: string } = {},
): Promise<Operation | undefined> {
  const headers: Record<string, string> = {};
  if (opts.plan) headers['if-plan'] = opts.plan.hash;
  if (opts.revision !== undefined) headers['if-match'] = `"${opts.revision}"`;
  if (c.method !== 'PATCH') headers['idempotency-key'] = opts.key ?? newKey();
  const got = await send<Operation | Cluster | undefined>(c.method, address(id, c, false), { body: c.body, headers });
  return got && 'phase' in got ? got : undefined;
}
