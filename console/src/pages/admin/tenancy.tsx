import { useState } from 'preact/hooks';
import { send, type Schemas } from '../../api';
import { Bar, Button, Time } from '../../components';
import { useResource } from '../../hooks';
import { num, texts } from '../../i18n';
import { may } from '../../rights';
import { EditDialog } from './EditDialog';
import { orgChoices } from './lists';
import { resource } from './resource';
import { t as ta } from './texts';

const t = texts({
  'tn.quotaOf': ['Quota of {{name}}', '{{name}} 的配额'],
  'tn.booked': ['{{n}} connections booked', '已占用 {{n}} 个连接'],
});

type Quota = Schemas['Quota'];

/** Used shows how much of a limit is used, in words and as a bar; 0 is no limit. */
export function Used({ used, of }: { used: number; of: number }) {
  const text = of ? ta('admin.of', { used: num(used), limit: num(of) }) : ta('admin.ofUnlimited', { used: num(used) });
  return (
    <span class="admin-used">
      <span class="num nowrap">{text}</span>
      {of > 0 && <Bar used={used} of={of} label={text} />}
    </span>
  );
}

/** QuotaCell reads the quota of one row: the lists do not have it. */
function QuotaCell({ path }: { path: string }) {
  const q = useResource((signal) => send<Quota>('GET', `${path}/quota`, { signal }), [path], {
    kinds: ['quota'], match: (e) => path.endsWith(e.key),
  });
  if (!q.data) return <span class="faint" title={q.error?.detail}>–</span>;
  return <Used used={q.data.usedConnections} of={q.data.connections} />;
}

function QuotaButton({ path, name, reload }: { path: string; name: string; reload: () => void }) {
  const [open, setOpen] = useState(false);
  const title = t('tn.quotaOf', { name });
  return (
    <>
      <Button small kind="quiet" aria-label={title} onClick={() => setOpen(true)}>{ta('admin.quota')}</Button>
      {open && (
        <EditDialog title={title} name={title} path={`${path}/quota`} kinds={['quota']} onClose={() => setOpen(false)}
          onDone={() => { setOpen(false); reload(); }}
          fields={[{
            path: '/connections', type: 'number', min: 0, label: ['Connections', '连接数'],
            hint: ['MQTT connections that its clusters may book together; 0 is unlimited.', '其集群总共可占用的 MQTT 连接数；0 表示不限。'],
          }]} />
      )}
    </>
  );
}

const description = { path: '/description', type: 'text', optional: true, label: ['Description', '描述'] } as const;
const slug = ['1 to 63 lower-case letters, digits and “-”; never changes.', '1 到 63 个小写字母、数字和“-”，创建后不可更改。'] as const;

export const Orgs = resource<Schemas['Org']>({
  title: ['Organisations', '组织'],
  one: ['organisation', '组织'],
  path: 'orgs',
  kinds: ['org'],
  id: (o) => o.name,
  search: (o) => `${o.name} ${o.description}`,
  columns: [
    { id: 'name', head: ['Name', '名称'], by: (o) => o.name, cell: (o) => <strong>{o.name}</strong> },
    { id: 'description', head: ['Description', '描述'], cell: (o) => <span class="admin-text">{o.description}</span> },
    {
      id: 'quota', head: ['Connections of the quota', '配额连接数'],
      cell: (o) => (may('projects', o.name) ? <QuotaCell path={`orgs/${o.name}`} /> : <span class="faint">–</span>),
    },
    { id: 'created', head: ['Created', '创建时间'], by: (o) => o.createdAt, cell: (o) => <Time at={o.createdAt} /> },
  ],
  fields: [{ path: '/name', type: 'text', fixed: true, label: ['Name', '名称'], hint: slug }, description],
  byName: true,
  mayCreate: () => may('admin'),
  mayEdit: (o) => may('projects', o.name),
  mayDelete: () => may('admin'),
  actions: (o, reload) => (may('admin') ? <QuotaButton path={`orgs/${o.name}`} name={o.name} reload={reload} /> : null),
});

export const Projects = resource<Schemas['Project']>({
  title: ['Projects', '项目'],
  one: ['project', '项目'],
  path: 'projects',
  kinds: ['project', 'cluster'],
  id: (p) => p.path,
  address: (p) => p.path,
  search: (p) => `${p.path} ${p.description}`,
  columns: [
    { id: 'path', head: ['Project', '项目'], by: (p) => p.path, cell: (p) => <strong class="break">{p.path}</strong> },
    { id: 'description', head: ['Description', '描述'], cell: (p) => <span class="admin-text">{p.description}</span> },
    {
      id: 'clusters', head: ['Clusters', '集群'], align: 'end', by: (p) => p.usage.clusters, cell: (p) => num(p.usage.clusters),
    },
    {
      id: 'booked', head: ['Booked connections', '占用连接数'], align: 'end', by: (p) => p.usage.connections,
      cell: (p) => num(p.usage.connections),
    },
    { id: 'quota', head: ['Quota', '配额'], cell: (p) => <QuotaCell path={`projects/${p.path}`} /> },
  ],
  fields: [
    { path: '/org', type: 'select', only: 'create', options: orgChoices, label: ['Organisation', '组织'] },
    { path: '/name', type: 'text', only: 'create', label: ['Name', '名称'], hint: slug },
    description,
  ],
  build: ({ org, name, ...rest }) => ({ ...rest, path: `${String(org ?? '')}/${String(name ?? '')}` }),
  errorsAt: { '/name': '/path' },
  byName: true,
  mayCreate: () => may('projects'),
  mayEdit: (p) => may('projects', p.path),
  mayDelete: (p) => may('projects', p.path),
  actions: (p, reload) => (
    may('projects', p.path) ? <QuotaButton path={`projects/${p.path}`} name={p.path} reload={reload} /> : null
  ),
});
