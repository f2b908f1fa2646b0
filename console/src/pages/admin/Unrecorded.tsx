import { useState } from 'preact/hooks';
import { send, type Plan, type Schemas } from '../../api';
import {
  Badge, Button, ConfirmByName, Dialog, Empty, ErrorBox, PlanView, Skeleton, Table, tc, TextArea, TextField, Time, toast,
  type Column,
} from '../../components';
import { useAction, useResource } from '../../hooks';
import { texts } from '../../i18n';
import { navigate } from '../../router';
import { wholeList } from './lists';

const t = texts({
  'un.title': ['Unrecorded clusters', '未登记的集群'],
  'un.about': [
    'Clusters that exist on Kubernetes and that no record knows, e.g. after a restored backup. They are left alone until somebody decides.',
    '存在于 Kubernetes 但没有记录的集群，例如恢复备份之后。在有人决定之前不会改动它们。',
  ],
  'un.none': ['No unrecorded clusters', '没有未登记的集群'],
  'un.id': ['Cluster', '集群'],
  'un.target': ['Target', '目标'],
  'un.nodes': ['Nodes ready', '就绪节点'],
  'un.volumes': ['Volumes', '存储卷'],
  'un.made': ['Made', '创建时间'],
  'un.state': ['What is known', '已知情况'],
  'un.terminating': ['being removed', '移除中'],
  'un.deleted': ['deleted by {{who}}', '已被 {{who}} 删除'],
  'un.recordedOn': ['recorded on {{target}}', '记录在 {{target}}'],
  'un.takeOver': ['Take over', '接管'],
  'un.takeOverTitle': ['Take over {{id}}', '接管 {{id}}'],
  'un.plan': ['See the plan', '查看计划'],
  'un.config': ['Value of {{name}}', '{{name}} 的值'],
  'un.configHint': ['Its value is not kept with the objects of the cluster.', '其值未随集群对象保存。'],
  'un.taken': ['{{id}} is taken over', '已接管 {{id}}'],
  'un.remove': ['Remove', '移除'],
  'un.removeTitle': ['Remove {{id}} with its data?', '移除 {{id}} 及其数据？'],
  'un.removeAbout': ['Its nodes and volumes on {{target}} are removed. This cannot be undone.', '将移除其在 {{target}} 上的节点和存储卷。此操作无法撤销。'],
  'un.removing': ['{{id}} is being removed', '正在移除 {{id}}'],
});

type Unrecorded = Schemas['Unrecorded'];
type Open = { kind: 'take' | 'remove'; row: Unrecorded };

export function UnrecordedPage() {
  const list = useResource((signal) => wholeList<Unrecorded>('unrecorded-clusters', signal), [], {
    kinds: ['cluster', 'tombstone'], every: 30_000,
  });
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const close = () => setOpen(undefined);
  const columns: Column<Unrecorded>[] = [
    {
      id: 'id', head: t('un.id'),
      cell: (u) => (
        <span class="admin-two">
          <strong class="break">{u.name ?? u.id}</strong>
          <span class="faint small">{[u.name && u.id, u.project].filter(Boolean).join(' · ')}</span>
        </span>
      ),
    },
    { id: 'target', head: t('un.target'), cell: (u) => u.target },
    { id: 'nodes', head: t('un.nodes'), align: 'end', cell: (u) => `${u.readyNodes}/${u.nodes}` },
    { id: 'volumes', head: t('un.volumes'), align: 'end', cell: (u) => u.volumes },
    { id: 'made', head: t('un.made'), cell: (u) => <Time at={u.createdAt} /> },
    { id: 'state', head: t('un.state'), cell: (u) => <Known of={u} /> },
    {
      id: 'actions', head: '', align: 'end',
      cell: (u) => (
        <span class="row end">
          {u.canTakeOver && (
            <Button small aria-label={`${t('un.takeOver')}: ${u.id}`} onClick={() => setOpen({ kind: 'take', row: u })}>
              {t('un.takeOver')}
            </Button>
          )}
          {!u.terminating && (
            <Button small kind="danger" aria-label={`${t('un.remove')}: ${u.id}`} onClick={() => setOpen({ kind: 'remove', row: u })}>
              {t('un.remove')}
            </Button>
          )}
        </span>
      ),
    },
  ];
  const remove = async (u: Unrecorded) => {
    const q = new URLSearchParams({ name: u.id, target: u.target });
    await send('DELETE', `unrecorded-clusters/${encodeURIComponent(u.id)}?${q.toString()}`);
    toast(t('un.removing', { id: u.id }));
    list.reload();
  };
  return (
    <>
      <div class="page-head"><h2 class="admin-h">{t('un.title')}</h2></div>
      <p class="faint">{t('un.about')}</p>
      {list.error && <ErrorBox problem={list.error} retry={list.reload} />}
      {!list.data && !list.error && <Skeleton />}
      {list.data?.length === 0 && <div class="panel"><Empty title={t('un.none')} /></div>}
      {list.data && list.data.length > 0 && (
        <Table label={t('un.title')} columns={columns} rows={list.data} rowKey={(u) => `${u.target} ${u.id}`} />
      )}
      {open?.kind === 'take' && <TakeOver of={open.row} onClose={close} />}
      {open?.kind === 'remove' && (
        <ConfirmByName title={t('un.removeTitle', { id: open.row.id })} action={t('un.remove')} name={open.row.id}
          onConfirm={() => remove(open.row)} onClose={close}>
          <p>{t('un.removeAbout', { target: open.row.target })}</p>
        </ConfirmByName>
      )}
    </>
  );
}

function Known({ of: u }: { of: Unrecorded }) {
  return (
    <span class="admin-two">
      <span class="admin-tags">
        {u.terminating && <Badge tone="busy">{t('un.terminating')}</Badge>}
        {u.deletedAt && <Badge tone="warn">{t('un.deleted', { who: u.deletedBy ?? '?' })}</Badge>}
        {u.recordedOn && <Badge tone="warn">{t('un.recordedOn', { target: u.recordedOn })}</Badge>}
      </span>
      {u.why && <span class="faint small admin-text">{u.why}</span>}
    </span>
  );
}

function TakeOver({ of: u, onClose }: { of: Unrecorded; onClose: () => void }) {
  const [name, setName] = useState(u.name ?? '');
  const [project, setProject] = useState(u.project ?? '');
  const [config, setConfig] = useState<Record<string, string>>({});
  const [plan, setPlan] = useState<Plan | undefined>(undefined);
  const body = {
    target: u.target,
    ...(name.trim() ? { name: name.trim() } : {}),
    ...(project.trim() ? { project: project.trim() } : {}),
    ...(u.settings?.length ? { config } : {}),
  };
  const path = `unrecorded-clusters/${encodeURIComponent(u.id)}/take-over`;
  const act = useAction(async () => {
    if (!plan) {
      setPlan(await send<Plan>('POST', `${path}?dryRun=true`, { body }));
      return;
    }
    await send('POST', path, { body, headers: { 'idempotency-key': crypto.randomUUID() } });
    toast(t('un.taken', { id: u.id }));
    navigate(`/clusters/${u.id}`);
  });
  // A plan of other values is no plan of these.
  const typed = <A extends unknown[]>(set: (...a: A) => void) => (...a: A) => { setPlan(undefined); set(...a); };
  return (
    <Dialog title={t('un.takeOverTitle', { id: u.id })} wide onClose={onClose} footer={
      <>
        <Button onClick={onClose}>{tc('c.cancel')}</Button>
        <Button kind="primary" busy={act.busy} onClick={() => void act.run()}>{plan ? t('un.takeOver') : t('un.plan')}</Button>
      </>
    }>
      <TextField label={tc('c.name')} value={name} onValue={typed(setName)} error={act.error?.field('/name')} />
      <TextField label={tc('c.project')} value={project} onValue={typed(setProject)} error={act.error?.field('/project')} />
      {u.settings?.map((s) => (
        <TextArea key={s} mono rows={2} label={t('un.config', { name: s })} hint={t('un.configHint')} value={config[s] ?? ''}
          error={act.error?.field(`/config/${s}`)} onValue={typed((v: string) => setConfig({ ...config, [s]: v }))} />
      ))}
      {plan && <PlanView plan={plan} />}
      {act.error && <ErrorBox problem={act.error} shown={['/name', '/project']} />}
    </Dialog>
  );
}
