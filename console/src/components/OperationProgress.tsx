import { api, ok, type Operation } from '../api';
import { useAction } from '../hooks';
import { texts } from '../i18n';
import { Badge, Button, ErrorBox, Time } from './basic';
import { operationName, phaseName, stepName, type Tone } from './common';

const t = texts({
  'op.cancel': ['Cancel this operation', '取消此操作'],
  'op.steps': ['{{done}} of {{total}} steps done', '已完成 {{done}}/{{total}} 步'],
  'op.began': ['began', '开始于'],
  'op.ended': ['ended', '结束于'],
});

export function phaseTone(phase: string): Tone {
  if (phase === 'succeeded') return 'ok';
  if (phase === 'failed') return 'bad';
  return phase === 'running' || phase === 'queued' ? 'busy' : 'off';
}

export function ended(op: Operation): boolean {
  return phaseTone(op.phase) !== 'busy';
}

function stepDone(s: Operation['steps'][number]): boolean {
  return s.total > 0 && s.done >= s.total;
}

/** OperationProgress shows an operation with its steps; cancel is offered where mayCancel, while it runs. */
export function OperationProgress({ op, mayCancel }: { op: Operation; mayCancel: boolean }) {
  const done = op.steps.filter((s) => stepDone(s) || op.phase === 'succeeded').length;
  const act = useAction(async () => {
    await ok(api.POST('/api/v1/operations/{id}/cancel', { params: { path: { id: op.id } } }));
  });
  const running = !ended(op);
  return (
    <section class="operation" aria-label={operationName(op.kind)}>
      <div class="row wrap">
        <strong>{operationName(op.kind)}</strong>
        <Badge tone={phaseTone(op.phase)}>{phaseName(op.phase)}</Badge>
        <span class="faint" role="status">{t('op.steps', { done, total: op.steps.length })}</span>
        <span class="faint grow">
          {running ? t('op.began') : t('op.ended')} <Time at={op.endedAt ?? op.createdAt} />
        </span>
        {running && mayCancel && (
          <Button small busy={act.busy} onClick={() => void act.run()}>{t('op.cancel')}</Button>
        )}
      </div>
      <ol class="steps">
        {op.steps.map((s) => {
          const complete = stepDone(s) || op.phase === 'succeeded';
          return (
            <li key={s.name} class={complete ? 'step done' : 'step'}>
              <span class="step-mark" aria-hidden="true" />
              <span>{stepName(s.name)}</span>
              {s.total > 0 && <span class="faint">{`${s.done}/${s.total}`}</span>}
            </li>
          );
        })}
      </ol>
      {op.note && <p class="note">{op.note}</p>}
      {op.error && <p class="field-error">{op.error}</p>}
      {act.error && <ErrorBox problem={act.error} />}
    </section>
  );
}
