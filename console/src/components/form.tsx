import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { tc } from './common';

export type Ids = { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean | undefined };

type FieldProps = {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  optional?: boolean;
  children: (ids: Ids) => ComponentChildren;
};

/** Field is a labelled input; children gets the attributes that tie it to label, hint and error. */
export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useId();
  const described = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return (
    <div class={error ? 'field field-bad' : 'field'}>
      <label for={id}>
        {label}
        {optional && <span class="faint"> ({tc('c.optional')})</span>}
      </label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? true : undefined })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="field-error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

type Labelled = Omit<FieldProps, 'children'>;
type InputProps = Labelled & {
  value: string;
  onValue: (v: string) => void;
  type?: 'text' | 'password' | 'search' | 'url';
  autocomplete?: string;
  autofocus?: boolean;
  placeholder?: string;
  spellcheck?: boolean;
  maxLength?: number;
  disabled?: boolean;
  list?: string;
  onKeyDown?: (e: KeyboardEvent) => void;
};

export function TextField({ label, hint, error, optional, value, onValue, ...rest }: InputProps) {
  return (
    <Field label={label} hint={hint} error={error} {...(optional ? { optional } : {})}>
      {(ids) => (
        // The attributes fit each of the types; the checker wants one type at a time.
        <input {...(rest as { type?: 'text' })} {...ids} value={value} onInput={(e) => onValue(e.currentTarget.value)} />
      )}
    </Field>
  );
}

type AreaProps = Labelled & { value: string; onValue: (v: string) => void; rows?: number; mono?: boolean };

export function TextArea({ label, hint, error, optional, value, onValue, rows = 4, mono }: AreaProps) {
  return (
    <Field label={label} hint={hint} error={error} {...(optional ? { optional } : {})}>
      {(ids) => (
        <textarea {...ids} rows={rows} class={mono ? 'mono' : undefined} value={value} spellcheck={!mono}
          onInput={(e) => onValue(e.currentTarget.value)} />
      )}
    </Field>
  );
}

type NumberProps = Labelled & {
  value: number | undefined;
  onValue: (v: number | undefined) => void;
  min?: number;
  max?: number;
  step?: number;
  disabled?: boolean;
};

/** NumberField gives undefined while what is typed is no number. */
export function NumberField({ label, hint, error, optional, value, onValue, ...rest }: NumberProps) {
  return (
    <Field label={label} hint={hint} error={error} {...(optional ? { optional } : {})}>
      {(ids) => (
        <input type="number" inputMode="numeric" {...rest} {...ids} value={value === undefined ? '' : String(value)}
          onInput={(e) => {
            const v = e.currentTarget.valueAsNumber;
            onValue(Number.isNaN(v) ? undefined : v);
          }} />
      )}
    </Field>
  );
}

export type Option = { value: string; label: string; disabled?: boolean };
type SelectProps = Labelled & {
  value: string;
  onValue: (v: string) => void;
  options: Option[];
  disabled?: boolean;
};

export function Select({ label, hint, error, optional, value, onValue, options, disabled }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={error} {...(optional ? { optional } : {})}>
      {(ids) => <BareSelect {...ids} value={value} onValue={onValue} options={options} disabled={disabled} />}
    </Field>
  );
}

type BareSelectProps = {
  value: string;
  onValue: (v: string) => void;
  options: Option[];
  disabled?: boolean | undefined;
  id?: string;
  'aria-label'?: string;
  'aria-describedby'?: string | undefined;
  'aria-invalid'?: boolean | undefined;
};

/** BareSelect is a select without a label of its own, for tool bars; it needs an aria-label. */
export function BareSelect({ value, onValue, options, ...rest }: BareSelectProps) {
  return (
    <select {...rest} value={value} onChange={(e) => onValue(e.currentTarget.value)}>
      {options.map((o) => (
        <option key={o.value} value={o.value} disabled={o.disabled} selected={o.value === value}>
          {o.label}
        </option>
      ))}
    </select>
  );
}

type CheckProps = { label: ComponentChildren; hint?: string; checked: boolean; onChecked: (v: boolean) => void; disabled?: boolean };

export function Check({ label, hint, checked, onChecked, disabled }: CheckProps) {
  const id = useId();
  return (
    <div class="check">
      <input id={id} type="checkbox" checked={checked} disabled={disabled} aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(e) => onChecked(e.currentTarget.checked)} />
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** Form calls onSubmit instead of sending anything. */
export function Form({ onSubmit, children, class: name = 'form' }: { onSubmit: () => void; children: ComponentChildren; class?: string }) {
  return (
    <form class={name} noValidate onSubmit={(e) => { e.preventDefault(); onSubmit(); }}>
      {children}
    </form>
  );
}

/** Segments is a choice of a few, one of which holds. */
export function Segments({ label, value, onValue, options }: { label: string; value: string; onValue: (v: string) => void; options: Option[] }) {
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="sr">{label}</legend>
      {options.map((o) => (
        <label key={o.value} class={o.value === value ? 'on' : undefined}>
          <input type="radio" class="sr" name={name} value={o.value} checked={o.value === value} disabled={o.disabled}
            onChange={() => onValue(o.value)} />
          <span>{o.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
