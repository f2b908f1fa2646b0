import { texts, word } from '../i18n';

/** tc are the texts that every page needs. */
export const tc = texts({
  'c.save': ['Save', '保存'],
  'c.cancel': ['Cancel', '取消'],
  'c.close': ['Close', '关闭'],
  'c.retry': ['Try again', '重试'],
  'c.copy': ['Copy', '复制'],
  'c.copied': ['Copied', '已复制'],
  'c.loading': ['Loading', '加载中'],
  'c.delete': ['Delete', '删除'],
  'c.create': ['Create', '创建'],
  'c.edit': ['Edit', '编辑'],
  'c.confirm': ['Confirm', '确认'],
  'c.yes': ['Yes', '是'],
  'c.no': ['No', '否'],
  'c.all': ['All', '全部'],
  'c.none': ['None', '无'],
  'c.required': ['required', '必填'],
  'c.optional': ['optional', '选填'],
  'c.name': ['Name', '名称'],
  'c.project': ['Project', '项目'],
  'c.state': ['State', '状态'],
  'c.version': ['Version', '版本'],
  'c.nodes': ['Nodes', '节点'],
  'c.connections': ['Connections', '连接数'],
  'c.stale': ['Cannot be seen at present; this is what was last seen.', '当前无法观测，显示的是最后一次观测到的内容。'],
  'c.unreachable': ['The server does not answer.', '服务器无响应。'],
  'c.signedOut': ['Your session had ended. Try again once you are signed in.', '会话已过期，请重新登录后重试。'],
  'c.notFound': ['Not found', '未找到'],
  'c.typeName': ['Type {{name}} to confirm', '请输入 {{name}} 以确认'],
  'c.showMore': ['Show more', '显示更多'],
  'c.sortBy': ['Sort by {{column}}', '按{{column}}排序'],
});

const operations = {
  create: ['Create', '创建'],
  start: ['Start', '启动'],
  stop: ['Stop', '停止'],
  restart: ['Restart', '重启'],
  update: ['Update', '变更'],
  repair: ['Repair', '修复'],
  'take-over': ['Take over', '接管'],
  'put-back': ['Put back', '还原'],
  transfer: ['Transfer', '转移'],
  delete: ['Delete', '删除'],
} as const;

const phases = {
  queued: ['Queued', '排队中'],
  running: ['Running', '进行中'],
  succeeded: ['Succeeded', '成功'],
  failed: ['Failed', '失败'],
  cancelled: ['Cancelled', '已取消'],
  superseded: ['Superseded', '已被取代'],
} as const;

const steps = {
  objects: ['Objects written', '写入对象'],
  nodes: ['Nodes ready', '节点就绪'],
  members: ['Members joined', '成员加入'],
  'maintenance-window': ['Maintenance window', '等待维护窗口'],
  'nodes-replaced': ['Nodes replaced', '替换节点'],
  'nodes-resized': ['Nodes resized', '调整节点规格'],
  'surplus-gone': ['Surplus nodes removed', '移除多余节点'],
  'nodes-stopped': ['Nodes stopped', '停止节点'],
  'limit-read': ['Limit read', '读取连接数限制'],
  'limit-set': ['Limit set', '设置连接数限制'],
  'limit-verified': ['Limit verified', '核对连接数限制'],
  'limit-released': ['Limit given back', '归还连接数限制'],
  'quota-released': ['Quota given back', '归还配额'],
  'settings-set': ['Settings set', '写入配置'],
  'nodes-gone': ['Nodes gone', '节点已移除'],
  'objects-gone': ['Objects gone', '对象已移除'],
} as const;

const states = {
  creating: ['Creating', '创建中'],
  updating: ['Updating', '更新中'],
  syncing: ['Syncing', '状态同步中'],
  starting: ['Starting', '启动中'],
  running: ['Running', '运行中'],
  degraded: ['Degraded', '降级运行中'],
  stopping: ['Stopping', '停止中'],
  stopped: ['Stopped', '已停止'],
  abnormal: ['Abnormal', '异常'],
  nonexistent: ['Nonexistent', '不存在'],
  created: ['Created', '已创建'],
  registering: ['Registering', '注册中'],
  deleting: ['Deleting', '删除中'],
  gone: ['Deleted', '已删除'],
} as const;

export const operationName = (kind: string) => word(operations, kind);
export const phaseName = (phase: string) => word(phases, phase);
export const stepName = (step: string) => word(steps, step);
/** stateName is for states without a label beside them: filters, plans, totals. */
export const stateName = (state: string) => word(states, state);
export const stateWords = Object.keys(states);

export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'off';

export function toneOf(state: string): Tone {
  switch (state) {
    case 'running':
      return 'ok';
    case 'degraded':
      return 'warn';
    case 'abnormal':
      return 'bad';
    case 'stopped':
    case 'created':
    case 'nonexistent':
    case 'gone':
      return 'off';
    default:
      return 'busy';
  }
}
