import { Icon, Table, tc, type Column } from '../../components';
import { lang, texts } from '../../i18n';
import { roles } from '../../rights';
import type { Schemas } from '../../api';
import { roleName, roleWords } from './texts';

const t = texts({
  'rl.title': ['Roles', '角色'],
  'rl.about': [
    'A user has one or more grants, an API token has one. A grant is a role with its reach: the whole installation, an organisation or a project.',
    '用户可有一个或多个授权，API 令牌只有一个。授权由角色及其范围构成：整个安装、一个组织或一个项目。',
  ],
  'rl.right': ['Right', '权限'],
});

const meaningsZh: Record<string, string> = {
  read: '查看项目及其集群、操作和事件；读取 Broker 中不含机密的内容，进入其 Dashboard',
  catalog: '查看规格、镜像、资源池、负载均衡配置和 Kubernetes 目标',
  write: '在项目中创建和操作集群（转移需双方均有此权限）；以管理员身份调用其 Broker',
  members: '查看、创建、修改和删除权限均在自己范围内的用户和 API 令牌；不能授予自己没有的权限',
  audit: '查看和导出项目的审计记录',
  projects: '创建、修改和删除组织的项目并设置其配额；查看组织自身的配额，修改其描述',
  admin: '创建和删除组织；修改各类目录、资源池、组织配额和 Kubernetes 目标；查看镜像仓库和许可证',
};

type Right = Schemas['RightInfo'];

export function RolesPage() {
  const zh = lang.value === 'zh';
  const columns: Column<Right>[] = [
    {
      id: 'right', head: t('rl.right'),
      cell: (r) => (
        <span class="admin-two">
          <code>{r.right}</code>
          <span class="faint small admin-meaning">{(zh && meaningsZh[r.right]) || r.meaning}</span>
        </span>
      ),
    },
    ...roleWords.map((role): Column<Right> => ({
      id: role, head: roleName(role),
      cell: (r) => (r.roles.includes(role)
        ? <><Icon name="ok" /><span class="sr">{tc('c.yes')}</span></>
        : <><span class="faint" aria-hidden="true">–</span><span class="sr">{tc('c.no')}</span></>),
    })),
  ];
  return (
    <>
      <div class="page-head"><h2 class="admin-h">{t('rl.title')}</h2></div>
      <p class="faint">{t('rl.about')}</p>
      <Table label={t('rl.title')} columns={columns} rows={roles.value} rowKey={(r) => r.right} />
    </>
  );
}
