import type { Cluster } from '../../api';
import { Badge, Bar, reasonName } from '../../components';
import { num } from '../../i18n';
import { alarms, alarmText } from './alarms';
import { connectionLimit, wantedNodes } from './filter';
import { t } from './words';

export function Connections({ of: c }: { of: Cluster }) {
  const used = c.status.connections.current;
  const limit = connectionLimit(c);
  if (limit === 0) return <span class="num">{num(used)}</span>;
  const text = t('clusters.of', { used: num(used), limit: num(limit) });
  return (
    <div class="used">
      <span class="num small">{num(used)}<span class="faint">{` / ${num(limit)}`}</span></span>
      <Bar used={used} of={limit} label={text} />
    </div>
  );
}

export function NodesReady({ of: c }: { of: Cluster }) {
  const all = wantedNodes(c);
  const ready = c.status.readyNodes;
  return (
    <span class="num" title={t('clusters.nodesReady', { ready, all })}>
      {`${ready}/${all}`}
    </span>
  );
}

export function Alarms({ of: c }: { of: Cluster }) {
  const n = alarms.value.get(c.id)?.active;
  if (n === undefined) return <span class="faint">–</span>;
  if (n === 0) return <span class="num faint">0</span>;
  return <Badge tone="warn" title={t('clusters.alarmsOf', { n: alarmText(n) })}>{alarmText(n)}</Badge>;
}

const plain = new Set(['AsExpected', 'ByRequest', 'InProgress', '']);

/** reasonOf is the reason of a state that somebody has to think about. */
export function reasonOf(c: Cluster): string {
  return plain.has(c.status.reason) ? '' : reasonName(c.status.reason);
}
