import type { Cluster } from '../../api';
import { Badge, ButtonLink, Code, Icon, Reason, tc, Time } from '../../components';
import { useNow } from '../../hooks';
import { diagnose, stageOf, type Agent, type Finding, type Registration } from './diagnose';
import type { Made } from './index';
import { t } from './words';

type WaitingProps = { cluster: Cluster; agents: Agent[]; made: Made | undefined; token: Registration | undefined };

/** Waiting shows live how far the registration is, and what is wrong where it does not get on. */
export function Waiting({ cluster, agents, made, token }: WaitingProps) {
  useNow(5_000);
  const stage = stageOf(cluster, agents, token);
  const steps: [boolean, string][] = [
    [stage.used, t('guide.s1')], [stage.registered, t('guide.s2')], [stage.connected, t('guide.s3')], [stage.running, t('guide.s4')],
  ];
  const next = steps.findIndex(([done]) => !done);
  const findings = diagnose(cluster, agents, token, made?.at ?? 0, Date.now());
  const host = findings.some((f) => f.is !== 'report' && f.is !== 'expired' && f.is !== 'revoked');
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('guide.waiting')}</h2></div>
      <div class="panel-body">
        <ol class="steps" aria-live="polite">
          {steps.map(([done, name], i) => (
            <li key={name} class={done ? 'step done' : 'step'}>
              {i === next && (made || i > 0) ? <span class="spin" aria-hidden="true" /> : <span class="step-mark" aria-hidden="true" />}
              <span>{name}</span>
              <span class="sr">{done ? tc('c.yes') : tc('c.no')}</span>
            </li>
          ))}
        </ol>
        {stage.running && (
          <div class="row wrap">
            <Badge tone="ok">{t('guide.done')}</Badge>
            <ButtonLink to={`/clusters/${cluster.id}`} kind="primary">{t('guide.open')}</ButtonLink>
          </div>
        )}
        {findings.length > 0 && (
          <div class="note" role="status">
            <h3>{t('guide.wrong')}</h3>
            {findings.map((f, i) => <Told key={i} finding={f} />)}
            {host && (
              <>
                <p>{t('guide.status')}</p>
                <Code text="emqxee-agent status" />
                {made && <p>{t('guide.reach', { url: made.setup.url })}</p>}
                <Code text="emqxee-agent doctor" />
              </>
            )}
          </div>
        )}
        {agents.length > 0 && (
          <ul class="guide-agents">
            {agents.map((a) => (
              <li key={a.id}>
                <span class="row wrap">
                  <Badge tone={a.connected ? 'ok' : 'bad'}>{a.connected ? t('guide.connected') : t('guide.disconnected')}</Badge>
                  <strong class="break">{a.node ?? a.id}</strong>
                </span>
                <span class="faint small break">
                  {[a.hostname, a.os && a.arch ? `${a.os}/${a.arch}` : '', a.version, a.carrier].filter(Boolean).join(' · ')}
                  {' · '}{t('guide.seen')} <Time at={a.lastSeen} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function Told({ finding: f }: { finding: Finding }) {
  switch (f.is) {
    case 'told':
      return (
        <div>
          <p class="row"><Icon name="bad" /><span class="break">{f.agent.reason && <strong><Reason of={f.agent.reason} /></strong>} {f.agent.message}</span></p>
          {f.agent.errors.map((e) => <p key={e.code + e.stage} class="small break"><code>{e.stage}</code> {e.message}</p>)}
          {Math.abs(f.agent.clockSkewSeconds) > 60 && <p class="small">{t('guide.skew', { n: f.agent.clockSkewSeconds })}</p>}
        </div>
      );
    case 'away':
      return <p>{t('guide.away', { agent: f.agent.hostname ?? f.agent.id })}</p>;
    case 'cluster':
      return <p><strong><Reason of={f.reason} /></strong> {f.message}</p>;
    default:
      return <p>{t(`guide.${f.is}`)}</p>;
  }
}
