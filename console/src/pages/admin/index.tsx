import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Empty } from '../../components';
import { may } from '../../rights';
import { Link, type Params } from '../../router';
import './admin.css';
import { AuditPage } from './Audit';
import { Images, Profiles, Registries, Sizes } from './catalog';
import { say, type Pair } from './form';
import { Tokens, Users } from './members';
import { PoolPage } from './Pool';
import { RolesPage } from './Roles';
import { Certificates, Licenses } from './secrets';
import { Targets } from './targets';
import { Orgs, Projects } from './tenancy';
import { t } from './texts';
import { UnrecordedPage } from './Unrecorded';

type Entry = { id: string; name: Pair; show: () => boolean; Page: ComponentType };
type Group = { name: Pair; entries: Entry[] };

const catalog = () => may('catalog');
const admin = () => may('admin');
const members = () => may('members');

const groups: Group[] = [
  {
    name: ['Access', '访问'],
    entries: [
      { id: 'orgs', name: ['Organisations', '组织'], show: () => may('projects'), Page: Orgs },
      { id: 'projects', name: ['Projects', '项目'], show: () => may('read'), Page: Projects },
      { id: 'users', name: ['Users', '用户'], show: members, Page: Users },
      { id: 'tokens', name: ['API tokens', 'API 令牌'], show: members, Page: Tokens },
      { id: 'roles', name: ['Roles', '角色'], show: () => true, Page: RolesPage },
      { id: 'audit', name: ['Audit', '审计'], show: () => may('audit'), Page: AuditPage },
    ],
  },
  {
    name: ['Catalog', '目录'],
    entries: [
      { id: 'sizes', name: ['Sizes', '规格'], show: catalog, Page: Sizes },
      { id: 'images', name: ['Images', '镜像'], show: catalog, Page: Images },
      { id: 'registries', name: ['Registries', '镜像仓库'], show: admin, Page: Registries },
      { id: 'licenses', name: ['EMQX licenses', 'EMQX 许可证'], show: admin, Page: Licenses },
      { id: 'certificates', name: ['TLS certificates', 'TLS 证书'], show: admin, Page: Certificates },
      { id: 'lb-profiles', name: ['Load-balancer profiles', '负载均衡配置'], show: catalog, Page: Profiles },
    ],
  },
  {
    name: ['Platform', '平台'],
    entries: [
      { id: 'pool', name: ['Pool', '资源池'], show: catalog, Page: PoolPage },
      { id: 'targets', name: ['Kubernetes targets', 'Kubernetes 目标'], show: catalog, Page: Targets },
      { id: 'unrecorded', name: ['Unrecorded clusters', '未登记的集群'], show: admin, Page: UnrecordedPage },
    ],
  },
];

export default function Page({ params }: { params: Params }) {
  const shown = groups.map((g) => ({ ...g, entries: g.entries.filter((e) => e.show()) })).filter((g) => g.entries.length);
  const all = shown.flatMap((g) => g.entries);
  const now = params['page'] === undefined ? all[0] : all.find((e) => e.id === params['page']);
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On narrow screens the navigation is one line that scrolls.
    const on = nav.current?.querySelector<HTMLElement>('.on');
    if (nav.current && on) nav.current.scrollLeft = on.offsetLeft - (nav.current.clientWidth - on.offsetWidth) / 2;
  }, [now?.id]);
  return (
    <div class="side-layout">
      <nav ref={nav} class="side-nav" aria-label={t('admin.nav')}>
        {shown.map((g) => (
          <div key={g.name[0]} class="admin-group">
            <span class="admin-group-name">{say(g.name)}</span>
            {g.entries.map((e) => (
              <Link key={e.id} to={`/admin/${e.id}`} class={e === now ? 'on' : undefined}
                aria-current={e === now ? 'page' : undefined}>{say(e.name)}</Link>
            ))}
          </div>
        ))}
      </nav>
      <div class="stack">
        <h1 class="sr">{t('admin.title')}</h1>
        {now ? <now.Page key={now.id} /> : <Empty title={t('admin.notYours')} />}
      </div>
    </div>
  );
}
