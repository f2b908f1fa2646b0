import { useState } from 'preact/hooks';
import { api, ok, type Cluster, type Schemas } from '../../api';
import type { Change } from '../../change';
import { Badge, Button, ErrorBox, Skeleton, Table, Tag, type Column } from '../../components';
import { useResource } from '../../hooks';
import { texts, word } from '../../i18n';
import { ChangeDialog } from './ChangeDialog';
import { NodeName } from './node';

const t = texts({
  'dr.title': ['Settings that EMQX runs with otherwise', '与期望不一致的 EMQX 配置'],
  'dr.none': ['EMQX runs with the settings that were asked for.', 'EMQX 运行配置与期望一致。'],
  'dr.changing': ['A change of settings is under way.', '配置正在变更中。'],
  'dr.unanswered': ['Did not answer', '未响应'],
  'dr.key': ['Setting', '配置项'],
  'dr.kind': ['How', '类型'],
  'dr.wanted': ['Asked for', '期望值'],
  'dr.found': ['Found', '实际值'],
  'dr.secret': ['secret', '保密'],
  'dr.putBack': ['Put back', '还原'],
  'dr.takeOver': ['Take over', '采纳'],
  'dr.putBackAll': ['Put all back', '全部还原'],
  'dr.takeOverAll': ['Take all over', '全部采纳'],
  'dr.notSet': ['not set', '未设置'],
});

const kinds = {
  differs: ['differs', '与期望不同'],
  lingers: ['lingers', '残留'],
  mayLinger: ['may linger', '可能残留'],
  unasked: ['not asked for', '非期望配置'],
} as const;

type Setting = Schemas['SettingDrift'];
type Asked = { title: string; change: Change };

export function Drift({ cluster, mayWrite, reload }: { cluster: Cluster; mayWrite: boolean; reload: () => void }) {
  const { id } = cluster;
  const drift = useResource(async (signal) => ok(api.GET('/api/v1/clusters/{id}/settings/drift', { params: { path: { id } }, signal })),
    [id], { kinds: ['cluster', 'operation'], match: (e) => e.key === id || (e.object as { cluster?: string } | null)?.cluster === id, every: 30_000 });
  const [asked, setAsked] = useState<Asked>();
  const ask = (what: 'put-back' | 'take-over', title: string, keys?: string[]) =>
    setAsked({ title, change: { method: 'POST', path: `settings/${what}`, body: keys ? { keys } : {} } });
  const value = (s: Setting, v: string | undefined) => (s.secret ? <Tag>{t('dr.secret')}</Tag> : v === undefined ? <span class="faint">{t('dr.notSet')}</span> : <code class="cl-wrap">{v}</code>);
  const columns: Column<Setting>[] = [
    { id: 'key', head: t('dr.key'), cell: (s) => <><code class="cl-wrap">{s.key}</code>{s.source && s.source !== s.key && <div class="hint">{s.source}</div>}</> },
    { id: 'kind', head: t('dr.kind'), cell: (s) => <Badge tone="warn">{word(kinds, s.kind)}</Badge> },
    { id: 'wanted', head: t('dr.wanted'), cell: (s) => value(s, s.wanted) },
    { id: 'found', head: t('dr.found'), cell: (s) => s.nodes.filter((n) => n.differs).map((n) => (
      <div key={n.node}><span class="faint"><NodeName name={n.node} /></span> {value(s, n.value)}</div>
    )) },
  ];
  if (mayWrite) {
    columns.push({ id: 'do', head: '', align: 'end', cell: (s) => (
      <div class="row cl-end">
        <Button small disabled={Boolean(s.noPutBack)} title={s.noPutBack} aria-label={`${t('dr.putBack')}: ${s.key}`}
          onClick={() => ask('put-back', t('dr.putBack'), [s.key])}>{t('dr.putBack')}</Button>
        <Button small disabled={Boolean(s.noTakeOver)} title={s.noTakeOver} aria-label={`${t('dr.takeOver')}: ${s.key}`}
          onClick={() => ask('take-over', t('dr.takeOver'), [s.key])}>{t('dr.takeOver')}</Button>
      </div>
    ) });
  }
  const d = drift.data;
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>{t('dr.title')}</h2>
        {mayWrite && d && d.settings.length > 1 && (
          <div class="actions">
            <Button small onClick={() => ask('put-back', t('dr.putBackAll'))}>{t('dr.putBackAll')}</Button>
            <Button small onClick={() => ask('take-over', t('dr.takeOverAll'))}>{t('dr.takeOverAll')}</Button>
          </div>
        )}
      </div>
      <div class="panel-body">
        {drift.error && <ErrorBox problem={drift.error} retry={drift.reload} />}
        {!d && !drift.error && <Skeleton />}
        {d?.changing && <p class="note">{t('dr.changing')}</p>}
        {d && d.unanswered.length > 0 && <p class="note">{t('dr.unanswered')}: {d.unanswered.join(', ')}</p>}
        {d && d.settings.length === 0 && <p class="faint">{t('dr.none')}</p>}
        {d && d.settings.length > 0 && <Table label={t('dr.title')} columns={columns} rows={d.settings} rowKey={(s) => s.key} />}
      </div>
      {asked && (
        <ChangeDialog cluster={cluster} title={asked.title} change={asked.change} onClose={() => setAsked(undefined)}
          onDone={() => { drift.reload(); reload(); }} />
      )}
    </section>
  );
}
