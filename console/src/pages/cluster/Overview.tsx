import type { Cluster, Schemas } from '../../api';
import { Badge, Copy, ErrorBox, Icon, OperationProgress, Reason, Skeleton, Table, Tag, Time, conditionName, reasonName, type Column } from '../../components';
import { dateTime, duration, num, texts } from '../../i18n';
import { NodeName } from './node';
import type { TabProps } from './tabs';

const t = texts({
  'ov.why': ['How it is', '当前状况'],
  'ov.asWanted': ['Everything is as it was asked for.', '一切符合预期。'],
  'ov.unsettled': ['Not everything that was asked for is done yet.', '尚未达到期望状态。'],
  'ov.unhealthy': ['It needs attention.', '需要关注。'],
  'ov.waits': ['Waits for', '正在等待'],
  'ov.until': ['Counts as failed at', '超时时间'],
  'ov.looked': ['Last look', '最近一次观测'],
  'ov.rule': ['Rule', '判定规则'],
  'ov.advice': ['What can be done', '处理建议'],
  'ov.conditions': ['Conditions', '状况'],
  'ov.type': ['Condition', '状况'],
  'ov.nodeState': ['State', '状态'],
  'ov.status': ['Status', '取值'],
  'ov.reason': ['Reason', '原因'],
  'ov.since': ['Since', '始于'],
  'ov.True': ['True', '是'],
  'ov.False': ['False', '否'],
  'ov.Unknown': ['Unknown', '未知'],
  'ov.endpoints': ['Endpoints', '接入地址'],
  'ov.external': ['Outside', '外部'],
  'ov.internal': ['Inside Kubernetes', 'Kubernetes 内部'],
  'ov.anyNode': ['any Kubernetes node', '任一 Kubernetes 节点'],
  'ov.noEndpoints': ['None known.', '暂无接入地址。'],
  'ov.connections': ['Connections', '连接数'],
  'ov.ofLimit': ['of {{limit}}', '/ {{limit}}'],
  'ov.booked': ['{{booked}} booked', '已预订 {{booked}}'],
  'ov.enforced': ['Limit kept by', '限制方式'],
  'ov.license': ['the license', '许可证'],
  'ov.listeners': ['the listeners', '监听器'],
  'ov.none': ['nobody', '未限制'],
  'ov.unknown': ['not known', '未知'],
  'ov.nodes': ['Nodes', '节点'],
  'ov.node': ['Node', '节点'],
  'ov.role': ['Role', '角色'],
  'ov.core': ['core', '核心'],
  'ov.replicant': ['replicant', '复制'],
  'ov.ready': ['ready', '就绪'],
  'ov.notReady': ['not ready', '未就绪'],
  'ov.leaving': ['leaving', '移除中'],
  'ov.broken': ['broken', '故障'],
  'ov.version': ['Version', '版本'],
  'ov.uptime': ['Uptime', '运行时长'],
  'ov.host': ['Runs on', '所在主机'],
  'ov.restarts': ['Restarts', '重启次数'],
  'ov.volume': ['Volume', '卷'],
  'ov.noNodes': ['No node has been seen.', '尚未观测到节点。'],
  'ov.foreign': ['Members of EMQX that are no nodes of the cluster', '不属于本集群节点的 EMQX 成员'],
  'ov.runs': ['runs', '运行中'],
  'ov.stopped': ['stopped', '已停止'],
  'ov.nextSleep': ['Sleeps next', '下次休眠'],
  'ov.nextWake': ['Wakes next', '下次唤醒'],
});

type Explain = Schemas['Explain'];
type Node = Schemas['Node'];

export function Overview({ cluster, explain, mayWrite }: TabProps) {
  return (
    <>
      {explain.data?.operation && (
        <section class="panel"><div class="panel-body">
          <OperationProgress op={explain.data.operation} mayCancel={mayWrite} />
          <Waits explain={explain.data} />
        </div></section>
      )}
      <div class="split">
        <section class="panel">
          <div class="panel-head"><h2>{t('ov.why')}</h2></div>
          <div class="panel-body">
            {explain.error && <ErrorBox problem={explain.error} retry={explain.reload} />}
            {explain.data ? <Why explain={explain.data} /> : !explain.error && <Skeleton />}
          </div>
        </section>
        <section class="panel">
          <div class="panel-head"><h2>{t('ov.endpoints')}</h2></div>
          <div class="panel-body"><Endpoints cluster={cluster} /></div>
        </section>
      </div>
      <Nodes cluster={cluster} />
      <Conditions list={cluster.status.conditions} />
    </>
  );
}

function Waits({ explain }: { explain: Explain }) {
  if (!explain.waitsFor && !explain.deadline) return null;
  return (
    <dl class="facts">
      {explain.waitsFor && <div class="fact"><dt>{t('ov.waits')}</dt><dd>{explain.waitsFor}</dd></div>}
      {explain.deadline && <div class="fact"><dt>{t('ov.until')}</dt><dd>{dateTime(explain.deadline)} (<Time at={explain.deadline} />)</dd></div>}
    </dl>
  );
}

function Why({ explain }: { explain: Explain }) {
  const fine = explain.settled && explain.healthy;
  return (
    <>
      {fine ? <p><Badge tone="ok">{t('ov.asWanted')}</Badge></p> : (
        <p class="row wrap">
          {!explain.settled && <Badge tone="busy">{t('ov.unsettled')}</Badge>}
          {!explain.healthy && !explain.operation && <Badge tone="warn">{t('ov.unhealthy')}</Badge>}
        </p>
      )}
      {explain.staleMessage && <p class="cl-stale"><Icon name="warn" /><span>{explain.staleMessage}</span></p>}
      {!explain.operation && <Waits explain={explain} />}
      {explain.advice.length > 0 && (
        <div class="note">
          <h3>{t('ov.advice')}</h3>
          <ul>{explain.advice.map((a) => <li key={a.reason}><strong><Reason of={a.reason} /></strong>: {a.do}</li>)}</ul>
        </div>
      )}
      {explain.foreignMembers && explain.foreignMembers.length > 0 && (
        <div class="note">
          <h3>{t('ov.foreign')}</h3>
          <ul>{explain.foreignMembers.map((m) => <li key={m.name}>{m.name} ({t(m.running ? 'ov.runs' : 'ov.stopped')})</li>)}</ul>
        </div>
      )}
      <dl class="facts">
        {explain.rule && <div class="fact"><dt>{t('ov.rule')}</dt><dd>{explain.rule}</dd></div>}
        {explain.lookedAt && <div class="fact"><dt>{t('ov.looked')}</dt><dd><Time at={explain.lookedAt} /></dd></div>}
      </dl>
    </>
  );
}

type Address = { protocol: string; text: string; url: string };

function addresses(c: Cluster): { external: Address[]; internal: Address[] } {
  const e = c.status.endpoints;
  const make = (protocol: string, host: string, port: number) => {
    const shown = host || t('ov.anyNode');
    const bracketed = shown.includes(':') ? `[${shown}]` : shown;
    return { protocol, text: `${bracketed}:${port}`, url: `${protocol}://${bracketed}:${port}` };
  };
  return {
    external: e.external.map((x) => make(x.protocol, x.host, x.port)),
    internal: e.internal.host ? e.internal.ports.map((p) => make(p.protocol, e.internal.host, p.port)) : [],
  };
}

function Endpoints({ cluster }: { cluster: Cluster }) {
  const { external, internal } = addresses(cluster);
  const { current, limit, enforcedBy } = cluster.status.connections;
  const h = cluster.status.hibernation;
  const booked = cluster.spec.connections ?? 0;
  const kept = limit || booked; // EMQX's own word, where it has told
  return (
    <>
      {external.length > 0 && <><h3>{t('ov.external')}</h3><AddressList list={external} /></>}
      {internal.length > 0 && <><h3>{t('ov.internal')}</h3><AddressList list={internal} /></>}
      {external.length + internal.length === 0 && <p class="faint">{t('ov.noEndpoints')}</p>}
      <dl class="facts">
        <div class="fact">
          <dt>{t('ov.connections')}</dt>
          <dd>{num(current)} {kept > 0 && <span class="faint">{t('ov.ofLimit', { limit: num(kept) })}</span>}
            {booked > 0 && booked !== kept && <span class="faint"> ({t('ov.booked', { booked: num(booked) })})</span>}</dd>
        </div>
        <div class="fact"><dt>{t('ov.enforced')}</dt><dd>{t(`ov.${enforcedBy}`)}</dd></div>
        {h?.nextSleep && <div class="fact"><dt>{t('ov.nextSleep')}</dt><dd><Time at={h.nextSleep} absolute /></dd></div>}
        {h?.nextWake && <div class="fact"><dt>{t('ov.nextWake')}</dt><dd><Time at={h.nextWake} absolute /></dd></div>}
      </dl>
    </>
  );
}

function AddressList({ list }: { list: Address[] }) {
  return (
    <ul class="plain">
      {list.map((a) => (
        <li class="cl-endpoint" key={a.url}>
          <Tag>{a.protocol}</Tag><code class="grow">{a.text}</code><Copy text={a.url} what={a.url} />
        </li>
      ))}
    </ul>
  );
}

function nodeBadge(n: Node) {
  if (n.broken) return <Badge tone="bad">{t('ov.broken')}</Badge>;
  if (n.going) return <Badge tone="busy">{t('ov.leaving')}</Badge>;
  return n.ready ? <Badge tone="ok">{t('ov.ready')}</Badge> : <Badge tone="warn">{t('ov.notReady')}</Badge>;
}

function Nodes({ cluster }: { cluster: Cluster }) {
  const nodes = cluster.status.nodes;
  const volume = (n: Node) => cluster.status.volumes.find((v) => v.name === n.volume);
  const columns: Column<Node>[] = [
    { id: 'node', head: t('ov.node'), cell: (n) => <NodeName name={n.name || n.pod} /> },
    { id: 'state', head: t('ov.nodeState'), cell: (n) => (
      <>{nodeBadge(n)} {(n.reason || n.message) && <div class="hint">{[n.reason && reasonName(n.reason), n.message].filter(Boolean).join(': ')}</div>}
        {n.resize && <div class="hint">{[n.resize, n.resizeReason].filter(Boolean).join(': ')}</div>}</>
    ) },
    { id: 'role', head: t('ov.role'), cell: (n) => (n.role === 'core' || n.role === 'replicant' ? <span class="cl-nowrap">{t(`ov.${n.role}`)}</span> : n.role ?? '–') },
    { id: 'connections', head: t('ov.connections'), align: 'end', cell: (n) => num(n.connections) },
    { id: 'version', head: t('ov.version'), cell: (n) => n.version || '–' },
    { id: 'uptime', head: t('ov.uptime'), cell: (n) => <span class="cl-nowrap">{n.uptime > 0 ? duration(n.uptime) : '–'}</span> },
    { id: 'host', head: t('ov.host'), cell: (n) => <span title={n.ip}>{n.host || n.ip || '–'}</span> },
  ];
  if (cluster.mode === 'hosted') {
    columns.push(
      { id: 'restarts', head: t('ov.restarts'), align: 'end', cell: (n) => num(n.restarts) },
      { id: 'volume', head: t('ov.volume'), cell: (n) => <span title={n.volume}>{volume(n)?.capacity || '–'} {volume(n)?.pending}</span> });
  }
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('ov.nodes')}</h2><span class="faint">{num(cluster.status.readyNodes)}/{num(nodes.length)}</span></div>
      {nodes.length === 0 ? <div class="panel-body"><p class="faint">{t('ov.noNodes')}</p></div>
        : <Table label={t('ov.nodes')} columns={columns} rows={nodes} rowKey={(n) => n.name || n.pod} />}
    </section>
  );
}

function Conditions({ list }: { list: Schemas['Condition'][] }) {
  const columns: Column<Schemas['Condition']>[] = [
    { id: 'type', head: t('ov.type'), cell: (c) => <span title={c.type}>{conditionName(c.type)}</span> },
    { id: 'status', head: t('ov.status'), cell: (c) => {
      const tone = c.status === 'True' ? 'ok' : c.status === 'False' ? 'warn' : 'off';
      return <Badge tone={tone}>{c.status === 'True' || c.status === 'False' || c.status === 'Unknown' ? t(`ov.${c.status}`) : c.status}</Badge>;
    } },
    { id: 'reason', head: t('ov.reason'), cell: (c) => <><Reason of={c.reason} />{c.message && <div class="hint">{c.message}</div>}</> },
    { id: 'since', head: t('ov.since'), cell: (c) => <Time at={c.since} /> },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('ov.conditions')}</h2></div>
      <Table label={t('ov.conditions')} columns={columns} rows={list} rowKey={(c) => c.type} />
    </section>
  );
}
