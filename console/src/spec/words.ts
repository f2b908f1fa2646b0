import { texts } from '../i18n';

export const ts = texts({
  'sp.type': ['Type', '类型'],
  'sp.lbClass': ['Load balancer class', '负载均衡类别'],
  'sp.certificate': ['Certificate', '证书'],
  'sp.certificateHint': ['Of the catalog, for mqtts and wss. EMQX has one of its own where this is empty.', '用于 mqtts 和 wss 的目录证书，留空则使用 EMQX 自带证书。'],
  'sp.listeners': ['Listeners', '监听器'],
  'sp.port': ['{{protocol}} port', '{{protocol}} 端口'],
  'sp.annotations': ['Annotations of the Service', 'Service 注解'],
  'sp.lines': ['One a line: key=value', '每行一个：key=value'],
  'sp.badLine': ['Not key=value: {{line}}', '不是 key=value 格式：{{line}}'],
  'sp.replicants': ['Replicants', '复制节点数'],
  'sp.replicantsHint': ['They hold clients and no data; clients are sent to them where there are any.', '复制节点只承载客户端连接，不保存数据；存在时客户端由其接入。'],
  'sp.replicantSize': ['Size of a replicant', '复制节点规格'],
  'sp.sizeOfCore': ['that of the core nodes', '与核心节点相同'],
  'sp.nodeSelector': ['Labels of Kubernetes nodes', 'Kubernetes 节点标签'],
  'sp.tolerations': ['Tolerations', '容忍度'],
  'sp.tolerationsHint': ['One a line: key=value:Effect, key:Effect or key', '每行一个：key=value:Effect、key:Effect 或 key'],
  'sp.config': ['EMQX settings', 'EMQX 配置'],
  'sp.configHint': ['One a line: whole.key=value.', '每行一个：完整键=值。'],
  'sp.configKept': ['One a line: whole.key=value. A value shown as [redacted] is kept as it is stored. A line taken out takes the setting away.', '每行一个：完整键=值。[redacted] 表示保留已存储的值，删除一行即移除该配置。'],
});
