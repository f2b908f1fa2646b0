import type { Cluster, Operation, Schemas } from '../../api';
import { operationName, reasonName, type Tone } from '../../components';
import { label, num } from '../../i18n';
import { t } from './words';

/** Item is one thing that somebody should look at. weight orders them: the lowest first. */
export type Item = { key: string; weight: number; tone: Tone; word: string; name: string; to: string; text: string; since: string | undefined };

export type Seen = {
  clusters: readonly Cluster[];
  operations: ReadonlyMap<string, Operation>;
  alarms: ReadonlyMap<string, number>;
  pool: Schemas['Pool'] | undefined;
  quotas: readonly Schemas['Quota'][];
  targets: readonly Schemas['TargetInfo'][];
  licenses: readonly Schemas['License'][];
  certificates: readonly Schemas['CertificateInfo'][];
  unrecorded: number;
  now: number;
};

const day = 86_400_000;
const nearly = 0.9;

/** needsLook are the clusters that are not as they should be: the worst first, of two alike the one that is so for longer. */
export function needsLook(clusters: readonly Cluster[]): Cluster[] {
  const weight = (c: Cluster) => (c.status.state === 'abnormal' ? 0 : c.status.stale ? 1 : 2);
  return clusters
    .filter((c) => c.status.state === 'abnormal' || c.status.state === 'degraded' || c.status.stale)
    .sort((a, b) => weight(a) - weight(b) || a.status.since.localeCompare(b.status.since));
}

function ofCluster(c: Cluster, op: Operation | undefined): Item {
  const { status } = c;
  const failed = op?.phase === 'failed' ? op : undefined;
  const stale = status.stale && status.state !== 'abnormal';
  return {
    key: c.id,
    weight: status.state === 'abnormal' ? 0 : stale ? 1 : 3,
    tone: status.state === 'abnormal' ? 'bad' : 'warn',
    word: stale ? t('at.stale') : label(status.label),
    name: c.name,
    to: failed ? `/clusters/${c.id}/operations` : `/clusters/${c.id}/overview`,
    text: failed
      ? [t('at.failed', { operation: operationName(failed.kind) }), failed.error].filter(Boolean).join(' · ')
      : stale ? t('at.staleSince') : [reasonName(status.reason), status.message].filter(Boolean).join(' · '),
    since: stale ? status.staleSince : status.since,
  };
}

function expiry(key: string, name: string, at: string | undefined, to: string, kind: string, now: number): Item[] {
  if (!at) return [];
  const left = new Date(at).getTime() - now;
  if (left > 30 * day) return [];
  const over = left <= 0;
  return [{
    key, name, to, text: kind, since: at, weight: over ? 1 : left < 7 * day ? 3 : 6, tone: over ? 'bad' : 'warn',
    word: over ? t('at.expired') : t('at.expires'),
  }];
}

const full = (used: number, of: number) => of > 0 && used / of >= nearly;
const booked = (used: number, of: number) => t('at.poolFull', { used: num(used), limit: num(of) });

/** attention is what needs it, the most urgent first. */
export function attention(s: Seen): Item[] {
  const items: Item[] = needsLook(s.clusters).map((c) => ofCluster(c, s.operations.get(c.id)));
  for (const c of s.clusters) {
    const n = s.alarms.get(c.id);
    if (!n) continue;
    items.push({
      key: `alarms ${c.id}`, weight: 4, tone: 'warn', word: t('at.alarms', { count: n }), name: c.name,
      to: `/clusters/${c.id}/alarms`, text: c.project, since: undefined,
    });
  }
  for (const x of s.targets) {
    const other = x.health.lease?.otherPlatform === true;
    if (x.health.reachable !== 'False' && !other) continue;
    items.push({
      key: `target ${x.name}`, weight: -1, tone: 'bad', word: other ? t('at.other') : t('at.target'), name: x.name,
      to: '/admin/targets', text: x.health.lease?.message ?? x.health.message ?? '', since: x.health.since,
    });
  }
  const pool = s.pool;
  if (pool && full(pool.usedConnections, pool.connections)) {
    items.push({
      key: 'pool', weight: 2, tone: 'warn', word: t('at.pool'), name: t('fleet.booked'), to: '/admin/pool',
      text: booked(pool.usedConnections, pool.connections), since: undefined,
    });
  }
  items.push(...expiry('pool expires', t('fleet.booked'), pool?.expiresAt, '/admin/pool', t('at.poolExpires'), s.now));
  for (const q of s.quotas) {
    if (!full(q.usedConnections, q.connections)) continue;
    items.push({
      key: `quota ${q.of}`, weight: 5, tone: 'warn', word: t('at.quota'), name: q.of,
      to: q.of.includes('/') ? '/admin/projects' : '/admin/orgs', text: booked(q.usedConnections, q.connections), since: undefined,
    });
  }
  for (const l of s.licenses) {
    items.push(...expiry(`license ${l.name}`, l.name, l.expiresAt, '/admin/licenses', t('fleet.license'), s.now));
  }
  for (const c of s.certificates) {
    items.push(...expiry(`certificate ${c.name}`, c.name, c.notAfter, '/admin/certificates', t('fleet.certificate'), s.now));
  }
  if (s.unrecorded > 0) {
    items.push({
      key: 'unrecorded', weight: 4, tone: 'warn', word: t('at.unrecorded'), name: num(s.unrecorded), to: '/admin/unrecorded',
      text: t('at.unrecordedAbout'), since: undefined,
    });
  }
  return items.sort((a, b) => a.weight - b.weight);
}
