import { texts, word } from '../../i18n';

/** t are the texts of the page's frame and of its changes; tabs have their own beside them. */
export const t = texts({
  'cl.tabs': ['Parts of the cluster', '集群页面'],
  'cl.overview': ['Overview', '概览'],
  'cl.monitoring': ['Monitoring', '监控'],
  'cl.alarms': ['Alarms', '告警'],
  'cl.rules': ['Rules and connectors', '规则与连接器'],
  'cl.logs': ['Logs', '日志'],
  'cl.operations': ['Operations and events', '操作与事件'],
  'cl.settings': ['Settings', '设置'],
  'cl.agents': ['Agents', 'Agent'],
  'cl.gone': ['This cluster does not exist, or is not yours to see.', '集群不存在，或您无权查看。'],
  'cl.back': ['To the clusters', '返回集群列表'],
  'cl.hosted': ['Hosted', '托管'],
  'cl.adopted': ['Adopted', '纳管'],
  'cl.since': ['since', '始于'],
  'cl.staleSince': ['Nothing can be seen of it at present. What is shown was true {{ago}} ({{time}}).', '当前无法观测该集群。显示的是 {{ago}}（{{time}}）的情况。'],
  'cl.readFailed': ['It could not be read again; this is from {{time}}.', '重新读取失败，显示的是 {{time}} 的内容。'],
  'cl.actions': ['Actions', '操作'],
  'cl.dashboard': ['Enter dashboard', '进入 Dashboard'],
  'cl.dashboardBlocked': ['The browser did not open a new tab. Allow it for this page and try again.', '浏览器未打开新标签页，请允许后重试。'],
  'cl.guide': ['Connect agents', '接入指引'],
  'cl.noChange': ['Nothing can be asked of it now.', '当前没有可执行的操作。'],
  'cl.notAvailable': ['Not available', '不可用'],
  'cl.apply': ['Apply the change', '确认变更'],
  'cl.copyId': ['cluster ID', '集群 ID'],
});

const settingWords = {
  describe: ['Name', '名称'],
  scale: ['Nodes', '节点数'],
  resize: ['Size of a node', '节点规格'],
  image: ['EMQX image', 'EMQX 镜像'],
} as const;

const actionWords = {
  start: ['Start', '启动'],
  stop: ['Stop', '停止'],
  restart: ['Restart', '重启'],
  repair: ['Repair', '修复'],
  'take-over': ['Take over what is there', '以现状为准（接管）'],
  'put-back': ['Put back what is recorded', '以记录为准（还原）'],
  describe: ['Rename', '重命名'],
  scale: ['Scale', '伸缩节点'],
  resize: ['Resize', '调整规格'],
  image: ['Change version', '变更版本'],
  network: ['Network', '网络'],
  connections: ['Connections', '连接数'],
  replicants: ['Replicants', '复制节点'],
  evacuation: ['Evacuation', '节点疏散'],
  hibernation: ['Hibernation', '定时休眠'],
  maintenance: ['Maintenance windows', '维护窗口'],
  placement: ['Placement', '调度'],
  config: ['EMQX settings', 'EMQX 配置'],
  serviceAddress: ['Dashboard address', 'Dashboard 地址'],
  transfer: ['Transfer to another project', '转移到其他项目'],
  delete: ['Delete', '删除'],
} as const;

export type ActionId = keyof typeof actionWords;
export const actionName = (id: ActionId): string => word(actionWords, id);

/** settingName names what an action changes. */
export const settingName = (id: ActionId): string => (id in settingWords ? word(settingWords, id) : actionName(id));
