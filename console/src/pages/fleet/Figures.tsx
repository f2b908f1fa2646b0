import type { ComponentChildren } from 'preact';
import type { Schemas } from '../../api';
import { Bar } from '../../components';
import { num } from '../../i18n';
import { Link } from '../../router';
import { t } from './words';

function Figure({ name, value, to, children }: { name: string; value: string; to?: string; children?: ComponentChildren }) {
  return (
    <div class="card figure">
      <span class="faint">{name}</span>
      <span class="figure-value">{to ? <Link to={to} aria-label={`${name}: ${value}`}>{value}</Link> : value}</span>
      <span class="faint small">{children}</span>
    </div>
  );
}

/** known tells of how many clusters a sum consists. */
function known(of: { known: number; unknown: number }): string {
  const count = of.known + of.unknown;
  return of.unknown === 0 ? t('fleet.allKnown') : t('fleet.known', { known: num(of.known), count });
}

const sum = (m: Record<string, number> | undefined) => Object.values(m ?? {}).reduce((a, b) => a + b, 0);

export function Figures({ of: o, pool }: { of: Schemas['Overview']; pool: Schemas['Pool'] | undefined }) {
  const states = o.states as Record<string, Record<string, number>>;
  return (
    <div class="fleet-figures">
      <Figure name={t('fleet.clusters')} value={num(o.clusters)} to="/clusters">
        {t('fleet.modes', { hosted: num(sum(states['hosted'])), adopted: num(sum(states['adopted'])) })}
      </Figure>
      <Figure name={t('fleet.live')} value={num(o.connections.live)}>{known(o.connections.ofLive)}</Figure>
      <Booked used={pool ? pool.usedConnections : o.connections.booked} of={pool?.connections} />
      <Figure name={t('fleet.nodes')} value={num(o.nodes.running)}>{t('fleet.nodesOf', { total: num(o.nodes.total) })} · {known(o.nodes)}</Figure>
      <Figure name={t('fleet.alarms')} value={num(o.alarms.active)}>{known(o.alarms)}</Figure>
      <Figure name={t('fleet.rules')} value={num(o.rules.running)}>{t('fleet.nodesOf', { total: num(o.rules.total) })} · {known(o.rules)}</Figure>
      <Figure name={t('fleet.connectors')} value={num(o.connectors.connected)}>
        {t('fleet.nodesOf', { total: num(o.connectors.total) })}
        {o.connectors.disconnected > 0 && <strong class="fleet-warn"> · {t('at.connectors', { n: num(o.connectors.disconnected) })}</strong>}
        {' · '}{known(o.connectors)}
      </Figure>
      <Figure name={t('fleet.agents')} value={num(o.agents.connected)}>{t('fleet.away', { n: num(o.agents.away) })}</Figure>
    </div>
  );
}

function Booked({ used, of }: { used: number; of: number | undefined }) {
  const text = of
    ? t('fleet.poolOf', { limit: num(of), part: num(used / of, { style: 'percent', maximumFractionDigits: 1 }) })
    : t('fleet.unlimited');
  return (
    <Figure name={t('fleet.booked')} value={num(used)} to="/admin/pool">
      {of === undefined ? null : text}
      {of ? <Bar used={used} of={of} label={`${t('fleet.booked')}: ${num(used)} ${text}`} /> : null}
    </Figure>
  );
}
