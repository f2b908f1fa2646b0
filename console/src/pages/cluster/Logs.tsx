import { useEffect, useRef, useState } from 'preact/hooks';
import { apiURL, asProblem, isAbort, Problem, send, type Schemas } from '../../api';
import { BareSelect, Button, Check, Empty, ErrorBox, Spinner } from '../../components';
import { dateTime, num, texts } from '../../i18n';
import { route, setQuery } from '../../router';
import { added, levels, newest, repeated, type Entry } from './lines';
import { shortName } from './node';
import { why, type TabProps } from './tabs';
import { t as tcl } from './words';

const t = texts({
  'lo.level': ['Level', '级别'],
  'lo.allLevels': ['All levels', '全部级别'],
  'lo.from': ['{{level}} and worse', '{{level}} 及以上'],
  'lo.node': ['Node', '节点'],
  'lo.allNodes': ['All nodes', '全部节点'],
  'lo.text': ['Text in the line', '包含文本'],
  'lo.span': ['Time', '时间'],
  'lo.newest': ['Newest', '最新'],
  'lo.15m': ['Last 15 minutes', '最近 15 分钟'],
  'lo.1h': ['Last hour', '最近 1 小时'],
  'lo.24h': ['Last 24 hours', '最近 24 小时'],
  'lo.follow': ['Follow', '跟随'],
  'lo.following': ['following', '跟随中'],
  'lo.broken': ['The stream has broken; trying again', '日志流已中断，正在重试'],
  'lo.none': ['No lines.', '没有日志。'],
  'lo.lines': ['Log lines', '日志'],
  'lo.download': ['Download', '下载'],
  'lo.refresh': ['Read again', '重新读取'],
  'lo.cut': ['(cut)', '（已截断）'],
  'lo.missing': ['lines are missing', '缺少日志'],
});

const spans = { '15m': 900, '1h': 3_600, '24h': 86_400 } as const;
type Span = keyof typeof spans;

export function Logs(props: TabProps) {
  const reason = why(props.cluster, 'logs');
  if (reason !== undefined) return <Empty title={tcl('cl.notAvailable')}><p>{reason}</p></Empty>;
  return <Shown {...props} />;
}

type Filter = { level: string; node: string; q: string; span: string };

function query(f: Filter, more: Record<string, string>): string {
  const p = new URLSearchParams(more);
  if (f.level) p.set('level', f.level);
  if (f.node) p.set('node', f.node);
  if (f.q) p.set('q', f.q);
  if (f.span in spans && !p.has('since')) p.set('since', new Date(Date.now() - spans[f.span as Span] * 1000).toISOString());
  return p.toString();
}

type Reading = { entries: Entry[]; problem?: Problem | undefined; state: 'loading' | 'read' | 'following' | 'broken' };

/** useLogs reads lines once, or follows them: a stream that breaks goes on since the last line that was seen. */
function useLogs(id: string, f: Filter, follow: boolean, round: number): Reading {
  const [reading, setReading] = useState<Reading>({ entries: [], state: 'loading' });
  const count = useRef(0);
  const key = `${id} ${JSON.stringify(f)} ${follow} ${round}`;
  useEffect(() => {
    const path = `clusters/${encodeURIComponent(id)}/logs`;
    setReading({ entries: [], state: 'loading' });
    if (follow) return followed(path);
    const ctl = new AbortController();
    send<Schemas['Logs']>('GET', `${path}?${query(f, { limit: '500' })}`, { signal: ctl.signal }).then(
      (got) => setReading({ state: 'read', entries: [
        ...got.gaps.map((gap): Entry => ({ n: count.current++, gap })), ...got.items.map((log): Entry => ({ n: count.current++, log })),
      ] }),
      (err: unknown) => {
        if (!isAbort(err)) setReading({ entries: [], problem: asProblem(err), state: 'read' });
      });
    return () => ctl.abort();
  }, [key]);

  const followed = (path: string) => {
    let entries: Entry[] = [];
    let waiting: Entry[] = [];
    let source: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    let drawn: ReturnType<typeof setTimeout> | undefined;
    let wait = 1_000;
    const draw = () => {
      drawn = undefined;
      entries = added(entries, waiting);
      waiting = [];
      setReading({ entries, state: 'following' });
    };
    const take = (e: Entry) => {
      waiting.push(e);
      drawn ??= setTimeout(draw, 150);
    };
    const open = () => {
      const since = newest(entries);
      source = new EventSource(apiURL(`${path}?${query(f, { follow: 'true', limit: '500', ...(since ? { since } : {}) })}`));
      source.onopen = () => {
        wait = 1_000;
        setReading((r) => ({ entries: r.entries, state: 'following' }));
      };
      source.addEventListener('line', (m: MessageEvent<string>) => {
        const log = JSON.parse(m.data) as Schemas['Log'];
        if (!since || !repeated(entries, log)) take({ n: count.current++, log });
      });
      source.addEventListener('gap', (m: MessageEvent<string>) => take({ n: count.current++, gap: JSON.parse(m.data) as Schemas['LogGap'] }));
      source.addEventListener('problem', (m: MessageEvent<string>) => {
        retry(Problem.of(0, JSON.parse(m.data) as unknown));
      });
      source.onerror = () => retry(undefined);
    };
    const retry = (problem: Problem | undefined) => {
      source?.close();
      setReading((r) => ({ entries: r.entries, state: 'broken', problem }));
      clearTimeout(again);
      again = setTimeout(open, wait);
      wait = Math.min(wait * 2, 15_000);
    };
    open();
    return () => {
      source?.close();
      clearTimeout(again);
      clearTimeout(drawn);
    };
  };
  return reading;
}

function Shown({ cluster }: TabProps) {
  const q = route.value.query;
  const f: Filter = { level: q.get('level') ?? '', node: q.get('node') ?? '', q: q.get('q') ?? '', span: q.get('span') ?? '' };
  const follow = q.get('follow') === 'true';
  const [text, setText] = useState(f.q);
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (text === f.q) return undefined;
    const timer = setTimeout(() => setQuery({ q: text }), 400);
    return () => clearTimeout(timer);
  }, [text]);
  const reading = useLogs(cluster.id, f, follow, round);
  const nodes = cluster.status.nodes.map((n) => n.name).filter(Boolean);
  const file = apiURL(`clusters/${encodeURIComponent(cluster.id)}/logs?${query(f, { format: 'text', limit: '10000' })}`);
  return (
    <>
      <div class="toolbar">
        <BareSelect aria-label={t('lo.level')} value={f.level} onValue={(level) => setQuery({ level })}
          options={[{ value: '', label: t('lo.allLevels') }, ...levels.map((l) => ({ value: l, label: t('lo.from', { level: l }) }))]} />
        <BareSelect aria-label={t('lo.node')} value={f.node} onValue={(node) => setQuery({ node })}
          options={[{ value: '', label: t('lo.allNodes') }, ...nodes.map((n) => ({ value: n, label: shortName(n) }))]} />
        <BareSelect aria-label={t('lo.span')} value={f.span} onValue={(span) => setQuery({ span })}
          options={[{ value: '', label: t('lo.newest') }, ...(Object.keys(spans) as Span[]).map((s) => ({ value: s, label: t(`lo.${s}`) }))]} />
        <div class="search">
          <input type="search" aria-label={t('lo.text')} placeholder={t('lo.text')} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        </div>
        <Check label={t('lo.follow')} checked={follow} onChecked={(v) => setQuery({ follow: v ? 'true' : undefined })} />
        {!follow && <Button kind="quiet" icon="refresh" aria-label={t('lo.refresh')} onClick={() => setRound(round + 1)} />}
        <a class="btn btn-plain btn-small" href={file} download={`${cluster.id}.log`}>{t('lo.download')}</a>
        <span class="faint" role="status">
          {reading.state === 'following' ? t('lo.following') : reading.state === 'broken' ? t('lo.broken') : num(reading.entries.length)}
        </span>
      </div>
      {reading.problem && <ErrorBox problem={reading.problem} retry={() => setRound(round + 1)} />}
      {reading.state === 'loading' ? <Spinner /> : reading.entries.length === 0
        ? !reading.problem && <Empty title={t('lo.none')} /> : <Lines entries={reading.entries} />}
    </>
  );
}

function Lines({ entries }: { entries: Entry[] }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [entries]);
  return (
    <div ref={box} class="cl-log" tabIndex={0} role="log" aria-live="off" aria-label={t('lo.lines')}
      onScroll={(e) => { const el = e.currentTarget; atEnd.current = el.scrollHeight - el.scrollTop - el.clientHeight < 40; }}>
      {entries.map((e) => ('log' in e ? <Line key={e.n} log={e.log} /> : (
        <div key={e.n} class="cl-gap">… <strong>{shortName(e.gap.node)}</strong>: {t('lo.missing')}: {e.gap.why}</div>
      )))}
    </div>
  );
}

function Line({ log }: { log: Schemas['Log'] }) {
  const time = new Date(log.at).toTimeString().slice(0, 8);
  const fields = Object.entries(log.fields);
  return (
    <div class="cl-log-line" title={log.raw}>
      <time dateTime={log.at} title={dateTime(log.at)}>{time}</time>
      <span class={`cl-level-${log.level || 'info'}`}>{log.level || '·'}</span>
      <span>
        <span class="cl-log-node" title={log.node}>{shortName(log.node)} </span>
        {log.message} {fields.length > 0 && <span class="cl-log-node">{fields.map(([k, v]) => `${k}=${v}`).join(' ')}</span>}
        {log.cut && ` ${t('lo.cut')}`}
      </span>
    </div>
  );
}
