import type { ComponentChildren } from 'preact';
import { Button, Dialog, ErrorBox, Form, tc } from '../../components';
import type { Problem } from '../../api';
import { FieldInput } from './FieldInput';
import type { FieldSpec, Value, Values } from './form';

type Props = {
  title: string;
  fields: readonly FieldSpec[];
  values: Values;
  onValues: (v: Values) => void;
  edit: boolean;
  problem: Problem | undefined;
  busy: boolean;
  action: string;
  ready?: boolean;
  /** errorsAt names the pointer at which problems of a field lie, where that is not its path. */
  errorsAt?: Readonly<Record<string, string>>;
  children?: ComponentChildren;
  onSubmit: () => void;
  onClose: () => void;
};

/** FormDialog shows the fields of a declaration, with problems at their fields. */
export function FormDialog(props: Props) {
  const { title, fields, values, onValues, edit, problem, busy, action, ready = true, errorsAt, children } = props;
  const at = (path: string) => errorsAt?.[path] ?? path;
  const pointers = fields.flatMap((f) => (f.type === 'grant' ? ['/role', '/org', '/project'] : [at(f.path)]));
  const first = fields.findIndex((f) => f.type === 'text' && !(edit && 'fixed' in f && f.fixed));
  // A problem that is told at its field in full needs no second telling above.
  const elsewhere = problem && (problem.errors.length === 0 || problem.rest(pointers).length > 0);
  return (
    <Dialog title={title} onClose={props.onClose} footer={
      <>
        <Button onClick={props.onClose}>{tc('c.cancel')}</Button>
        <Button kind="primary" busy={busy} disabled={!ready} onClick={props.onSubmit}>{action}</Button>
      </>
    }>
      {children}
      <Form onSubmit={() => { if (ready && !busy) props.onSubmit(); }}>
        {fields.map((f, i) => (
          <FieldInput key={f.path} field={f} value={values[f.path]} edit={edit} autofocus={i === first}
            error={f.type === 'grant' ? undefined : problem?.field(at(f.path))} errorOf={(p) => problem?.field(p)}
            onValue={(v: Value) => onValues({ ...values, [f.path]: v })} />
        ))}
        <input type="submit" hidden />
      </Form>
      {problem && elsewhere && <ErrorBox problem={problem} shown={pointers} />}
    </Dialog>
  );
}
