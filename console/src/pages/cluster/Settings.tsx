import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Cluster } from '../../api';
import { Button, Time } from '../../components';
import { num, texts } from '../../i18n';
import { differences, type Difference } from './differ';
import { Drift } from './Drift';
import { adopted, hosted } from './forms/parts';
import type { TabProps } from './tabs';
import { settingName, type ActionId } from './words';

const t = texts({
  'se.title': ['What is wanted', '期望配置'],
  'se.change': ['Change', '修改'],
  'se.changed': ['Changed while this page was open', '页面打开期间已变更'],
  'se.was': ['was', '原为'],
  'se.seen': ['Dismiss', '知道了'],
  'se.revision': ['Revision {{n}}', '版本号 {{n}}'],
  'se.updated': ['last changed', '最近变更'],
  'se.by': ['created by {{who}}', '由 {{who}} 创建'],
  'se.default': ['default', '默认'],
  'se.none': ['none', '无'],
  'se.own': ['EMQX keeps its own', '由 EMQX 自行限制'],
  'se.viaAgent': ['through an agent', '经由 Agent'],
  'se.storage': ['Storage class', '存储类'],
  'se.target': ['Target', '目标平台'],
  'se.fixed': ['fixed at the creation', '创建后不可修改'],
  'se.anyTime': ['nodes may be replaced at any time', '可随时替换节点'],
  'se.everywhere': ['anywhere', '不限'],
  'se.rate': ['{{n}} clients per second', '每秒 {{n}} 个客户端'],
  'se.deadline': ['{{n}} s for each node', '每个节点 {{n}} 秒'],
});

type Row = { action?: ActionId; name: string; value: ComponentChildren; note?: string };

export function Settings(props: TabProps) {
  const { cluster, actions, onAction, mayWrite, reload } = props;
  const rows = cluster.mode === 'hosted' ? hostedRows(cluster) : adoptedRows(cluster);
  return (
    <>
      <Changed cluster={cluster} own={props.own} />
      <section class="panel">
        <div class="panel-head">
          <h2>{t('se.title')}</h2>
          <span class="faint">
            {t('se.revision', { n: num(cluster.revision) })} · {t('se.updated')} <Time at={cluster.updatedAt} /> · {t('se.by', { who: cluster.creatorUser ?? cluster.creator })}
          </span>
        </div>
        <div class="panel-body">
          <dl>
            {rows.map((r) => {
              const action = r.action;
              return (
                <div class="cl-setting" key={r.name}>
                  <dt>{r.name}</dt>
                  <dd>{r.value}{r.note && <div class="hint">{r.note}</div>}</dd>
                  <dd>{action && mayWrite && actions.includes(action) && (
                    <Button small aria-label={`${t('se.change')}: ${r.name}`} onClick={() => onAction(action)}>{t('se.change')}</Button>
                  )}</dd>
                </div>
              );
            })}
          </dl>
        </div>
      </section>
      {cluster.mode === 'hosted' && <Drift cluster={cluster} mayWrite={mayWrite} reload={reload} />}
    </>
  );
}

/** Changed tells what others have asked of the cluster since the page shows it. */
function Changed({ cluster, own }: { cluster: Cluster; own: number }) {
  const base = useRef(cluster);
  const [list, setList] = useState<Difference[]>([]);
  useEffect(() => {
    if (cluster.revision === own) base.current = cluster;
    setList(differences(base.current, cluster));
  }, [cluster.revision, own]);
  if (list.length === 0) return null;
  return (
    <div class="note cl-changed" role="status">
      <strong>{t('se.changed')}</strong>
      <ul>{list.map((d) => <li key={d.key}><code>{d.key}</code>: <strong>{d.is}</strong> ({t('se.was')} {d.was})</li>)}</ul>
      <div><Button small onClick={() => { base.current = cluster; setList([]); }}>{t('se.seen')}</Button></div>
    </div>
  );
}

function row(action: ActionId, value: ComponentChildren, note?: string): Row {
  return { action, name: settingName(action), value, ...(note ? { note } : {}) };
}

function map(m: Record<string, string> | undefined): string {
  return Object.entries(m ?? {}).map(([k, v]) => `${k} = ${v}`).join('\n');
}

function describe(c: Cluster): Row {
  return row('describe', <><strong>{c.name}</strong>{c.description && <div>{c.description}</div>}</>);
}

function hostedRows(c: Cluster): Row[] {
  const s = hosted(c);
  const h = s.hibernation;
  const e = s.evacuation;
  const fall = t('se.default');
  const windows = (s.maintenance?.windows ?? []).map((w) => `${w.start}  ${w.duration}`).join('\n');
  const network = [s.network?.type ?? 'ClusterIP', ...(s.network?.listeners ?? []).map((l) => `${l.protocol}:${l.port ?? ''}`)].join('  ');
  const extra = [s.network?.certificate, s.network?.loadBalancerClass, map(s.network?.annotations)].filter(Boolean).join('\n');
  const placement = [map(s.placement?.nodeSelector), ...(s.placement?.tolerations ?? []).map((x) => [x.key, x.value, x.effect].filter(Boolean).join(' '))];
  return [
    describe(c),
    row('image', s.image ?? fall),
    row('scale', num(s.nodes)),
    row('resize', s.size ?? fall),
    row('connections', num(s.connections)),
    row('replicants', s.replicants?.nodes ? [num(s.replicants.nodes), s.replicants.size].filter(Boolean).join(' · ') : t('se.none')),
    row('network', network, extra),
    row('config', map(s.config) ? <code>{map(s.config)}</code> : t('se.none')),
    row('evacuation', [t('se.rate', { n: num(e?.rate || 500) }), t('se.deadline', { n: num(e?.deadline || 600) }), e?.onDeadline ?? 'go-on'].join(' · ')),
    row('hibernation', h ? [h.sleep && `↓ ${h.sleep}`, h.wake && `↑ ${h.wake}`, h.timeZone].filter(Boolean).join('  ') : t('se.none')),
    row('maintenance', windows || t('se.anyTime'), s.maintenance?.timeZone),
    row('placement', placement.filter(Boolean).join('\n') || t('se.everywhere')),
    { name: t('se.storage'), value: s.storage || fall, note: t('se.fixed') },
    { name: t('se.target'), value: s.target || fall, note: t('se.fixed') },
  ];
}

function adoptedRows(c: Cluster): Row[] {
  const s = adopted(c);
  const limit = c.features.find((f) => f.feature === 'connectionLimit');
  return [
    describe(c),
    row('connections', s.connections ? num(s.connections) : t('se.own'), limit?.available ? undefined : limit?.why),
    row('serviceAddress', s.serviceAddress || t('se.viaAgent')),
  ];
}
