import { useEffect, useState } from 'preact/hooks';
import { apiURL, send, type Schemas } from '../../api';
import { Badge, Button, Dialog, Empty, ErrorBox, Field, Select, Skeleton, Table, tc, TextField, type Column } from '../../components';
import { useAction, useResource } from '../../hooks';
import { dateTime, texts, word } from '../../i18n';
import { Link, route, setQuery } from '../../router';
import { localTime } from './form';

const t = texts({
  'au.title': ['Audit', '审计'],
  'au.export': ['Export', '导出'],
  'au.exportHint': ['All entries that match, as newline-delimited JSON', '导出所有符合条件的记录（每行一个 JSON）'],
  'au.scope': ['Project or organisation', '项目或组织'],
  'au.actor': ['Actor', '操作者'],
  'au.kind': ['Kind', '类型'],
  'au.key': ['Of', '对象'],
  'au.outcome': ['Outcome', '结果'],
  'au.since': ['Since', '起始时间'],
  'au.until': ['Until', '截止时间'],
  'au.any': ['any', '不限'],
  'au.done': ['done', '已执行'],
  'au.denied': ['denied', '已拒绝'],
  'au.time': ['Time', '时间'],
  'au.action': ['Action', '操作'],
  'au.details': ['Details', '详情'],
  'au.show': ['Details of {{what}}', '{{what}} 的详情'],
  'au.none': ['No entries', '暂无记录'],
  'au.clear': ['Clear', '清除'],
  'au.why': ['Why', '原因'],
  'au.from': ['Address', '来源地址'],
  'au.request': ['Request', '请求 ID'],
  'au.credential': ['Credential', '凭证'],
  'au.user': ['User', '用户'],
  'au.unwritten_one': ['{{n}} more attempt like this was not written down.', ''],
  'au.unwritten_other': ['{{n}} more attempts like this were not written down.', '另有 {{n}} 次同类尝试未逐条记录。'],
});

type Entry = Schemas['AuditEntry'];
const names = ['scope', 'actor', 'kind', 'key', 'outcome', 'since', 'until'] as const;
type Filter = Partial<Record<(typeof names)[number], string>>;

const kinds: Record<string, readonly [string, string]> = {
  cluster: ['cluster', '集群'], operation: ['operation', '操作'], org: ['organisation', '组织'], project: ['project', '项目'],
  quota: ['quota', '配额'], pool: ['pool', '资源池'], size: ['size', '规格'], image: ['image', '镜像'],
  registry: ['registry', '镜像仓库'], license: ['license', '许可证'], certificate: ['certificate', '证书'],
  'lb-profile': ['load-balancer profile', '负载均衡配置'], target: ['target', 'Kubernetes 目标'], user: ['user', '用户'],
  token: ['token', '令牌'], session: ['session', '会话'], agent: ['agent', 'Agent'],
  'registration-token': ['registration token', '注册令牌'],
};

const actions: Record<string, readonly [string, string]> = {
  create: ['create', '创建'], update: ['update', '修改'], delete: ['delete', '删除'], start: ['start', '启动'],
  stop: ['stop', '停止'], restart: ['restart', '重启'], repair: ['repair', '修复'], transfer: ['transfer', '转移'],
  'take-over': ['take over', '接管'], 'put-back': ['put back', '还原'], login: ['sign in', '登录'], logout: ['sign out', '退出'],
  cancel: ['cancel', '取消'], unlock: ['unlock', '解锁'], read: ['read', '读取'],
};

function filterOf(q: URLSearchParams): Filter {
  return Object.fromEntries(names.flatMap((n) => (q.get(n) ? [[n, q.get(n)]] : [])));
}

function query(f: Filter, more: Record<string, string> = {}): string {
  const q = new URLSearchParams({ ...f, ...more });
  return q.size ? `?${q.toString()}` : '';
}

export function AuditPage() {
  const key = route.value.query.toString();
  const filter = filterOf(new URLSearchParams(key));
  const page = (cursor: string, signal?: AbortSignal) =>
    send<{ items: Entry[]; next: string }>('GET', `audit${query(filter, { limit: '100', ...(cursor ? { cursor } : {}) })}`,
      signal ? { signal } : {});
  const list = useResource((signal) => page('', signal), [key]);
  const [open, setOpen] = useState<Entry | undefined>(undefined);
  const more = useAction(async () => {
    if (!list.data) return;
    const next = await page(list.data.next);
    list.set({ items: [...list.data.items, ...next.items], next: next.next });
  });
  const rows = list.data?.items ?? [];
  return (
    <>
      <div class="page-head">
        <h2 class="admin-h">{t('au.title')}</h2>
        <div class="actions">
          <Button icon="refresh" aria-label={tc('c.retry')} onClick={list.reload} />
          <a class="btn btn-plain" href={apiURL(`audit/export${query(filter)}`)} download="audit.ndjson"
            title={t('au.exportHint')}>{t('au.export')}</a>
        </div>
      </div>
      <Filters filter={filter} key={key} />
      {list.error && <ErrorBox problem={list.error} retry={list.reload} />}
      {!list.data && !list.error && <Skeleton />}
      {list.data && rows.length === 0 && <div class="panel"><Empty title={t('au.none')} /></div>}
      {rows.length > 0 && (
        <Table label={t('au.title')} columns={columns(setOpen)} rows={rows} rowKey={(e) => e.id} />
      )}
      {list.data?.next && (
        <div class="row"><Button busy={more.busy} onClick={() => void more.run()}>{tc('c.showMore')}</Button></div>
      )}
      {open && <Details of={open} onClose={() => setOpen(undefined)} />}
      {more.error && <ErrorBox problem={more.error} retry={() => void more.run()} />}
    </>
  );
}

function columns(setOpen: (e: Entry) => void): Column<Entry>[] {
  return [
    { id: 'at', head: t('au.time'), cell: (e) => <time class="nowrap" dateTime={e.at}>{dateTime(e.at)}</time> },
    { id: 'actor', head: t('au.actor'), cell: (e) => <span class="break">{e.actor}</span> },
    { id: 'action', head: t('au.action'), cell: (e) => <span class="nowrap">{`${word(actions, e.action)} ${word(kinds, e.kind)}`}</span> },
    {
      id: 'key', head: t('au.key'),
      cell: (e) => (e.kind === 'cluster' ? <Link to={`/clusters/${e.key}`}>{e.key}</Link> : <span class="break">{e.key}</span>),
    },
    { id: 'scope', head: t('au.scope'), cell: (e) => <span class="break">{e.scope || '–'}</span> },
    {
      id: 'outcome', head: t('au.outcome'),
      cell: (e) => (
        <Badge tone={e.outcome === 'done' ? 'ok' : 'bad'}>
          {e.outcome === 'done' ? t('au.done') : e.outcome === 'denied' ? t('au.denied') : e.outcome}
        </Badge>
      ),
    },
    {
      id: 'details', head: t('au.details'),
      cell: (e) => (
        <Button small kind="quiet" aria-label={t('au.show', { what: `${e.action} ${e.key}` })} onClick={() => setOpen(e)}>
          {t('au.details')}
        </Button>
      ),
    },
  ];
}

function Details({ of: e, onClose }: { of: Entry; onClose: () => void }) {
  const facts = [
    [t('au.time'), dateTime(e.at)], [t('au.actor'), e.actor], [t('au.user'), e.user], [t('au.why'), e.why],
    [t('au.from'), e.remoteAddress], [t('au.credential'), e.credential], [t('au.request'), e.requestId],
  ] as const;
  return (
    <Dialog wide title={`${word(actions, e.action)} · ${word(kinds, e.kind)} ${e.key}`} onClose={onClose}>
      <dl class="facts">
        {facts.map(([name, v]) => v && <div key={name} class="fact"><dt>{name}</dt><dd>{v}</dd></div>)}
      </dl>
      {e.changes && e.changes.length > 0 && (
        <dl class="facts">
          {e.changes.map((c) => (
            <div key={c.path} class="fact">
              <dt><code>{c.path}</code></dt>
              <dd>
                {c.before !== undefined && <del><code>{c.before}</code></del>} {c.after !== undefined && <code>{c.after}</code>}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {e.unwritten ? <p>{t('au.unwritten', { count: e.unwritten })}</p> : null}
    </Dialog>
  );
}

const iso = (local: string) => (local ? new Date(local).toISOString() : '');

function Filters({ filter }: { filter: Filter }) {
  const [f, setF] = useState<Filter>(filter);
  const set = (n: (typeof names)[number]) => (v: string) => setF({ ...f, [n]: v });
  // A choice holds at once; text waits for the end of the typing.
  useEffect(() => {
    if (JSON.stringify(f) === JSON.stringify(filter)) return undefined;
    const timer = setTimeout(() => setQuery(Object.fromEntries(names.map((n) => [n, f[n]?.trim()]))), 600);
    return () => clearTimeout(timer);
  }, [f]);
  const time = (n: 'since' | 'until', label: string) => (
    <div class="admin-time"><Field label={label}>
      {(ids) => (
        <input type="datetime-local" {...ids} value={f[n] ? localTime(f[n]) : ''} onChange={(e) => set(n)(iso(e.currentTarget.value))} />
      )}
    </Field></div>
  );
  return (
    <div class="panel panel-body admin-filters">
      <TextField label={t('au.scope')} value={f.scope ?? ''} onValue={set('scope')} placeholder="org/project" spellcheck={false} />
      <TextField label={t('au.actor')} value={f.actor ?? ''} onValue={set('actor')} spellcheck={false} />
      <Select label={t('au.kind')} value={f.kind ?? ''} onValue={set('kind')}
        options={[{ value: '', label: t('au.any') }, ...Object.keys(kinds).map((k) => ({ value: k, label: word(kinds, k) }))]} />
      <TextField label={t('au.key')} value={f.key ?? ''} onValue={set('key')} spellcheck={false} />
      <Select label={t('au.outcome')} value={f.outcome ?? ''} onValue={set('outcome')} options={[
        { value: '', label: t('au.any') }, { value: 'done', label: t('au.done') }, { value: 'denied', label: t('au.denied') },
      ]} />
      {time('since', t('au.since'))}
      {time('until', t('au.until'))}
      {Object.keys(filter).length > 0 && (
        <div class="admin-clear">
          <Button onClick={() => setQuery(Object.fromEntries(names.map((n) => [n, undefined])))}>{t('au.clear')}</Button>
        </div>
      )}
    </div>
  );
}
