import type { Schemas } from '../../api';
import { Badge, Tag, Time } from '../../components';
import { num } from '../../i18n';
import { Link } from '../../router';
import { may } from '../../rights';
import { Default } from './catalog';
import { resource } from './resource';

const admin = () => may('admin');
const soon = 30 * 86_400_000;

/** Expiry tells when something expires, and warns in the last 30 days. */
export function Expiry({ at }: { at: string | undefined }) {
  if (!at) return <span class="faint">–</span>;
  const left = new Date(at).getTime() - Date.now();
  if (left > soon) return <Time at={at} />;
  return <Badge tone={left > 0 ? 'warn' : 'bad'}><Time at={at} /></Badge>;
}

export const Licenses = resource<Schemas['License']>({
  title: ['EMQX licenses', 'EMQX 许可证'],
  one: ['EMQX license', 'EMQX 许可证'],
  path: 'emqx-licenses',
  kinds: ['license'],
  id: (l) => l.name,
  columns: [
    {
      id: 'name', head: ['Name', '名称'], by: (l) => l.name,
      cell: (l) => <span class="row"><strong>{l.name}</strong><Default on={l.default} /></span>,
    },
    { id: 'format', head: ['Format', '格式'], by: (l) => l.format, cell: (l) => <Tag>{l.format}</Tag> },
    { id: 'customer', head: ['Customer', '客户'], cell: (l) => l.customer ?? <span class="faint">–</span> },
    { id: 'type', head: ['Type', '类型'], cell: (l) => l.type ?? <span class="faint">–</span> },
    {
      id: 'limit', head: ['Connections', '连接数'], align: 'end', by: (l) => l.limit ?? 0,
      cell: (l) => (l.limit === undefined ? <span class="faint">–</span> : num(l.limit)),
    },
    { id: 'expires', head: ['Expires', '到期时间'], by: (l) => l.expiresAt ?? '9', cell: (l) => <Expiry at={l.expiresAt} /> },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'] },
    {
      path: '/format', type: 'select', fixed: true, label: ['Format', '格式'],
      options: [
        { value: 'v4', label: ['EMQX 4: a file', 'EMQX 4：文件'] },
        { value: 'v5', label: ['EMQX 5 and later: a key', 'EMQX 5 及以上：密钥'] },
      ],
    },
    { path: '/content', type: 'lines', secret: true, file: true, label: ['File or key', '许可证文件或密钥'] },
    {
      path: '/default', type: 'check', label: ['Default for new clusters', '新集群的默认许可证'],
      hint: ['One for each format', '每种格式一个'],
    },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

export const Certificates = resource<Schemas['CertificateInfo']>({
  title: ['TLS certificates', 'TLS 证书'],
  one: ['TLS certificate', 'TLS 证书'],
  path: 'certificates',
  kinds: ['certificate'],
  id: (c) => c.name,
  search: (c) => [c.name, ...c.subjects, ...c.dnsNames].join(' '),
  columns: [
    { id: 'name', head: ['Name', '名称'], by: (c) => c.name, cell: (c) => <strong>{c.name}</strong> },
    { id: 'for', head: ['For', '域名与地址'], cell: (c) => <Names all={[...c.dnsNames, ...c.ipAddresses]} /> },
    { id: 'issuer', head: ['Issuer', '签发者'], cell: (c) => <span class="break">{c.issuer}</span> },
    { id: 'until', head: ['Expires', '到期时间'], by: (c) => c.notAfter, cell: (c) => <Expiry at={c.notAfter} /> },
    {
      id: 'clusters', head: ['Used by', '使用的集群'],
      cell: (c) => (c.clusters.length === 0 ? <span class="faint">–</span> : (
        <span class="admin-tags">{c.clusters.map((id) => <Link key={id} to={`/clusters/${id}`}>{id}</Link>)}</span>
      )),
    },
    {
      id: 'print', head: ['SHA-256', 'SHA-256'],
      cell: (c) => <code title={c.sha256}>{c.sha256.slice(0, 16)}…</code>,
    },
  ],
  fields: [
    { path: '/name', type: 'text', fixed: true, label: ['Name', '名称'] },
    {
      path: '/chain', type: 'lines', file: true, label: ['Certificate chain', '证书链'],
      hint: ["In PEM: the server's own first, then that of each issuer.", 'PEM 格式：服务器证书在前，其后为各级签发者证书。'],
    },
    {
      path: '/key', type: 'lines', secret: true, file: true, label: ['Private key', '私钥'],
      hint: ['In PEM, without a password.', 'PEM 格式，无密码。'],
    },
  ],
  mayCreate: admin, mayEdit: admin, mayDelete: admin,
});

function Names({ all }: { all: readonly string[] }) {
  if (all.length === 0) return <span class="faint">–</span>;
  return <span class="break" title={all.join(', ')}>{all.slice(0, 3).join(', ')}{all.length > 3 ? ` +${all.length - 3}` : ''}</span>;
}

export const expiresSoon = (at: string | undefined): at is string => at !== undefined && new Date(at).getTime() - Date.now() < soon;
