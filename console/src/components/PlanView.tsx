import type { ComponentChildren } from 'preact';
import type { Plan } from '../api';
import { duration, num, texts } from '../i18n';
import { operationName, stateName, stepName } from './common';
import { Badge } from './basic';

const t = texts({
  'plan.nothing': ['Nothing has to be done.', '无需任何操作。'],
  'plan.command': ['Change', '操作'],
  'plan.state': ['State', '状态'],
  'plan.replaced': ['Nodes replaced', '替换的节点'],
  'plan.resized': ['Nodes resized', '调整规格的节点'],
  'plan.added': ['Nodes added', '新增的节点'],
  'plan.removed': ['Nodes removed', '移除的节点'],
  'plan.stopped': ['Nodes stopped', '停止的节点'],
  'plan.replicant': ['replicant {{n}}', '复制节点 {{n}}'],
  'plan.clients': ['Clients', '客户端'],
  'plan.moved': ['{{n}} moved', '{{n}} 个被迁移'],
  'plan.cut': ['{{n}} cut off', '{{n}} 个被断开'],
  'plan.untouched': ['not affected', '不受影响'],
  'plan.time': ['Estimated time', '预计用时'],
  'plan.quota': ['Booked connections', '占用连接数'],
  'plan.begins': ['Begins', '开始时间'],
  'plan.steps': ['Steps', '步骤'],
  'plan.notes': ['What to know', '须知'],
});

type NodeKind = 'added' | 'removed' | 'replaced' | 'resized' | 'stopped';
const nodeKinds: NodeKind[] = ['added', 'removed', 'replaced', 'resized', 'stopped'];

function Row({ head, children }: { head: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{head}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** PlanView shows what a change would do, as a dry run has told. */
export function PlanView({ plan }: { plan: Plan }) {
  if (plan.nothing) return <p class="note">{t('plan.nothing')}</p>;
  const nodes = (k: NodeKind) => [
    ...plan.nodes[k].map((n) => String(n)),
    ...(plan.replicants?.[k] ?? []).map((n) => t('plan.replicant', { n })),
  ];
  const { moved, cut } = plan.clients;
  return (
    <div class="plan">
      <dl class="facts">
        <Row head={t('plan.command')}>{operationName(plan.command)}</Row>
        {plan.to && plan.from !== plan.to && (
          <Row head={t('plan.state')}>{plan.from ? `${stateName(plan.from)} → ${stateName(plan.to)}` : stateName(plan.to)}</Row>
        )}
        {nodeKinds.map((k) => nodes(k).length > 0 && (
          <Row key={k} head={t(`plan.${k}`)}>
            <strong>{num(nodes(k).length)}</strong> <span class="faint">({nodes(k).join(', ')})</span>
          </Row>
        ))}
        <Row head={t('plan.clients')}>
          {cut > 0 && <Badge tone="bad">{t('plan.cut', { n: num(cut) })}</Badge>}{' '}
          {moved > 0 && <Badge tone="warn">{t('plan.moved', { n: num(moved) })}</Badge>}
          {cut === 0 && moved === 0 && t('plan.untouched')}
        </Row>
        {plan.seconds > 0 && <Row head={t('plan.time')}>{duration(plan.seconds)}</Row>}
        {plan.quota.was !== plan.quota.will && (
          <Row head={t('plan.quota')}>{`${num(plan.quota.was)} → ${num(plan.quota.will)}`}</Row>
        )}
        {plan.steps.length > 0 && (
          <Row head={t('plan.steps')}>
            <ol class="steps-inline">{plan.steps.map((s) => <li key={s}>{stepName(s)}</li>)}</ol>
          </Row>
        )}
      </dl>
      {plan.notes && plan.notes.length > 0 && (
        <div class="note">
          <h3>{t('plan.notes')}</h3>
          <ul>{plan.notes.map((n) => <li key={n}>{n}</li>)}</ul>
        </div>
      )}
    </div>
  );
}
