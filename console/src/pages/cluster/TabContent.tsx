import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { asProblem, type Problem } from '../../api';
import { ErrorBox, Skeleton } from '../../components';
import { Overview } from './Overview';
import type { TabId, TabProps } from './tabs';

type Shown = ComponentType<TabProps>;

const loads: Partial<Record<TabId, () => Promise<Shown>>> = {
  monitoring: () => import('./monitoring/Monitoring').then((m) => m.Monitoring),
  alarms: () => import('./Alarms').then((m) => m.Alarms),
  rules: () => import('./Rules').then((m) => m.Rules),
  logs: () => import('./Logs').then((m) => m.Logs),
  operations: () => import('./Operations').then((m) => m.Operations),
  settings: () => import('./Settings').then((m) => m.Settings),
  agents: () => import('./Agents').then((m) => m.Agents),
};

/** TabContent shows a tab; all but the first are chunks of their own. */
export function TabContent({ tab, ...rest }: TabProps & { tab: TabId }) {
  const [got, setGot] = useState<{ shown?: Shown; problem?: Problem }>(tab === 'overview' ? { shown: Overview } : {});
  useEffect(() => {
    const load = loads[tab];
    if (!load) return;
    load().then((shown) => setGot({ shown }), (err: unknown) => setGot({ problem: asProblem(err) }));
  }, [tab]);
  if (got.problem) return <ErrorBox problem={got.problem} retry={() => location.reload()} />;
  const Tab = got.shown;
  return Tab ? <Tab {...rest} /> : <Skeleton lines={6} />;
}
