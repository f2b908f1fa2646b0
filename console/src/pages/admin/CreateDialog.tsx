import { useRef, useState } from 'preact/hooks';
import { send } from '../../api';
import { tc } from '../../components';
import { useAction } from '../../hooks';
import { bodyOf, emptyValues, type FieldSpec } from './form';
import { FormDialog } from './FormDialog';

type Props<T> = {
  title: string;
  path: string;
  fields: readonly FieldSpec[];
  build?: (body: Record<string, unknown>) => Record<string, unknown>;
  errorsAt?: Readonly<Record<string, string>>;
  onDone: (made: T) => void;
  onClose: () => void;
};

export function CreateDialog<T>({ title, path, fields, build, errorsAt, onDone, onClose }: Props<T>) {
  const shown = fields.filter((f) => f.only !== 'edit');
  const [values, setValues] = useState(() => emptyValues(shown));
  // One key for one body: after a failure on the way, sending the same again makes nothing twice.
  const key = useRef({ body: '', key: '' });
  const act = useAction(async () => {
    const body = bodyOf(shown, values);
    const out = build ? build(body) : body;
    const text = JSON.stringify(out);
    if (key.current.body !== text) key.current = { body: text, key: crypto.randomUUID() };
    onDone(await send<T>('POST', path, { body: out, headers: { 'idempotency-key': key.current.key } }));
  });
  return (
    <FormDialog title={title} fields={shown} values={values} onValues={setValues} edit={false} problem={act.error}
      busy={act.busy} action={tc('c.create')} {...(errorsAt ? { errorsAt } : {})} onSubmit={() => void act.run()}
      onClose={onClose} />
  );
}
