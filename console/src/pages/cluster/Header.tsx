import type { Cluster, Operation, Problem } from '../../api';
import { Badge, Button, ButtonLink, Copy, ErrorBox, Icon, Reason, StateBadge, Tag, Time, operationName, phaseName, stepName, toast } from '../../components';
import { useAction, useNow } from '../../hooks';
import { ago, dateTime } from '../../i18n';
import { Link } from '../../router';
import { dangerous, menu } from './actions';
import { openDashboard } from './dashboard';
import { Menu } from './Menu';
import { actionName, t, type ActionId } from './words';

type Props = {
  cluster: Cluster;
  /** operation is the one that runs, where the tab below does not show it. */
  operation: Operation | undefined;
  actions: ActionId[];
  mayWrite: boolean;
  problem: Problem | undefined;
  at: number;
  onAction: (id: ActionId) => void;
};

export function Header({ cluster, operation, actions, mayWrite, problem, at, onAction }: Props) {
  const s = cluster.status;
  const dashboard = cluster.features.find((f) => f.feature === 'dashboard');
  const enter = useAction(async () => {
    if (!(await openDashboard(cluster.id))) toast(t('cl.dashboardBlocked'), 'warn');
  });
  const shown = menu.filter((a) => actions.includes(a));
  return (
    <header class="cl-head">
      <div class="cl-title">
        <h1>{cluster.name}</h1>
        <StateBadge status={s} />
        <Tag>{t(cluster.mode === 'hosted' ? 'cl.hosted' : 'cl.adopted')}</Tag>
        <div class="cl-tools">
          {mayWrite && cluster.mode === 'adopted' && <ButtonLink to={`/clusters/${cluster.id}/guide`}>{t('cl.guide')}</ButtonLink>}
          {dashboard && (
            <Button icon="link" busy={enter.busy} disabled={!dashboard.available} title={dashboard.available ? undefined : dashboard.why}
              onClick={() => void enter.run()}>{t('cl.dashboard')}</Button>
          )}
          {mayWrite && (
            <Menu label={t('cl.actions')}>
              {(close) => shown.length === 0 ? <p class="menu-head">{t('cl.noChange')}</p> : shown.map((a) => (
                <button key={a} type="button" class={dangerous.has(a) ? 'danger' : undefined}
                  onClick={() => { close(); onAction(a); }}>{actionName(a)}</button>
              ))}
            </Menu>
          )}
        </div>
      </div>
      <div class="cl-meta">
        <span class="row">{cluster.id}<Copy text={cluster.id} what={t('cl.copyId')} /></span>
        <Link to={`/clusters?project=${encodeURIComponent(cluster.project)}`}>{cluster.project}</Link>
        {cluster.version && <span>EMQX {cluster.version}</span>}
        <span>{t('cl.since')} <Time at={s.since} /></span>
      </div>
      {cluster.description && <p class="faint cl-reason">{cluster.description}</p>}
      {((s.reason && s.reason !== 'AsExpected') || s.message) && (
        <p class="cl-reason">{s.reason && <strong><Reason of={s.reason} /></strong>} {s.message}</p>
      )}
      {operation && (
        <p class="row wrap" role="status">
          <Badge tone="busy">{operationName(operation.kind)}</Badge>
          <Link to={`/clusters/${cluster.id}/overview`}>
            {operation.steps.map((x) => `${stepName(x.name)} ${x.done}/${x.total}`).join(' · ') || phaseName(operation.phase)}
          </Link>
        </p>
      )}
      <Stale cluster={cluster} problem={problem} at={at} />
      {enter.error && <ErrorBox problem={enter.error} />}
    </header>
  );
}

function Stale({ cluster, problem, at }: { cluster: Cluster; problem: Problem | undefined; at: number }) {
  const now = useNow();
  const { stale, staleSince } = cluster.status;
  if (problem && at > 0) {
    return <p class="cl-stale" role="status"><Icon name="warn" /><span>{t('cl.readFailed', { time: dateTime(new Date(at)) })} {problem.detail}</span></p>;
  }
  if (!stale) return null;
  const since = staleSince ?? cluster.status.since;
  return (
    <p class="cl-stale" role="status">
      <Icon name="warn" />
      <span>{t('cl.staleSince', { ago: ago(since, now), time: dateTime(since) })}</span>
    </p>
  );
}
