import type { Cluster } from '../../api';
import type { Change } from '../../change';
import type { ActionId } from './words';

type Rule = { id: ActionId; legal: string; feature?: string; mode?: Cluster['mode']; state?: (s: string) => boolean };

const running = (s: string) => s !== 'stopped' && s !== 'stopping' && s !== 'deleting';

/** What each action needs: a command that would be taken now, a feature that is there, a mode. */
const rules: Rule[] = [
  { id: 'start', legal: 'start', mode: 'hosted', state: (s) => s === 'stopped' || s === 'stopping' || s === 'abnormal' },
  { id: 'stop', legal: 'stop', mode: 'hosted', state: running },
  { id: 'restart', legal: 'restart' },
  { id: 'repair', legal: 'repair' },
  { id: 'take-over', legal: 'take-over' },
  { id: 'put-back', legal: 'put-back' },
  { id: 'scale', legal: 'update', mode: 'hosted', feature: 'scale' },
  { id: 'resize', legal: 'update', mode: 'hosted', feature: 'resize' },
  { id: 'image', legal: 'update', mode: 'hosted', feature: 'image' },
  { id: 'network', legal: 'update', mode: 'hosted', feature: 'network' },
  { id: 'connections', legal: 'update', feature: 'connectionLimit' },
  { id: 'replicants', legal: 'update', mode: 'hosted', feature: 'scale' },
  { id: 'evacuation', legal: 'update', mode: 'hosted' },
  { id: 'hibernation', legal: 'update', mode: 'hosted', feature: 'power' },
  { id: 'maintenance', legal: 'update', mode: 'hosted' },
  { id: 'placement', legal: 'update', mode: 'hosted' },
  { id: 'config', legal: 'update', mode: 'hosted' },
  { id: 'serviceAddress', legal: 'update', mode: 'adopted' },
  { id: 'describe', legal: 'update' },
  { id: 'transfer', legal: 'transfer', feature: 'transfer' },
  { id: 'delete', legal: 'delete', feature: 'delete' },
];

function hasFeature(c: Cluster, feature: string): boolean {
  const f = c.features.find((x) => x.feature === feature);
  return f ? f.available : false;
}

/** possible returns the actions that would be taken of the cluster now. */
export function possible(c: Cluster, legal: readonly string[]): ActionId[] {
  return rules
    .filter((r) => legal.includes(r.legal))
    .filter((r) => !r.mode || r.mode === c.mode)
    .filter((r) => !r.state || r.state(c.status.state))
    .filter((r) => !r.feature || hasFeature(c, r.feature))
    .map((r) => r.id);
}

/** menu are the actions of the header; the others are found on the tab of the settings. */
export const menu: ActionId[] = [
  'start', 'stop', 'restart', 'repair', 'take-over', 'put-back', 'scale', 'resize', 'image', 'network', 'connections',
  'describe', 'transfer', 'delete',
];

/** nouns are the actions that are named after what they change. */
export const nouns: ReadonlySet<ActionId> = new Set<ActionId>([
  'network', 'connections', 'replicants', 'evacuation', 'hibernation', 'maintenance', 'placement', 'config', 'serviceAddress',
]);

export const dangerous: ReadonlySet<ActionId> = new Set<ActionId>(['stop', 'delete']);

/** fixed returns the change of an action that needs no form. */
export function fixed(id: ActionId): Change | undefined {
  switch (id) {
    case 'start':
    case 'stop':
    case 'take-over':
    case 'put-back':
      return { method: 'POST', path: id };
    default:
      return undefined;
  }
}
