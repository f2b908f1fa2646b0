import type { Schemas } from '../../api';
import { Badge, Tag } from '../../components';
import { num } from '../../i18n';
import { may } from '../../rights';
import type { FieldSpec } from './form';
import { resource } from './resource';
import { t } from './texts';

const admin = () => may('admin');
const slug = ['Lower-case letters, digits, “-” and “.”; never changes.', '小写字母、数字、“-”和“.”，创建后不可更改。'] as const;

export function Default({ on }: { on: boolean | undefined }) {
  return on ? <Tag>{t('admin.default')}</Tag> : null;
}

function pair(name: string, label: readonly [string, string], example: string): FieldSpec[] {
  return [
    {
      path: `/${name}/request`, type: 'text', label: [`${label[0]}: request`, `${label[1]}请求`],
      hint: [`A Kubernetes quantity, e.g. ${example}`, `Kubernetes 数量格式，如 ${example}`],
    },
    {
      path: `/${name}/limit`, type: 'text', label: [`${label[0]}: limit`, `${label[1]}上限`],
      hint: ['Not less than the request', '不小于请求值'],
    },
  ];
}

type Quantities = Schemas['Size']['cpu'];
const quantities = (q: Quantities) => (q.request === q.limit ? q.request : `${q.request} – ${q.limit}`);

export const Sizes = resource<Schemas['Size']>({
  title: ['Sizes', '规格'],
  one: ['size', '规格'],
  about: ['What a node of a hosted cluster gets.', '托管集群每个节点的资源规格。'],
  path: 'sizes',
  kinds: ['size'],
  id: (s) => s.name,
  columns: [
    {
      id: 'name', head: ['Name', '名称'], by: (s) => s.name,
      cell: (s) => <span class="row"><strong>{s.name}</strong><Default on={s.default} /></span>,
    },
    { id: 'cpu', head: ['CPU', 'CPU'], cell: (s) => quantities(s.cpu) },
    { id: 'memory', head: ['Memory', '内存'], cell: (s) => quantities(s.memory) },
    { id: 'storage', head: ['Volume', '存储卷'], cell: (s) => s.storage.size },
    { id: 'class', head: ['Storage class', '存储类'], cell: (s) => s.storage.class ?? <span class="faint">–</span> },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'] },
    ...pair('cpu', ['CPU', 'CPU'], '500m, 2'),
    ...pair('memory', ['Memory', '内存'], '4Gi'),
    { path: '/storage/size', type: 'text', label: ['Volume of each node', '每个节点的存储卷'], hint: ['e.g. 10Gi', '如 10Gi'] },
    {
      path: '/storage/class', type: 'text', optional: true, label: ['Storage class', '存储类'],
      hint: ["The platform's default when left out", '留空则使用平台默认存储类'],
    },
    { path: '/default', type: 'check', label: ['Default for new clusters', '新集群的默认规格'] },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

export const Images = resource<Schemas['Image']>({
  title: ['Images', '镜像'],
  one: ['image', '镜像'],
  path: 'images',
  kinds: ['image'],
  id: (i) => i.id,
  search: (i) => `${i.id} ${i.reference} ${i.version}`,
  columns: [
    {
      id: 'id', head: ['Name', '名称'], by: (i) => i.id,
      cell: (i) => (
        <span class="row">
          <strong>{i.id}</strong>
          <Default on={i.default} />
          {i.unverified && <Badge tone="warn">{unverified()}</Badge>}
        </span>
      ),
    },
    { id: 'version', head: ['Version', '版本'], by: (i) => i.version, cell: (i) => i.version },
    { id: 'reference', head: ['Reference', '镜像地址'], cell: (i) => <code>{i.reference}</code> },
    {
      id: 'architectures', head: ['Processors', '处理器架构'],
      cell: (i) => (i.architectures?.length ? i.architectures.join(', ') : <span class="faint">–</span>),
    },
  ],
  fields: [
    { path: '/id', type: 'text', fixed: true, label: ['Name', '名称'], hint: slug },
    { path: '/version', type: 'text', label: ['EMQX version', 'EMQX 版本'], hint: ['e.g. 5.8.9', '如 5.8.9'] },
    {
      path: '/reference', type: 'text', label: ['Reference', '镜像地址'],
      hint: ['What Kubernetes pulls', 'Kubernetes 拉取的镜像'],
    },
    {
      path: '/architectures', type: 'list', optional: true, label: ['Processors', '处理器架构'],
      hint: [
        'One on a line, e.g. amd64. Nodes are placed on such machines only; on any when left out.',
        '每行一个，如 amd64。节点只调度到对应架构的机器；留空则不限。',
      ],
    },
    { path: '/default', type: 'check', label: ['Default for new clusters', '新集群的默认镜像'] },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

export const Registries = resource<Schemas['Registry']>({
  title: ['Registries', '镜像仓库'],
  one: ['registry', '镜像仓库'],
  about: ['With which user and password images are pulled.', '拉取镜像所用的账号和密码。'],
  path: 'registries',
  kinds: ['registry'],
  id: (r) => r.name,
  search: (r) => `${r.name} ${r.host} ${r.user}`,
  columns: [
    { id: 'name', head: ['Name', '名称'], by: (r) => r.name, cell: (r) => <strong>{r.name}</strong> },
    { id: 'host', head: ['Host', '地址'], by: (r) => r.host, cell: (r) => <code>{r.host}</code> },
    { id: 'user', head: ['User', '用户名'], cell: (r) => r.user },
    { id: 'password', head: ['Password', '密码'], cell: (r) => t(r.passwordSet ? 'admin.set' : 'admin.notSet') },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'], hint: slug },
    {
      path: '/host', type: 'text', label: ['Host', '地址'],
      hint: ['With its port, as in image references', '含端口，与镜像地址中的写法一致'],
    },
    { path: '/user', type: 'text', label: ['User', '用户名'] },
    { path: '/password', type: 'password', label: ['Password', '密码'] },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

export const Profiles = resource<Schemas['LBProfile']>({
  title: ['Load-balancer profiles', '负载均衡配置'],
  one: ['load-balancer profile', '负载均衡配置'],
  about: [
    'Annotations for the access Service of clusters that book so many connections.',
    '按集群占用的连接数，为其接入 Service 添加的注解。',
  ],
  path: 'lb-profiles',
  kinds: ['lb-profile'],
  id: (p) => p.name,
  columns: [
    { id: 'name', head: ['Name', '名称'], by: (p) => p.name, cell: (p) => <strong>{p.name}</strong> },
    {
      id: 'from', head: ['From connections', '连接数下限'], align: 'end', by: (p) => p.minConnections,
      cell: (p) => num(p.minConnections),
    },
    {
      id: 'to', head: ['To connections', '连接数上限'], align: 'end', by: (p) => p.maxConnections || Infinity,
      cell: (p) => (p.maxConnections ? num(p.maxConnections) : t('admin.unlimited')),
    },
    {
      id: 'annotations', head: ['Annotations', '注解'],
      cell: (p) => (
        <span class="admin-tags">{Object.entries(p.annotations).map(([k, v]) => <code key={k}>{`${k}=${v}`}</code>)}</span>
      ),
    },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'], hint: slug },
    {
      path: '/minConnections', type: 'number', min: 0, initial: 0, label: ['From connections', '连接数下限'],
      hint: ['For clusters that book at least as many', '用于占用连接数不小于此值的集群'],
    },
    {
      path: '/maxConnections', type: 'number', min: 0, initial: 0, label: ['To connections', '连接数上限'],
      hint: ['And at most as many; 0 is without end', '且不大于此值；0 表示不限'],
    },
    {
      path: '/annotations', type: 'map', label: ['Annotations', '注解'],
      hint: ["One KEY=VALUE on a line; the cluster's own win.", '每行一个 键=值；集群自己的注解优先。'],
    },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

const unverified = () => t('admin.unverified');
