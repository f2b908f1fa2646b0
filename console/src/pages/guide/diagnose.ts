import type { Cluster, Schemas } from '../../api';

export type Agent = Schemas['Agent'];
export type Registration = Schemas['Registration'];

/** Stage is how far a registration is, as something that was found. */
export type Stage = { used: boolean; registered: boolean; connected: boolean; running: boolean };

export function stageOf(c: Cluster, agents: Agent[], token: Registration | undefined): Stage {
  const registered = agents.length > 0;
  return {
    used: registered || (token?.uses ?? 0) > 0,
    registered,
    connected: agents.some((a) => a.connected),
    running: c.status.state === 'running' && !c.status.stale,
  };
}

export function validity(r: Registration, now: number): 'valid' | 'expired' | 'revoked' {
  if (r.revokedAt) return 'revoked';
  return new Date(r.expiresAt).getTime() <= now ? 'expired' : 'valid';
}

/** Finding is one thing that is, or may be, wrong. */
export type Finding =
  | { is: 'expired' | 'revoked' | 'none' | 'report' }
  | { is: 'away'; agent: Agent }
  | { is: 'told'; agent: Agent }
  | { is: 'cluster'; reason: string; message: string };

// Somebody who has just read the steps has not done them yet.
const patience = 45_000;

/** diagnose says why a cluster does not run yet, the most certain cause first. */
export function diagnose(c: Cluster, agents: Agent[], token: Registration | undefined, shownAt: number, now: number): Finding[] {
  const stage = stageOf(c, agents, token);
  if (stage.running) return [];
  const out: Finding[] = [];
  const state = token && !stage.registered ? validity(token, now) : 'valid';
  if (state !== 'valid') out.push({ is: state });
  for (const a of agents) {
    if (a.reason || a.errors.length > 0) out.push({ is: 'told', agent: a });
    else if (!a.connected) out.push({ is: 'away', agent: a });
  }
  if (out.length === 0 && c.status.state === 'abnormal') {
    out.push({ is: 'cluster', reason: c.status.reason, message: c.status.message });
  }
  if (out.length === 0 && stage.connected) out.push({ is: 'report' });
  if (out.length === 0 && !stage.registered && shownAt > 0 && now - shownAt > patience) out.push({ is: 'none' });
  return out;
}
