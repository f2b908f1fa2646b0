import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, isAbort, type Cluster, type Operation, type Problem, type Schemas } from '../../api';
import { Button, Empty, ErrorBox, Skeleton, Table, operationName, phaseName, reasonName, stateName, stepName, tc, type Column } from '../../components';
import { dateTime, texts, word } from '../../i18n';
import { past, position } from '../../past';
import { may } from '../../rights';
import { Link } from '../../router';
import { onEvent, type Event } from '../../stream';

const t = texts({
  'ev.events': ['Events', '事件'],
  'ev.none': ['No event in this time.', '此时间段内没有事件。'],
  'ev.at': ['Time', '时间'],
  'ev.event': ['Event', '事件'],
  'ev.change': ['Change', '变化'],
  'ev.since': ['All events in {{project}} since {{time}}; new ones appear by themselves.', '显示 {{time}} 以来在项目 {{project}} 中的全部事件，新事件会自动出现。'],
  'ev.live': ['New events appear by themselves.', '新事件会自动出现。'],
  'ev.oldest': ['The server keeps changes for a day, and has none that are older.', '服务器保留一天内的变更，没有更早的记录。'],
  'ev.earlier': ['Look further back', '查看更早的事件'],
  'ev.audit': ['Who has changed it: the audit', '查看审计：谁做了变更'],
});

const kinds = {
  cluster: ['Cluster', '集群'],
  operation: ['Operation', '操作'],
  agent: ['Agent', 'Agent'],
  history: ['Noticed', '观察'],
} as const;

/** Kept is how far back the events go that are shown. */
type Kept = { from: number; first: string | undefined; oldest: boolean };

/** useEvents are the events of a cluster, the newest first: those that the server has kept, and those that come. */
function useEvents({ id, project }: Cluster) {
  const [events, setEvents] = useState<Event[]>([]);
  const [kept, setKept] = useState<Kept>();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(true);
  const gone = useRef(new AbortController());
  const fits = (e: Event) => Object.hasOwn(kinds, e.kind) && (e.key === id || e.parent === id);
  const add = (more: Event[]) => setEvents((old) => {
    const known = new Set(old.map((e) => e.seq));
    return [...old, ...more.filter((e) => !known.has(e.seq))].sort((a, b) => b.seq - a.seq);
  });
  const back = useCallback(async (to?: number) => {
    setBusy(true);
    setProblem(undefined);
    const { signal } = gone.current;
    try {
      const got = await past(project, to ?? await position(project, signal), fits, signal);
      add(got.events);
      setKept((old) => ({ from: got.from, first: got.first ?? old?.first, oldest: got.oldest }));
    } catch (err) {
      if (!isAbort(err)) setProblem(asProblem(err));
    }
    if (!signal.aborted) setBusy(false);
  }, [id, project]);
  useEffect(() => onEvent(Object.keys(kinds), (e) => { if (fits(e)) add([e]); }), [id]);
  useEffect(() => {
    gone.current = new AbortController();
    void back();
    return () => gone.current.abort();
  }, [id, project]);
  return { events, kept, problem, busy, back };
}

function tell(e: Event): string {
  const o = e.object as Partial<Operation & Schemas['Agent'] & Schemas['History']> & { status?: { reason?: string; message?: string } } | null;
  if (e.deleted) return tc('c.delete');
  if (e.kind === 'cluster') {
    return [e.state ? stateName(e.state) : '', o?.status?.reason && reasonName(o.status.reason), o?.status?.message].filter(Boolean).join(' · ');
  }
  if (e.kind === 'operation' && o?.kind && o.phase) {
    const steps = (o.steps ?? []).map((s) => `${stepName(s.name)} ${s.done}/${s.total}`).join(', ');
    return `${operationName(o.kind)}: ${phaseName(o.phase)}${steps ? ` (${steps})` : ''}`;
  }
  return o?.message ?? o?.hostname ?? e.key;
}

export function Events({ cluster }: { cluster: Cluster }) {
  const { events, kept, problem, busy, back } = useEvents(cluster);
  const columns: Column<Event>[] = [
    { id: 'at', head: t('ev.at'), width: '190px', cell: (e) => <time class="nowrap" dateTime={e.at}>{dateTime(e.at)}</time> },
    { id: 'kind', head: t('ev.event'), cell: (e) => word(kinds, e.kind) },
    { id: 'what', head: t('ev.change'), cell: (e) => <div class="cl-wrap">{tell(e)}</div> },
  ];
  const since = kept && (kept.first ? t('ev.since', { project: cluster.project, time: dateTime(kept.first) }) : t('ev.live'));
  return (
    <>
      <p class="row wrap">
        <span class="faint" role="status">{since} {kept?.oldest && t('ev.oldest')}</span>
        {may('audit', cluster.project) && <Link to={`/admin/audit?kind=cluster&key=${cluster.id}`}>{t('ev.audit')}</Link>}
      </p>
      {problem && <ErrorBox problem={problem} retry={() => void back(kept?.from)} />}
      {events.length > 0 ? <Table label={t('ev.events')} columns={columns} rows={events} rowKey={(e) => String(e.seq)} />
        : busy ? <Skeleton /> : !problem && <Empty title={t('ev.none')} />}
      {kept && !kept.oldest && <div><Button busy={busy} onClick={() => void back(kept.from)}>{t('ev.earlier')}</Button></div>}
    </>
  );
}
