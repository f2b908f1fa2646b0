import { useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, isAbort, type Cluster, type Plan } from '../../api';
import { apply, changes, planOf, type Change } from '../../change';
import { clusters } from '../../clusters';
import { Badge, Button, Dialog, operationName, StateBadge, tc, TextField, type Tone } from '../../components';
import { num } from '../../i18n';
import { Link } from '../../router';
import { t } from './words';

export type Action = 'start' | 'stop' | 'restart' | 'repair' | 'delete';
export const actions: Action[] = ['start', 'stop', 'restart', 'repair', 'delete'];

function changeOf(a: Action): Change {
  return a === 'delete' ? changes.remove() : changes[a]();
}

type Row = {
  is: 'planning' | 'planned' | 'nothing' | 'refused' | 'sending' | 'sent' | 'failed';
  plan?: Plan;
  why?: string;
};

/** each calls fn for all items, no more than four at once. */
async function each<T>(items: T[], fn: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await fn(item);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** Bulk asks what an action would do to each cluster, does it where that is possible, and tells the outcome of each. */
export function Bulk({ action, of, onClose }: { action: Action; of: Cluster[]; onClose: () => void }) {
  const [rows, setRows] = useState<Record<string, Row>>({});
  const [phase, setPhase] = useState<'plan' | 'ready' | 'sending' | 'sent'>('plan');
  const [typed, setTyped] = useState('');
  const gone = useRef<AbortController>(new AbortController());
  const set = (id: string, row: Row) => setRows((r) => ({ ...r, [id]: row }));

  useEffect(() => {
    const { signal } = gone.current;
    void each(of, async (c) => {
      if (signal.aborted) return;
      set(c.id, { is: 'planning' });
      try {
        const plan = await planOf(c.id, changeOf(action), signal);
        set(c.id, { is: plan.nothing ? 'nothing' : 'planned', plan });
      } catch (err) {
        if (!isAbort(err)) set(c.id, { is: 'refused', why: asProblem(err).detail });
      }
    }).then(() => setPhase('ready'));
    return () => gone.current.abort();
  }, []);

  const possible = of.filter((c) => rows[c.id]?.is === 'planned');
  const word = possible.length === 1 ? (possible[0]?.name ?? '') : String(possible.length);
  const ready = phase === 'ready' && possible.length > 0 && (action !== 'delete' || typed === word);
  const go = async () => {
    if (!ready) return;
    setPhase('sending');
    await each(possible, async (c) => {
      const plan = rows[c.id]?.plan;
      set(c.id, { is: 'sending' });
      try {
        await apply(c.id, changeOf(action), plan ? { plan } : {});
        set(c.id, { is: 'sent' });
      } catch (err) {
        set(c.id, { is: 'failed', why: asProblem(err).detail });
      }
    });
    setPhase('sent');
  };
  const name = operationName(action);
  const count = (is: Row['is']) => of.filter((c) => rows[c.id]?.is === is).length;
  return (
    <Dialog wide title={t('bulk.title', { action: name, count: of.length })} onClose={onClose} footer={
      phase === 'sent' ? <Button kind="primary" onClick={onClose}>{tc('c.close')}</Button> : (
        <>
          <Button onClick={onClose}>{tc('c.cancel')}</Button>
          <Button kind={action === 'delete' ? 'danger' : 'primary'} disabled={!ready} busy={phase === 'sending'}
            onClick={() => void go()}>
            {t('bulk.go', { action: name, count: possible.length })}
          </Button>
        </>
      )
    }>
      {action === 'delete' && phase !== 'sent' && <p class="note">{t('bulk.deleteText')}</p>}
      <div class="table-scroll bulk-rows" tabIndex={0} role="region" aria-label={t('bulk.outcome')}>
        <table class="table">
          <thead><tr><th scope="col">{t('bulk.cluster')}</th><th scope="col">{t('bulk.outcome')}</th></tr></thead>
          <tbody>
            {of.map((c) => (
              <tr key={c.id}>
                <td class="break"><Link to={`/clusters/${c.id}`}>{c.name}</Link> <span class="faint small">{c.project}</span></td>
                <td class="break"><Outcome id={c.id} row={rows[c.id]} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {action === 'delete' && phase === 'ready' && possible.length > 0 && (
        <TextField label={tc('c.typeName', { name: word })} value={typed} onValue={setTyped} autocomplete="off" />
      )}
      <p role="status" class="faint">
        {phase === 'plan' && t('bulk.planning')}
        {(phase === 'sending' || phase === 'sent') && t('bulk.summary', {
          done: count('sent'), all: count('sent') + count('failed') + count('sending') + count('planned'), failed: count('failed') })}
      </p>
    </Dialog>
  );
}

function Outcome({ id, row }: { id: string; row: Row | undefined }) {
  const say = (tone: Tone, text: string) => <Badge tone={tone}>{text}</Badge>;
  switch (row?.is) {
    case 'planned': {
      const { cut = 0, moved = 0 } = row.plan?.clients ?? {};
      return (
        <span class="row wrap">
          {cut > 0 && say('bad', t('bulk.cut', { n: num(cut) }))}
          {moved > 0 && say('warn', t('bulk.moved', { n: num(moved) }))}
          {cut === 0 && moved === 0 && say('ok', t('bulk.planned'))}
        </span>
      );
    }
    case 'nothing':
      return say('off', t('bulk.nothing'));
    case 'refused':
      return <span class="small">{t('bulk.refused', { why: row.why ?? '' })}</span>;
    case 'sending':
      return say('busy', t('bulk.sending'));
    case 'sent': {
      const now = clusters.value.get(id);
      if (!now) return say('ok', t('bulk.done'));
      return <span class="row wrap">{now.status.operation ? say('busy', t('bulk.started')) : say('ok', t('bulk.done'))}
        <StateBadge status={now.status} /></span>;
    }
    case 'failed':
      return <span class="field-error">{t('bulk.failed', { why: row.why ?? '' })}</span>;
    default:
      return <span class="faint">…</span>;
  }
}
