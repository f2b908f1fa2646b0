import type { Cluster, Schemas } from '../../api';
import type { Resource } from '../../hooks';
import type { ActionId } from './words';

export type TabId = 'overview' | 'monitoring' | 'alarms' | 'rules' | 'logs' | 'operations' | 'settings' | 'agents';

export type TabProps = {
  cluster: Cluster;
  explain: Resource<Schemas['Explain']>;
  mayWrite: boolean;
  actions: ActionId[];
  onAction: (id: ActionId) => void;
  reload: () => void;
  /** own is the revision that this page's last change has made. */
  own: number;
};

type Entry = { id: TabId; feature?: string; mode?: Cluster['mode'] };

const tabs: Entry[] = [
  { id: 'overview' },
  { id: 'monitoring', feature: 'monitoring' },
  { id: 'alarms', feature: 'alarms' },
  { id: 'rules', feature: 'integrations' },
  { id: 'logs', feature: 'logs' },
  { id: 'operations' },
  { id: 'settings' },
  { id: 'agents', mode: 'adopted' },
];

export function tabsOf(c: Cluster): Entry[] {
  return tabs.filter((x) => !x.mode || x.mode === c.mode)
    .filter((x) => !x.feature || c.features.some((f) => f.feature === x.feature));
}

/** why tells why a feature is not there; nothing where it is. */
export function why(c: Cluster, feature: string): string | undefined {
  const f = c.features.find((x) => x.feature === feature);
  return f?.available ? undefined : (f?.why ?? '');
}
