import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, asProblem, ok, type Cluster, type Plan, type Problem } from '../../api';
import { apply, planOf, type Change } from '../../change';
import { Button, Dialog, ErrorBox, PlanView, Spinner, TextField, Time, tc, toast } from '../../components';
import { texts } from '../../i18n';
import { differences, type Difference } from './differ';

const t = texts({
  'ch.plan': ['Show the plan', '查看计划'],
  'ch.back': ['Back', '返回'],
  'ch.begun': ['{{what}}: begun', '{{what}}：已开始'],
  'ch.done': ['{{what}}: done', '{{what}}：已完成'],
  'ch.changed': ['Somebody else has changed the cluster meanwhile', '在此期间集群已被他人变更'],
  'ch.changedPlan': ['The plan is another by now', '计划已发生变化'],
  'ch.now': ['Nothing was changed. This is how it is now; look at the plan again before you go on.', '尚未执行任何变更。以下是当前情况，请重新确认计划。'],
  'ch.again': ['I have seen it; show the plan', '已知悉，查看计划'],
  'ch.was': ['was', '原为'],
  'ch.begins': ['Begins in the maintenance window:', '将在维护窗口开始：'],
});

export type FormProps = {
  cluster: Cluster;
  problem: Problem | undefined;
  /** onChange tells the change that is wanted, or nothing while what is typed makes none. */
  onChange: (c: Change | undefined) => void;
};

type Props = {
  cluster: Cluster;
  title: string;
  /** confirm is the word on the button where the title names a thing. */
  confirm?: string | undefined;
  danger?: boolean;
  /** byName asks for the cluster's name before anything is done. */
  byName?: boolean;
  form?: ComponentType<FormProps> | undefined;
  /** change is what is done where there is no form. */
  change?: Change | undefined;
  /** pointers are those of fields that the form shows. */
  pointers?: string[];
  onClose: () => void;
  onDone: () => void;
};

/** told reports whether the form shows everything that is wrong, at its fields. */
function told(problem: Problem, pointers: string[]): boolean {
  return problem.errors.length > 0 && problem.rest(pointers).length === 0;
}

type Meanwhile = { list: Difference[]; latest: Cluster };

/** ChangeDialog leads from a form over the plan to the change, and never over a change that somebody else has made. */
export function ChangeDialog(props: Props) {
  const { cluster, title, confirm = title, danger, byName, form: Shown, change: given, pointers = [], onClose, onDone } = props;
  const [base, setBase] = useState(cluster);
  const [change, setChange] = useState<Change | undefined>(given);
  const [plan, setPlan] = useState<Plan>();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState('');
  const [meanwhile, setMeanwhile] = useState<Meanwhile>();
  const [stalePlan, setStalePlan] = useState(false);
  const key = useRef('');

  useEffect(() => {
    if (given) void ask(given);
  }, []);
  useEffect(() => {
    if (cluster.revision === base.revision) return;
    const list = differences(base, cluster);
    if (list.length > 0) setMeanwhile({ list, latest: cluster });
    else setBase(cluster);
  }, [cluster.revision]);

  const ask = async (c: Change) => {
    setBusy(true);
    setProblem(undefined);
    try {
      key.current = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
      setPlan(await planOf(base.id, c));
    } catch (err) {
      setPlan(undefined);
      setProblem(asProblem(err));
    } finally {
      setBusy(false);
    }
  };

  const go = async () => {
    if (!plan || !change) return;
    setBusy(true);
    setProblem(undefined);
    try {
      const op = await apply(base.id, change, { plan, revision: base.revision, key: key.current });
      toast(t(op ? 'ch.begun' : 'ch.done', { what: title }));
      onDone();
      onClose();
    } catch (err) {
      const p = asProblem(err);
      if (p.status === 412) await refused();
      else setProblem(p);
    } finally {
      setBusy(false);
    }
  };

  const refused = async () => {
    try {
      const latest = await ok(api.GET('/api/v1/clusters/{id}', { params: { path: { id: base.id } } }));
      setMeanwhile({ list: differences(base, latest), latest });
      setStalePlan(true);
    } catch (err) {
      setProblem(asProblem(err));
    }
  };

  const accept = () => {
    if (!meanwhile) return;
    setBase(meanwhile.latest);
    setMeanwhile(undefined);
    setStalePlan(false);
    if (change) void ask(change);
  };

  const atForm = Shown !== undefined && !plan;
  const ready = change !== undefined && !meanwhile && !busy;
  const named = !byName || typed === base.name;
  const next = () => {
    if (ready && change) void ask(change);
  };
  return (
    <Dialog title={`${title} · ${base.name}`} onClose={onClose} wide footer={
      <>
        {Shown && plan && <Button disabled={busy} onClick={() => setPlan(undefined)}>{t('ch.back')}</Button>}
        <Button onClick={onClose}>{tc('c.cancel')}</Button>
        {atForm && <Button kind="primary" busy={busy} disabled={!ready} onClick={next}>{t('ch.plan')}</Button>}
        {!atForm && (
          <Button kind={danger ? 'danger' : 'primary'} busy={busy} disabled={!plan || !ready || !named || plan.nothing}
            onClick={() => void go()}>{confirm}</Button>
        )}
      </>
    }>
      {meanwhile && <Changed list={meanwhile.list} plan={stalePlan} onAccept={accept} />}
      {Shown && (
        <form class="form" hidden={!atForm} noValidate onSubmit={(e) => { e.preventDefault(); next(); }}>
          <Shown cluster={base} problem={problem} onChange={setChange} />
          <button type="submit" hidden />
        </form>
      )}
      {!atForm && !plan && busy && <Spinner />}
      {plan && !meanwhile && (
        <>
          <PlanView plan={plan} />
          {plan.begins && <p class="note"><span>{t('ch.begins')} <Time at={plan.begins} absolute /></span></p>}
          {byName && (
            <TextField label={tc('c.typeName', { name: base.name })} value={typed} onValue={setTyped} autocomplete="off"
              spellcheck={false} onKeyDown={(e) => { if (e.key === 'Enter' && named && ready) void go(); }} />
          )}
        </>
      )}
      {problem && !(atForm && told(problem, pointers)) && <ErrorBox problem={problem} shown={atForm ? pointers : []} />}
    </Dialog>
  );
}

function Changed({ list, plan, onAccept }: { list: Difference[]; plan: boolean; onAccept: () => void }) {
  return (
    <div class="note cl-changed" role="alert">
      <strong>{t(list.length === 0 && plan ? 'ch.changedPlan' : 'ch.changed')}</strong>
      <p>{t('ch.now')}</p>
      {list.length > 0 && (
        <dl class="facts">
          {list.map((d) => (
            <div class="fact" key={d.key}>
              <dt><code>{d.key}</code></dt>
              <dd><strong>{d.is}</strong> <span class="faint">({t('ch.was')} {d.was})</span></dd>
            </div>
          ))}
        </dl>
      )}
      <div><Button small onClick={onAccept}>{t('ch.again')}</Button></div>
    </div>
  );
}
