import { useState } from 'preact/hooks';
import { api, ok, type Operation, type Schemas } from '../../api';
import { Badge, Button, Empty, ErrorBox, OperationProgress, Segments, Skeleton, Table, Time, ended, operationName, phaseName, phaseTone, tc, type Column } from '../../components';
import { useResource } from '../../hooks';
import { dateTime, texts, word } from '../../i18n';
import { Events } from './Events';
import { NodeName } from './node';
import type { TabProps } from './tabs';

const t = texts({
  'po.view': ['What is shown', '显示内容'],
  'po.operations': ['Operations', '操作记录'],
  'po.events': ['Events', '事件'],
  'po.history': ['What agents noticed', 'Agent 观察记录'],
  'po.none': ['No operations.', '没有操作记录。'],
  'po.kind': ['Operation', '操作'],
  'po.phase': ['Result', '结果'],
  'po.actor': ['By', '操作者'],
  'po.began': ['Began', '开始'],
  'po.ended': ['Ended', '结束'],
  'po.note': ['Note', '说明'],
  'po.superseded': ['superseded by {{id}}', '被 {{id}} 取代'],
  'po.at': ['Time', '时间'],
  'po.event': ['Event', '事件'],
  'po.noHistory': ['Agents have noticed nothing.', 'Agent 没有观察记录。'],
  'po.change': ['Change', '变化'],
  'po.message': ['Message', '内容'],
  'po.replayed': ['told afterwards', '事后上报'],
  'po.uncertain': ['time uncertain', '时间不确定'],
});

const noticed = {
  alarm: ['Alarm', '告警'],
  broker: ['EMQX', 'EMQX'],
  member: ['Node', '节点'],
  server: ['Server', '服务器连接'],
  clock: ['Clock', '时钟'],
  gap: ['Nothing known', '无数据'],
} as const;

export function Operations({ cluster, mayWrite }: TabProps) {
  const [view, setView] = useState('operations');
  const views = ['operations', 'events', ...(cluster.mode === 'adopted' ? ['history'] : [])] as ('operations' | 'events' | 'history')[];
  return (
    <>
      <div class="toolbar">
        <Segments label={t('po.view')} value={view} onValue={setView} options={views.map((v) => ({ value: v, label: t(`po.${v}`) }))} />
      </div>
      {view === 'operations' && <OperationList id={cluster.id} mayWrite={mayWrite} />}
      {view === 'events' && <Events cluster={cluster} />}
      {view === 'history' && <HistoryList id={cluster.id} />}
    </>
  );
}

/** useMore reads the first page of a list again and again, and further ones when asked. */
function useMore<T>(load: (cursor: string, signal?: AbortSignal) => Promise<{ items: T[]; next: string }>, id: string, kind: 'operation' | 'history') {
  const first = useResource((signal) => load('', signal), [id], {
    kinds: [kind], match: (e) => e.key === id || (e.object as { cluster?: string } | null)?.cluster === id, every: 15_000 });
  const [older, setOlder] = useState<{ items: T[]; next: string }>();
  const next = older ? older.next : first.data?.next;
  const more = async () => {
    if (!next) return;
    const got = await load(next);
    setOlder({ items: [...(older?.items ?? []), ...got.items], next: got.next });
  };
  return { first, items: [...(first.data?.items ?? []), ...(older?.items ?? [])], next, more };
}

function OperationList({ id, mayWrite }: { id: string; mayWrite: boolean }) {
  const list = useMore<Operation>((cursor, signal) => ok(api.GET('/api/v1/clusters/{id}/operations', {
    params: { path: { id }, query: { limit: 50, ...(cursor ? { cursor } : {}) } }, ...(signal ? { signal } : {}) })), id, 'operation');
  const seen = new Set<string>();
  const unique = list.items.filter((o) => !seen.has(o.id) && seen.add(o.id));
  const running = unique.filter((o) => !ended(o));
  const columns: Column<Operation>[] = [
    { id: 'kind', head: t('po.kind'), cell: (o) => <><strong>{operationName(o.kind)}</strong><div class="hint">{o.id}</div></> },
    { id: 'phase', head: t('po.phase'), cell: (o) => <Badge tone={phaseTone(o.phase)}>{phaseName(o.phase)}</Badge> },
    { id: 'actor', head: t('po.actor'), cell: (o) => o.user ?? o.actor },
    { id: 'began', head: t('po.began'), cell: (o) => <Time at={o.createdAt} /> },
    { id: 'ended', head: t('po.ended'), cell: (o) => <Time at={o.endedAt} /> },
    { id: 'note', head: t('po.note'), cell: (o) => (
      <div class="cl-wrap">
        {o.error && <div class="field-error">{o.error}</div>}
        {o.note}
        {o.supersededBy && <div class="hint">{t('po.superseded', { id: o.supersededBy })}</div>}
      </div>
    ) },
  ];
  if (!list.first.data) return list.first.error ? <ErrorBox problem={list.first.error} retry={list.first.reload} /> : <Skeleton />;
  return (
    <>
      {list.first.error && <ErrorBox problem={list.first.error} retry={list.first.reload} />}
      {running.map((o) => <section class="panel" key={o.id}><div class="panel-body"><OperationProgress op={o} mayCancel={mayWrite} /></div></section>)}
      {unique.length === 0 ? <Empty title={t('po.none')} /> : <Table label={t('po.operations')} columns={columns} rows={unique} rowKey={(o) => o.id} />}
      {list.next && <div><Button onClick={() => void list.more()}>{tc('c.showMore')}</Button></div>}
    </>
  );
}

function HistoryList({ id }: { id: string }) {
  type H = Schemas['History'];
  const list = useMore<H>((cursor, signal) => ok(api.GET('/api/v1/clusters/{id}/history', {
    params: { path: { id }, query: { limit: 100, ...(cursor ? { cursor } : {}) } }, ...(signal ? { signal } : {}) })), id, 'history');
  const columns: Column<H>[] = [
    { id: 'at', head: t('po.at'), cell: (h) => (
      <><Time at={h.at} absolute />{h.kind === 'gap' && h.until && <div class="hint">{h.since ? dateTime(h.since) : '?'} – {dateTime(h.until)}</div>}</>
    ) },
    { id: 'kind', head: t('po.event'), cell: (h) => <>{word(noticed, h.kind)} {h.name && <NodeName name={h.name} />}</> },
    { id: 'change', head: t('po.change'), cell: (h) => [h.from, h.to].filter(Boolean).join(' → ') || '–' },
    { id: 'message', head: t('po.message'), cell: (h) => (
      <div class="cl-wrap">{h.message}
        {(h.replayed || h.uncertain) && <div class="hint">{[h.replayed && t('po.replayed'), h.uncertain && t('po.uncertain')].filter(Boolean).join(', ')}</div>}
      </div>
    ) },
  ];
  if (!list.first.data) return list.first.error ? <ErrorBox problem={list.first.error} retry={list.first.reload} /> : <Skeleton />;
  if (list.items.length === 0) return <Empty title={t('po.noHistory')} />;
  return (
    <>
      <Table label={t('po.history')} columns={columns} rows={list.items} rowKey={(h) => h.id} />
      {list.next && <div><Button onClick={() => void list.more()}>{tc('c.showMore')}</Button></div>}
    </>
  );
}
