import './cluster.css';
import { TabContent } from './TabContent';
import { useEffect, useState } from 'preact/hooks';
import { api, ok } from '../../api';
import { ButtonLink, Empty, ErrorBox, Skeleton, Tabs, type Tab } from '../../components';
import { useResource } from '../../hooks';
import { may } from '../../rights';
import type { Params } from '../../router';
import type { Event } from '../../stream';
import { dangerous, fixed, nouns, possible } from './actions';
import { ChangeDialog } from './ChangeDialog';
import { forms } from './forms';
import { Header } from './Header';
import { tabsOf, type TabId } from './tabs';
import { actionName, t, type ActionId } from './words';

export default function Page({ params }: { params: Params }) {
  const id = params['id'] ?? '';
  return <ClusterPage key={id} id={id} tab={params['tab'] ?? 'overview'} />;
}

function ClusterPage({ id, tab }: { id: string; tab: string }) {
  const mine = (e: Event) => e.key === id || (e.object as { cluster?: string } | null)?.cluster === id;
  const live = { kinds: ['cluster', 'operation', 'agent'] as const, match: mine, every: 15_000 };
  const path = { params: { path: { id } } };
  const cluster = useResource(async (signal) => ok(api.GET('/api/v1/clusters/{id}', { ...path, signal })), [id], live);
  const explain = useResource(async (signal) => ok(api.GET('/api/v1/clusters/{id}/explain', { ...path, signal })), [id], live);
  const [own, setOwn] = useState(0);
  const [action, setAction] = useState<ActionId>();

  const there = cluster.data !== undefined;
  useEffect(() => {
    if (there) document.querySelector('.tab.on')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [tab, there]);

  const c = cluster.data;
  if (cluster.error && (cluster.error.status === 404 || cluster.error.status === 403)) {
    return <Empty title={t('cl.gone')}><ButtonLink to="/clusters">{t('cl.back')}</ButtonLink></Empty>;
  }
  if (!c) return cluster.error ? <ErrorBox problem={cluster.error} retry={cluster.reload} /> : <Skeleton lines={8} />;

  const mayWrite = may('write', c.project);
  const actions = mayWrite && explain.data ? possible(c, explain.data.legal) : [];
  const tabs = tabsOf(c);
  const active: TabId = tabs.find((x) => x.id === tab)?.id ?? 'overview';
  const reload = () => {
    explain.reload();
    ok(api.GET('/api/v1/clusters/{id}', path)).then(
      (now) => {
        cluster.set(now);
        setOwn(now.revision);
      },
      cluster.reload,
    );
  };
  const words: Tab[] = tabs.map((x) => ({ id: x.id, label: t(`cl.${x.id}`) }));
  const entry = action && forms[action];
  return (
    <>
      <Header cluster={c} operation={active === 'overview' ? undefined : explain.data?.operation} actions={actions} mayWrite={mayWrite} problem={cluster.error} at={cluster.at}
        onAction={setAction} />
      <Tabs label={t('cl.tabs')} tabs={words} active={active} to={(x) => `/clusters/${id}/${x}`} />
      <div class="cl-body">
        <TabContent key={active} tab={active} cluster={c} explain={explain} mayWrite={mayWrite} actions={actions}
          onAction={setAction} reload={reload} own={own} />
      </div>
      {action && (
        <ChangeDialog key={action} cluster={c} title={actionName(action)} danger={dangerous.has(action)} byName={action === 'delete'} confirm={nouns.has(action) ? t('cl.apply') : undefined}
          form={entry?.form} pointers={entry?.pointers ?? []} change={fixed(action)}
          onClose={() => setAction(undefined)}
          onDone={reload} />
      )}
    </>
  );
}
