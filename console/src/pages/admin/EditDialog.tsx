import { useEffect, useState } from 'preact/hooks';
import { asProblem, send, type Problem } from '../../api';
import { Button, Dialog, ErrorBox, Icon, Skeleton, tc, toast } from '../../components';
import { useAction, useLive } from '../../hooks';
import type { Kind } from '../../stream';
import { changed, isSecret, patchOf, rebased, same, say, valuesOf, type FieldSpec, type Value, type Values } from './form';
import { FormDialog } from './FormDialog';
import { roleName, t } from './texts';

type Read = { revision?: number; values: Values };
type Props = {
  title: string;
  /** name is what the message names once it is saved. */
  name: string;
  path: string;
  fields: readonly FieldSpec[];
  kinds: readonly Kind[];
  onDone: () => void;
  onClose: () => void;
};

/**
 * EditDialog reads something, lets its fields be changed and sends a merge patch of what was changed. A change by somebody
 * else meanwhile is shown as soon as it is known, and never overwritten unseen.
 */
export function EditDialog({ title, name, path, fields, kinds, onDone, onClose }: Props) {
  const shown = fields.filter((f) => f.only !== 'create');
  const [base, setBase] = useState<Read | undefined>(undefined);
  const [newer, setNewer] = useState<Read | undefined>(undefined);
  const [values, setValues] = useState<Values>({});
  const [failed, setFailed] = useState<Problem | undefined>(undefined);

  const read = async (): Promise<Read> => {
    const got = await send<{ revision?: number }>('GET', path);
    return { ...(got.revision === undefined ? {} : { revision: got.revision }), values: valuesOf(shown, got) };
  };
  const first = async () => {
    setFailed(undefined);
    try {
      const got = await read();
      setBase(got);
      setValues(got.values);
    } catch (err) {
      setFailed(asProblem(err));
    }
  };
  useEffect(() => void first(), []);

  const look = async () => {
    try {
      const got = await read();
      if (base && got.revision !== base.revision) setNewer(got);
    } catch (err) {
      const p = asProblem(err);
      if (p.status === 404) setFailed(p);
    }
  };
  const act = useAction(async () => {
    if (!base) return;
    const headers: Record<string, string> = base.revision === undefined ? {} : { 'if-match': `"${base.revision}"` };
    try {
      await send('PATCH', path, { body: patchOf(shown, base.values, values), headers });
    } catch (err) {
      if (asProblem(err).status !== 412) throw err;
      await look();
      return;
    }
    toast(t('admin.saved', { name }));
    onDone();
  });
  useLive(kinds, () => { if (!act.busy) void look(); });

  if (!base || failed) {
    return (
      <Dialog title={title} onClose={onClose}>
        {failed ? <ErrorBox problem={failed} retry={() => void first()} /> : <Skeleton lines={5} />}
      </Dialog>
    );
  }
  const goOn = () => {
    if (!newer) return;
    setValues(rebased(shown, base.values, values, newer.values));
    setBase(newer);
    setNewer(undefined);
    act.clear();
  };
  const touched = changed(shown, base.values, values).length > 0;
  return (
    <FormDialog title={title} fields={shown} values={values} onValues={setValues} edit problem={act.error} busy={act.busy}
      action={tc('c.save')} ready={touched && !newer} onSubmit={() => void act.run()} onClose={onClose}>
      {newer && <Conflict fields={shown} before={base.values} now={newer.values} mine={values} onContinue={goOn} />}
    </FormDialog>
  );
}

type ConflictProps = { fields: readonly FieldSpec[]; before: Values; now: Values; mine: Values; onContinue: () => void };

function Conflict({ fields, before, now, mine, onContinue }: ConflictProps) {
  return (
    <div class="note admin-conflict" role="alert">
      <p class="row"><Icon name="warn" /><strong>{t('admin.conflict')}</strong></p>
      <ul>
        {changed(fields, before, now).map((f) => (
          <li key={f.path}>
            {isSecret(f) ? say(f.label)
              : t('admin.theirs', { field: say(f.label), before: inWords(before[f.path]), now: inWords(now[f.path]) })}
            {!same(before[f.path], mine[f.path]) && <strong> {t('admin.both')}</strong>}
          </li>
        ))}
      </ul>
      <div><Button small onClick={onContinue}>{t('admin.continue')}</Button></div>
    </div>
  );
}

function inWords(v: Value): string {
  if (Array.isArray(v)) return v.map((g) => [roleName(g.role), g.project ?? g.org].filter(Boolean).join(' ')).join(', ');
  if (typeof v === 'boolean') return v ? tc('c.yes') : tc('c.no');
  return v === undefined || v === '' ? '–' : String(v);
}
