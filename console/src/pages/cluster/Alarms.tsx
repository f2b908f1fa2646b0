import { useState } from 'preact/hooks';
import { all, api, ok, type Schemas } from '../../api';
import { Badge, Button, Empty, ErrorBox, Segments, Skeleton, Table, Time, type Column } from '../../components';
import { useResource } from '../../hooks';
import { num, texts } from '../../i18n';
import { NodeName } from './node';
import { why, type TabProps } from './tabs';
import { t as tcl } from './words';

const t = texts({
  'al.which': ['Which alarms', '告警范围'],
  'al.active': ['Active', '当前告警'],
  'al.over': ['Over', '历史告警'],
  'al.noneActive': ['No alarm is active.', '当前没有告警。'],
  'al.noneOver': ['The broker keeps no alarm that is over.', '没有历史告警。'],
  'al.name': ['Alarm', '告警'],
  'al.message': ['Message', '内容'],
  'al.nodes': ['Nodes', '节点'],
  'al.since': ['Since', '始于'],
  'al.until': ['Until', '结束于'],
  'al.reload': ['Ask again', '刷新'],
});

type Alarm = Schemas['Alarm'];

export function Alarms(props: TabProps) {
  const reason = why(props.cluster, 'alarms');
  if (reason !== undefined) return <Empty title={tcl('cl.notAvailable')}><p>{reason}</p></Empty>;
  return <Shown id={props.cluster.id} />;
}

function Shown({ id }: { id: string }) {
  const [which, setWhich] = useState('active');
  const active = which === 'active';
  const alarms = useResource(
    async (signal) => all((cursor) => ok(api.GET('/api/v1/clusters/{id}/alarms', {
      params: { path: { id }, query: { active, limit: 500, ...(cursor ? { cursor } : {}) } }, signal }))),
    [id, which], { kinds: [], every: 15_000 });
  const columns: Column<Alarm>[] = [
    { id: 'name', head: t('al.name'), cell: (a) => <Badge tone={a.active ? 'bad' : 'off'}>{a.name}</Badge> },
    { id: 'message', head: t('al.message'), cell: (a) => <div class="cl-wrap">{a.message}<Details alarm={a} /></div> },
    { id: 'nodes', head: t('al.nodes'), cell: (a) => a.nodes.map((n) => <div key={n}><NodeName name={n} /></div>) },
    { id: 'since', head: t('al.since'), cell: (a) => <Time at={a.since} /> },
  ];
  if (!active) columns.push({ id: 'until', head: t('al.until'), cell: (a) => <Time at={a.until} /> });
  const rows = alarms.data ?? [];
  return (
    <>
      <div class="toolbar">
        <Segments label={t('al.which')} value={which} onValue={setWhich}
          options={[{ value: 'active', label: t('al.active') }, { value: 'over', label: t('al.over') }]} />
        <Button kind="quiet" icon="refresh" aria-label={t('al.reload')} onClick={alarms.reload} />
        {alarms.data && <span class="faint" role="status">{num(rows.length)}</span>}
      </div>
      {alarms.error && <ErrorBox problem={alarms.error} retry={alarms.reload} />}
      {!alarms.data ? !alarms.error && <Skeleton /> : rows.length === 0
        ? <Empty title={t(active ? 'al.noneActive' : 'al.noneOver')} />
        : <Table label={t(active ? 'al.active' : 'al.over')} columns={columns} rows={rows} rowKey={(a) => `${a.name} ${a.since ?? ''} ${a.nodes.join()}`} />}
    </>
  );
}

function Details({ alarm }: { alarm: Alarm }) {
  if (alarm.details === null || typeof alarm.details !== 'object' || Object.keys(alarm.details).length === 0) return null;
  return <div class="hint"><code>{JSON.stringify(alarm.details)}</code></div>;
}
