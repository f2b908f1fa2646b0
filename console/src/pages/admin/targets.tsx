import { useState } from 'preact/hooks';
import { send, type Schemas } from '../../api';
import { Badge, Button, Confirm, Tag, TextField, Time, toast, type Tone } from '../../components';
import { num, texts } from '../../i18n';
import { may } from '../../rights';
import { resource } from './resource';

const t = texts({
  'tg.builtIn': ['built in', '内置'],
  'tg.True': ['Reachable', '可达'],
  'tg.False': ['Unreachable', '不可达'],
  'tg.Unknown': ['Not known', '未知'],
  'tg.notHeld': ['Not held by this instance', '未由本实例持有'],
  'tg.unfenced': ['Held without a lease', '无租约保护'],
  'tg.other': ['Another Kubernetes', '不是原来的 Kubernetes'],
  'tg.accept': ['Accept identity', '接受身份'],
  'tg.acceptTitle': ['Accept the identity of {{name}}?', '接受 {{name}} 的身份？'],
  'tg.acceptAbout': [
    'The Kubernetes behind this target is another than the one its clusters were made on. Accept it only where it was moved or rebuilt with its objects: clusters are written to it from then on.',
    '此目标背后的 Kubernetes 与集群创建时的不同。仅当它连同其对象被迁移或重建时才接受：此后将向其写入集群。',
  ],
  'tg.uid': ['Uid of its namespace kube-system', '其 kube-system 命名空间的 uid'],
  'tg.accepted': ['The identity of {{name}} is accepted', '已接受 {{name}} 的身份'],
});

type Target = Schemas['TargetInfo'];

function Health({ of: h }: { of: Target['health'] }) {
  const tone: Tone = h.reachable === 'True' ? 'ok' : h.reachable === 'False' ? 'bad' : 'off';
  const word = h.reachable === 'True' ? 'tg.True' : h.reachable === 'False' ? 'tg.False' : 'tg.Unknown';
  const notes = [h.message, h.lease?.message, ...(h.warnings ?? [])].filter(Boolean);
  return (
    <span class="admin-two">
      <span class="admin-tags">
        <Badge tone={tone}>{t(word)}</Badge>
        {h.lease?.otherPlatform && <Badge tone="bad">{t('tg.other')}</Badge>}
        {h.lease && !h.lease.held && !h.lease.otherPlatform && <Badge tone="warn">{t('tg.notHeld')}</Badge>}
        {h.lease?.unfenced && <Badge tone="warn">{t('tg.unfenced')}</Badge>}
      </span>
      {notes.map((n) => <span key={n} class="faint small admin-text">{n}</span>)}
    </span>
  );
}

function Accept({ name, reload }: { name: string; reload: () => void }) {
  const [open, setOpen] = useState(false);
  const [uid, setUid] = useState('');
  const accept = async () => {
    await send('POST', `kubernetes-targets/${encodeURIComponent(name)}/identity`, { body: { identity: uid.trim() } });
    toast(t('tg.accepted', { name }));
    reload();
  };
  return (
    <>
      <Button small aria-label={`${t('tg.accept')}: ${name}`} onClick={() => setOpen(true)}>{t('tg.accept')}</Button>
      {open && (
        <Confirm danger title={t('tg.acceptTitle', { name })} action={t('tg.accept')} disabled={!uid.trim()}
          onConfirm={accept} onClose={() => setOpen(false)}>
          <p>{t('tg.acceptAbout')}</p>
          <TextField label={t('tg.uid')} value={uid} onValue={setUid} autocomplete="off" spellcheck={false}
            hint={<code>kubectl get namespace kube-system -o jsonpath={'{.metadata.uid}'}</code>} />
        </Confirm>
      )}
    </>
  );
}

const admin = () => may('admin');

export const Targets = resource<Target>({
  title: ['Kubernetes targets', 'Kubernetes 目标'],
  one: ['Kubernetes target', 'Kubernetes 目标'],
  about: ['Where hosted clusters run.', '托管集群运行所在的 Kubernetes。'],
  path: 'kubernetes-targets',
  kinds: ['target'],
  id: (x) => x.name,
  columns: [
    {
      id: 'name', head: ['Name', '名称'], by: (x) => x.name,
      cell: (x) => (
        <span class="admin-two">
          <span class="row"><strong>{x.name}</strong>{x.builtIn && <Tag>{t('tg.builtIn')}</Tag>}</span>
          <span class="faint small admin-text">{x.description}</span>
        </span>
      ),
    },
    { id: 'health', head: ['Health', '健康状况'], by: (x) => x.health.reachable, cell: (x) => <Health of={x.health} /> },
    { id: 'seen', head: ['Last checked', '上次检查'], cell: (x) => <Time at={x.health.checkedAt} /> },
    { id: 'clusters', head: ['Clusters', '集群'], align: 'end', by: (x) => x.clusters, cell: (x) => num(x.clusters) },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'] },
    { path: '/description', type: 'text', optional: true, label: ['Description', '描述'] },
    { path: '/kubeconfig', type: 'lines', secret: true, file: true, label: ['Kubeconfig', 'Kubeconfig'] },
    {
      path: '/network/clusterDomain', type: 'text', optional: true, label: ['DNS domain', 'DNS 域'],
      hint: ['cluster.local when left out. For clusters made from now on.', '留空为 cluster.local。仅用于此后创建的集群。'],
    },
    {
      path: '/network/ipFamily', type: 'select', optional: true, label: ['IP family', 'IP 协议族'],
      options: [
        { value: '', label: ["Kubernetes' own", '由 Kubernetes 决定'] },
        { value: 'IPv4', label: ['IPv4', 'IPv4'] },
        { value: 'IPv6', label: ['IPv6', 'IPv6'] },
      ],
    },
    {
      path: '/network/ipFamilyPolicy', type: 'select', optional: true, label: ['IP families of Services', 'Service 的协议族策略'],
      options: [
        { value: '', label: ["Kubernetes' own", '由 Kubernetes 决定'] },
        { value: 'SingleStack', label: ['SingleStack', 'SingleStack'] },
        { value: 'PreferDualStack', label: ['PreferDualStack', 'PreferDualStack'] },
        { value: 'RequireDualStack', label: ['RequireDualStack', 'RequireDualStack'] },
      ],
    },
  ],
  byName: true,
  deleteNote: ['Only a target without clusters can be deleted.', '只有没有集群的目标才能删除。'],
  mayCreate: admin,
  mayEdit: (x) => admin() && !x.builtIn,
  mayDelete: (x) => admin() && !x.builtIn,
  actions: (x, reload) => (admin() && x.health.lease?.otherPlatform ? <Accept name={x.name} reload={reload} /> : null),
});
