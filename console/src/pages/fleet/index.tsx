import './fleet.css';
import { ButtonLink, Empty, ErrorBox, Skeleton, Time } from '../../components';
import { useNow } from '../../hooks';
import { may } from '../../rights';
import { alarms, canTell, useAlarms } from '../clusters/alarms';
import { attention } from './attention';
import { useKept, useOverview, useTroubled } from './data';
import { Figures } from './Figures';
import { Attention, Expiring, Missing, Quotas, States, Versions } from './Panels';
import { t } from './words';

// Which clusters have alarms is asked of their brokers; of more than so many the total has to do.
const mostAsked = 50;

export default function Page() {
  const overview = useOverview();
  const kept = useKept();
  const { clusters, operations } = useTroubled();
  const now = useNow();
  const o = overview.data;
  const k = kept.data;
  const asked = o && o.alarms.active > 0 ? clusters.filter(canTell) : [];
  useAlarms(asked.length > mostAsked ? [] : asked);
  const items = attention({
    clusters, operations, now,
    alarms: new Map(asked.map((c) => [c.id, alarms.value.get(c.id)?.active ?? 0])),
    pool: k?.pool, quotas: k?.quotas ?? [], targets: k?.targets ?? [], licenses: k?.licenses ?? [],
    certificates: k?.certificates ?? [], unrecorded: k?.unrecorded ?? 0,
  });
  return (
    <>
      <div class="page-head">
        <h1>{t('fleet.title')}</h1>
        {o && <span class="faint small"><Time at={o.at} /></span>}
      </div>
      {overview.error && <ErrorBox problem={overview.error} retry={overview.reload} />}
      {kept.error && <ErrorBox problem={kept.error} retry={kept.reload} />}
      {!o && !overview.error && <Skeleton lines={6} />}
      {o && <Figures of={o} pool={k?.pool} />}
      {o && o.clusters === 0 && (
        <div class="panel">
          <Empty title={t('fleet.empty')}>
            {may('write') && <ButtonLink to="/clusters/new" kind="primary" icon="plus">{t('fleet.add')}</ButtonLink>}
          </Empty>
        </div>
      )}
      {o && (
        <div class="split">
          <div class="stack">
            {(o.clusters > 0 || items.length > 0) && <Attention items={items} />}
            {may('admin') && k && <Expiring of={k} now={now} />}
            <Missing of={o} />
          </div>
          <div class="stack">
            {o.clusters > 0 && <States of={o} />}
            {o.clusters > 0 && <Versions of={o} />}
            {k && <Quotas of={k.quotas} />}
          </div>
        </div>
      )}
    </>
  );
}
