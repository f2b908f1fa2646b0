import { useMemo } from 'preact/hooks';
import { api, ok, type Schemas } from '../../../api';
import { BareSelect, Button, Empty, ErrorBox, Skeleton, Table, Time, type Column as TableColumn } from '../../../components';
import { useResource } from '../../../hooks';
import { dateTime, num, texts } from '../../../i18n';
import { route, setQuery } from '../../../router';
import { NodeName } from '../node';
import { why, type TabProps } from '../tabs';
import { t as tcl } from '../words';
import { Chart, type Line } from './Chart';
import { seriesOf, summary, thin, type Column, type Series } from './series';

const t = texts({
  'mo.range': ['Range', '时间范围'],
  'mo.10m': ['10 minutes', '10 分钟'],
  'mo.1h': ['1 hour', '1 小时'],
  'mo.6h': ['6 hours', '6 小时'],
  'mo.24h': ['24 hours', '24 小时'],
  'mo.168h': ['7 days', '7 天'],
  'mo.asked': ['Asked', '查询于'],
  'mo.old': ['It cannot be asked now; this is what it told at {{time}}.', '当前无法查询，显示的是 {{time}} 的数据。'],
  'mo.connections': ['Connections', '连接数'],
  'mo.sessions': ['Sessions', '会话'],
  'mo.subscriptions': ['Subscriptions', '订阅'],
  'mo.shared': ['Shared subscriptions', '共享订阅'],
  'mo.topics': ['Topics', '主题'],
  'mo.retained': ['Retained', '保留消息'],
  'mo.messages': ['Messages per second', '每秒消息数'],
  'mo.droppedTitle': ['Dropped messages per second', '每秒丢弃消息数'],
  'mo.received': ['Received', '接收'],
  'mo.sent': ['Sent', '发送'],
  'mo.dropped': ['Dropped', '丢弃'],
  'mo.perSecond': ['/s', '/秒'],
  'mo.summary': ['last {{last}}, lowest {{min}}, highest {{max}}', '最新 {{last}}，最低 {{min}}，最高 {{max}}'],
  'mo.noValues': ['no values', '无数据'],
  'mo.noSeries': ['Nothing was kept of this time.', '该时间段没有保存数据。'],
  'mo.oldest': ['Kept from {{time}} on', '数据起始于 {{time}}'],
  'mo.gaps': ['Of these times nothing is known', '以下时间段没有数据'],
  'mo.table': ['The same as a table', '以表格查看'],
  'mo.time': ['Time', '时间'],
  'mo.nodes': ['By node', '按节点'],
  'mo.node': ['Node', '节点'],
  'mo.sinceStart': ['Messages since the start of the node', '消息数自节点启动起累计'],
});

const ranges = ['10m', '1h', '6h', '24h', '168h'] as const;
type Range = (typeof ranges)[number];
const seconds: Record<Range, number> = { '10m': 600, '1h': 3_600, '6h': 21_600, '24h': 86_400, '168h': 604_800 };

export function Monitoring(props: TabProps) {
  const reason = why(props.cluster, 'monitoring');
  if (reason !== undefined) return <Empty title={tcl('cl.notAvailable')}><p>{reason}</p></Empty>;
  return <Shown {...props} />;
}

function Shown({ cluster }: TabProps) {
  const asked = route.value.query.get('range');
  const range = ranges.find((r) => r === asked) ?? '1h';
  const stats = useResource(
    async (signal) => ok(api.GET('/api/v1/clusters/{id}/stats', { params: { path: { id: cluster.id }, query: { window: range } }, signal })),
    [cluster.id, range], { kinds: [], every: 10_000 });
  const s = stats.data;
  return (
    <>
      <div class="toolbar">
        <BareSelect aria-label={t('mo.range')} value={range} onValue={(v) => setQuery({ range: v === '1h' ? undefined : v })}
          options={ranges.map((r) => ({ value: r, label: t(`mo.${r}`) }))} />
        <Button icon="refresh" kind="quiet" aria-label={tcl('cl.monitoring')} onClick={stats.reload} />
        {s && <span class="faint">{t('mo.asked')} <Time at={s.at} absolute /></span>}
      </div>
      {stats.error && <ErrorBox problem={stats.error} retry={stats.reload} />}
      {stats.error && s && <p class="note">{t('mo.old', { time: dateTime(s.at) })}</p>}
      {s ? <Stats stats={s} range={range} /> : !stats.error && <Skeleton lines={10} />}
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return <div class="card figure"><span class="faint">{name}</span><span class="figure-value">{value}</span></div>;
}

function Stats({ stats: s, range }: { stats: Schemas['Stats']; range: Range }) {
  const series = useMemo(() => seriesOf(s.series ?? [], s.gaps), [s]);
  const rate = (n: number) => `${num(n, { maximumFractionDigits: 1 })}${t('mo.perSecond')}`;
  return (
    <>
      <div class="cl-figures">
        <Figure name={t('mo.connections')} value={num(s.connections)} />
        <Figure name={t('mo.sessions')} value={num(s.sessions)} />
        <Figure name={t('mo.subscriptions')} value={num(s.subscriptions)} />
        <Figure name={t('mo.shared')} value={num(s.sharedSubscriptions)} />
        <Figure name={t('mo.topics')} value={num(s.topics)} />
        <Figure name={t('mo.retained')} value={num(s.retained)} />
        {s.rates && <Figure name={t('mo.received')} value={rate(s.rates.received)} />}
        {s.rates && <Figure name={t('mo.sent')} value={rate(s.rates.sent)} />}
        {s.rates && <Figure name={t('mo.dropped')} value={rate(s.rates.dropped)} />}
      </div>
      {s.ratesError && <p class="note">{s.ratesError}</p>}
      {s.seriesError && <p class="note">{s.seriesError}</p>}
      {series.at.length > 0 ? <Charts series={series} to={Date.parse(s.at) / 1000} range={range} />
        : !s.seriesError && <Empty title={t('mo.noSeries')} />}
      <Gaps gaps={s.gaps ?? []} />
      <PerNode nodes={s.nodes} />
    </>
  );
}

function Charts({ series, to, range }: { series: Series; to: number; range: Range }) {
  const from = to - seconds[range];
  const tell = (c: Column) => {
    const x = summary(c);
    const f = (n: number) => num(n, { maximumFractionDigits: 1 });
    return x ? t('mo.summary', { last: f(x.last), min: f(x.min), max: f(x.max) }) : t('mo.noValues');
  };
  const received: Line = { label: t('mo.received'), values: series.received, token: '--busy' };
  const sent: Line = { label: t('mo.sent'), values: series.sent, token: '--accent', dash: [6, 4] };
  const common = { at: series.at, from, to, timeLabel: t('mo.time') };
  const first = series.at[0] ?? to;
  return (
    <section class="panel">
      <div class="panel-body">
        {first > from + 60 && <p class="faint">{t('mo.oldest', { time: dateTime(new Date(first * 1000)) })}</p>}
        <div class="cl-charts">
          <Chart {...common} title={t('mo.connections')} summary={tell(series.connections)} unit=""
            lines={[{ label: t('mo.connections'), values: series.connections, token: '--accent' }]} />
          <Chart {...common} title={t('mo.messages')} unit={t('mo.perSecond')} lines={[received, sent]}
            summary={`${received.label} ${tell(series.received)}; ${sent.label} ${tell(series.sent)}`} />
          <Chart {...common} title={t('mo.droppedTitle')} summary={tell(series.dropped)} unit={t('mo.perSecond')}
            lines={[{ label: t('mo.dropped'), values: series.dropped, token: '--bad' }]} />
        </div>
        <details>
          <summary>{t('mo.table')}</summary>
          <SeriesTable series={series} />
        </details>
      </div>
    </section>
  );
}

function SeriesTable({ series }: { series: Series }) {
  const cell = (c: Column, i: number) => {
    const v = c[i];
    return v === null || v === undefined ? '–' : num(v, { maximumFractionDigits: 2 });
  };
  const columns: TableColumn<number>[] = [
    { id: 'at', head: t('mo.time'), cell: (i) => dateTime(new Date((series.at[i] ?? 0) * 1000)) },
    { id: 'c', head: t('mo.connections'), align: 'end', cell: (i) => cell(series.connections, i) },
    { id: 'r', head: `${t('mo.received')} ${t('mo.perSecond')}`, align: 'end', cell: (i) => cell(series.received, i) },
    { id: 's', head: `${t('mo.sent')} ${t('mo.perSecond')}`, align: 'end', cell: (i) => cell(series.sent, i) },
    { id: 'd', head: `${t('mo.dropped')} ${t('mo.perSecond')}`, align: 'end', cell: (i) => cell(series.dropped, i) },
  ];
  return <Table label={t('mo.table')} columns={columns} rows={thin(series.at.length, 120).reverse()} rowKey={(i) => String(i)} />;
}

function Gaps({ gaps }: { gaps: Schemas['SeriesGap'][] }) {
  if (gaps.length === 0) return null;
  return (
    <div class="note">
      <h3>{t('mo.gaps')}</h3>
      <ul>{gaps.map((g) => <li key={g.from}>{dateTime(g.from)} – {dateTime(g.to)}</li>)}</ul>
    </div>
  );
}

function PerNode({ nodes }: { nodes: Schemas['NodeStats'][] }) {
  type N = Schemas['NodeStats'];
  const columns: TableColumn<N>[] = [
    { id: 'node', head: t('mo.node'), cell: (n) => <><NodeName name={n.node} />{n.error && <div class="field-error">{n.error}</div>}</> },
    { id: 'c', head: t('mo.connections'), align: 'end', cell: (n) => num(n.connections) },
    { id: 'ss', head: t('mo.sessions'), align: 'end', cell: (n) => num(n.sessions) },
    { id: 'r', head: t('mo.received'), align: 'end', cell: (n) => num(n.totals.received) },
    { id: 's', head: t('mo.sent'), align: 'end', cell: (n) => num(n.totals.sent) },
    { id: 'd', head: t('mo.dropped'), align: 'end', cell: (n) => num(n.totals.dropped) },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('mo.nodes')}</h2><span class="faint">{t('mo.sinceStart')}</span></div>
      <Table label={t('mo.nodes')} columns={columns} rows={nodes} rowKey={(n) => n.node} />
    </section>
  );
}
