import { useState } from 'preact/hooks';
import { api, ok, send, type Schemas } from '../../api';
import { Badge, Button, ButtonLink, Confirm, Empty, ErrorBox, Skeleton, Table, Time, reasonName, toast, type Column } from '../../components';
import { useResource } from '../../hooks';
import { num, texts } from '../../i18n';
import { NodeName } from './node';
import type { TabProps } from './tabs';
import { t as tcl } from './words';

const t = texts({
  'ag.agents': ['Agents', 'Agent'],
  'ag.none': ['No agent has registered yet.', '尚无 Agent 注册。'],
  'ag.agent': ['Agent', 'Agent'],
  'ag.state': ['State', '状态'],
  'ag.connected': ['connected', '已连接'],
  'ag.away': ['not connected', '未连接'],
  'ag.node': ['Node', '节点'],
  'ag.version': ['Version', '版本'],
  'ag.seen': ['Last heard', '最近通信'],
  'ag.skew': ['Clock ahead by', '时钟偏差'],
  'ag.seconds': ['{{n}} s', '{{n}} 秒'],
  'ag.remove': ['Remove', '移除'],
  'ag.removeTitle': ['Remove agent {{id}}', '移除 Agent {{id}}'],
  'ag.removeText': ['It is turned away from then on, and has to register again. EMQX beside it goes on.', '移除后该 Agent 将被拒绝连接，需重新注册。其所在的 EMQX 不受影响。'],
  'ag.removed': ['Removed', '已移除'],
  'ag.registrations': ['Registration tokens', '注册令牌'],
  'ag.noRegistrations': ['No registration token.', '没有注册令牌。'],
  'ag.token': ['Token', '令牌'],
  'ag.by': ['Made by', '创建者'],
  'ag.expires': ['Expires', '到期'],
  'ag.uses': ['Uses', '使用次数'],
  'ag.valid': ['valid', '有效'],
  'ag.expired': ['expired', '已过期'],
  'ag.revoked': ['revoked', '已吊销'],
  'ag.revoke': ['Revoke', '吊销'],
  'ag.revokeTitle': ['Revoke token {{id}}', '吊销令牌 {{id}}'],
  'ag.revokeText': ['Nobody can register with it any more. Agents that have registered stay.', '吊销后不能再用它注册，已注册的 Agent 不受影响。'],
});

type Agent = Schemas['Agent'];
type Registration = Schemas['Registration'];
type Doomed = { title: string; text: string; action: string; path: string };

export function Agents({ cluster, mayWrite }: TabProps) {
  const { id } = cluster;
  const live = { kinds: ['agent', 'registration-token', 'cluster'] as const, every: 15_000 };
  const agents = useResource(async (signal) => (await ok(api.GET('/api/v1/clusters/{id}/agents', { params: { path: { id } }, signal }))).items, [id], live);
  const [doomed, setDoomed] = useState<Doomed>();
  const [round, setRound] = useState(0);
  const columns: Column<Agent>[] = [
    { id: 'agent', head: t('ag.agent'), cell: (a) => <><strong>{a.hostname ?? a.id}</strong><div class="hint">{a.id} {[a.os, a.arch].filter(Boolean).join('/')}</div></> },
    { id: 'state', head: t('ag.state'), cell: (a) => <State agent={a} /> },
    { id: 'node', head: t('ag.node'), cell: (a) => (a.node ? <NodeName name={a.node} /> : '–') },
    { id: 'version', head: t('ag.version'), cell: (a) => a.version ?? '–' },
    { id: 'seen', head: t('ag.seen'), cell: (a) => <><Time at={a.lastSeen} />{a.remote && <div class="hint">{a.remote} {a.carrier}</div>}</> },
    { id: 'skew', head: t('ag.skew'), align: 'end', cell: (a) => t('ag.seconds', { n: num(a.clockSkewSeconds) }) },
  ];
  if (mayWrite) {
    columns.push({ id: 'remove', head: '', align: 'end', cell: (a) => (
      <Button small aria-label={t('ag.removeTitle', { id: a.id })} onClick={() => setDoomed({
        title: t('ag.removeTitle', { id: a.hostname ?? a.id }), text: t('ag.removeText'), action: t('ag.remove'),
        path: `clusters/${id}/agents/${encodeURIComponent(a.id)}` })}>{t('ag.remove')}</Button>
    ) });
  }
  return (
    <>
      <section class="panel">
        <div class="panel-head">
          <h2>{t('ag.agents')}</h2>{agents.data && <span class="faint">{num(agents.data.length)}</span>}
          {mayWrite && <div class="actions"><ButtonLink small to={`/clusters/${id}/guide`}>{tcl('cl.guide')}</ButtonLink></div>}
        </div>
        {agents.error && <div class="panel-body"><ErrorBox problem={agents.error} retry={agents.reload} /></div>}
        {!agents.data ? !agents.error && <div class="panel-body"><Skeleton /></div> : agents.data.length === 0
          ? <Empty title={t('ag.none')} />
          : <Table label={t('ag.agents')} columns={columns} rows={agents.data} rowKey={(a) => a.id} />}
      </section>
      {mayWrite && <Registrations id={id} round={round} onRevoke={setDoomed} />}
      {doomed && (
        <Confirm title={doomed.title} action={doomed.action} danger onClose={() => setDoomed(undefined)} onConfirm={async () => {
          await send('DELETE', doomed.path);
          toast(t('ag.removed'));
          agents.reload();
          setRound((n) => n + 1);
        }}><p>{doomed.text}</p></Confirm>
      )}
    </>
  );
}

function State({ agent: a }: { agent: Agent }) {
  return (
    <div class="cl-wrap">
      <Badge tone={a.connected ? (a.reason ? 'warn' : 'ok') : 'bad'}>{t(a.connected ? 'ag.connected' : 'ag.away')}</Badge>
      {a.reason && <div class="hint">{[reasonName(a.reason), a.message].filter(Boolean).join(': ')}</div>}
      {a.errors.map((e) => <div class="hint" key={e.stage + e.code}>{e.stage}: {e.code} {e.message}</div>)}
    </div>
  );
}

function Registrations({ id, round, onRevoke }: { id: string; round: number; onRevoke: (d: Doomed) => void }) {
  const list = useResource(async (signal) => (await ok(api.GET('/api/v1/clusters/{id}/registrations', { params: { path: { id } }, signal }))).items,
    [id, round], { kinds: ['registration-token', 'agent'] });
  const state = (r: Registration) => (r.revokedAt ? 'revoked' : Date.parse(r.expiresAt) < Date.now() ? 'expired' : 'valid');
  const columns: Column<Registration>[] = [
    { id: 'id', head: t('ag.token'), cell: (r) => r.id },
    { id: 'state', head: t('ag.state'), cell: (r) => <Badge tone={state(r) === 'valid' ? 'ok' : 'off'}>{t(`ag.${state(r)}`)}</Badge> },
    { id: 'by', head: t('ag.by'), cell: (r) => <>{r.createdBy} <span class="faint"><Time at={r.createdAt} /></span></> },
    { id: 'expires', head: t('ag.expires'), cell: (r) => <Time at={r.expiresAt} /> },
    { id: 'uses', head: t('ag.uses'), align: 'end', cell: (r) => num(r.uses) },
    { id: 'revoke', head: '', align: 'end', cell: (r) => state(r) === 'valid' && (
      <Button small aria-label={t('ag.revokeTitle', { id: r.id })} onClick={() => onRevoke({
        title: t('ag.revokeTitle', { id: r.id }), text: t('ag.revokeText'), action: t('ag.revoke'),
        path: `clusters/${id}/registrations/${encodeURIComponent(r.id)}` })}>{t('ag.revoke')}</Button>
    ) },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('ag.registrations')}</h2></div>
      {list.error && <div class="panel-body"><ErrorBox problem={list.error} retry={list.reload} /></div>}
      {!list.data ? !list.error && <div class="panel-body"><Skeleton /></div> : list.data.length === 0
        ? <div class="panel-body"><p class="faint">{t('ag.noRegistrations')}</p></div>
        : <Table label={t('ag.registrations')} columns={columns} rows={list.data} rowKey={(r) => r.id} />}
    </section>
  );
}
