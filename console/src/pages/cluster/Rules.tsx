import { all, api, ok, type Schemas } from '../../api';
import { Badge, Empty, ErrorBox, Skeleton, Table, Tag, type Column, type Tone } from '../../components';
import { useResource } from '../../hooks';
import { num, texts, word } from '../../i18n';
import { NodeName } from './node';
import { why, type TabProps } from './tabs';
import { t as tcl } from './words';

const t = texts({
  'ru.rules': ['Rules', '规则'],
  'ru.none': ['No rules.', '没有规则。'],
  'ru.rule': ['Rule', '规则'],
  'ru.sql': ['SQL', 'SQL'],
  'ru.actions': ['Actions', '动作'],
  'ru.state': ['State', '状态'],
  'ru.enabled': ['enabled', '已启用'],
  'ru.disabled': ['disabled', '已停用'],
  'ru.connectors': ['Connectors, actions and sources', '连接器、动作与数据源'],
  'ru.noConnectors': ['No connectors.', '没有连接器。'],
  'ru.name': ['Name', '名称'],
  'ru.kind': ['Kind', '类别'],
  'ru.usedBy': ['Used by rules', '被规则使用'],
  'ru.edit': ['They are changed in the dashboard of EMQX.', '请在 EMQX Dashboard 中修改。'],
});

const statuses = {
  connected: ['connected', '已连接'],
  connecting: ['connecting', '连接中'],
  disconnected: ['disconnected', '已断开'],
  inconsistent: ['inconsistent', '节点不一致'],
  stopped: ['stopped', '已停止'],
  unknown: ['unknown', '未知'],
} as const;
const kinds = {
  connector: ['connector', '连接器'],
  action: ['action', '动作'],
  source: ['source', '数据源'],
  resource: ['resource', '资源'],
} as const;
const tones: Record<string, Tone> = {
  connected: 'ok', connecting: 'busy', disconnected: 'bad', inconsistent: 'warn',
};

type Rule = Schemas['Rule'];
type Connector = Schemas['Connector'];

export function Rules(props: TabProps) {
  const reason = why(props.cluster, 'integrations');
  if (reason !== undefined) return <Empty title={tcl('cl.notAvailable')}><p>{reason}</p></Empty>;
  return (
    <>
      <p class="faint">{t('ru.edit')}</p>
      <RuleList id={props.cluster.id} />
      <ConnectorList id={props.cluster.id} />
    </>
  );
}

const live = { kinds: [], every: 30_000 } as const;

function RuleList({ id }: { id: string }) {
  const rules = useResource(async (signal) => all((cursor) => ok(api.GET('/api/v1/clusters/{id}/rules', {
    params: { path: { id }, query: { limit: 500, ...(cursor ? { cursor } : {}) } }, signal }))), [id], live);
  const columns: Column<Rule>[] = [
    { id: 'rule', head: t('ru.rule'), cell: (r) => <div class="cl-wrap"><strong>{r.name || r.id}</strong>{r.description && <div class="hint">{r.description}</div>}</div> },
    { id: 'state', head: t('ru.state'), cell: (r) => <Badge tone={r.running ? 'ok' : 'off'}>{t(r.running ? 'ru.enabled' : 'ru.disabled')}</Badge> },
    { id: 'sql', head: t('ru.sql'), cell: (r) => <div class="cl-sql">{r.sql}</div> },
    { id: 'actions', head: t('ru.actions'), cell: (r) => <div class="cl-wrap">{r.actions.join(', ') || '–'}</div> },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('ru.rules')}</h2>{rules.data && <span class="faint">{num(rules.data.length)}</span>}</div>
      {rules.error && <div class="panel-body"><ErrorBox problem={rules.error} retry={rules.reload} /></div>}
      {!rules.data ? !rules.error && <div class="panel-body"><Skeleton /></div> : rules.data.length === 0
        ? <div class="panel-body"><p class="faint">{t('ru.none')}</p></div>
        : <Table label={t('ru.rules')} columns={columns} rows={rules.data} rowKey={(r) => r.id} />}
    </section>
  );
}

function ConnectorList({ id }: { id: string }) {
  const list = useResource(async (signal) => all((cursor) => ok(api.GET('/api/v1/clusters/{id}/connectors', {
    params: { path: { id }, query: { limit: 500, ...(cursor ? { cursor } : {}) } }, signal }))), [id], live);
  const columns: Column<Connector>[] = [
    { id: 'name', head: t('ru.name'), cell: (c) => <div class="cl-wrap"><strong>{c.name || c.id}</strong> <Tag>{c.type}</Tag>{c.description && <div class="hint">{c.description}</div>}</div> },
    { id: 'kind', head: t('ru.kind'), cell: (c) => word(kinds, c.kind) },
    { id: 'state', head: t('ru.state'), cell: (c) => <State connector={c} /> },
    { id: 'rules', head: t('ru.usedBy'), cell: (c) => <div class="cl-wrap">{c.rules.join(', ') || '–'}</div> },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('ru.connectors')}</h2>{list.data && <span class="faint">{num(list.data.length)}</span>}</div>
      {list.error && <div class="panel-body"><ErrorBox problem={list.error} retry={list.reload} /></div>}
      {!list.data ? !list.error && <div class="panel-body"><Skeleton /></div> : list.data.length === 0
        ? <div class="panel-body"><p class="faint">{t('ru.noConnectors')}</p></div>
        : <Table label={t('ru.connectors')} columns={columns} rows={list.data} rowKey={(c) => `${c.kind} ${c.id}`} />}
    </section>
  );
}

function State({ connector: c }: { connector: Connector }) {
  const bad = c.nodes.filter((n) => n.status !== c.status || n.reason);
  return (
    <>
      <Badge tone={tones[c.status] ?? 'off'}>{word(statuses, c.status)}</Badge>
      {c.reason && <div class="hint">{c.reason}</div>}
      {c.status === 'inconsistent' && bad.map((n) => (
        <div class="hint" key={n.node}><NodeName name={n.node} />: {word(statuses, n.status)} {n.reason}</div>
      ))}
    </>
  );
}
