import { useEffect, useState } from 'preact/hooks';
import { Check, Field, NumberField, Select, TextArea, TextField, type Option } from '../../components';
import { isFixed, isSecret, say, type Choice, type FieldSpec, type Value } from './form';
import { GrantsField } from './GrantsField';
import { t } from './texts';

type Props = {
  field: FieldSpec;
  value: Value;
  error: string | undefined;
  /** errorOf finds the problem of a part of the value. */
  errorOf: (pointer: string) => string | undefined;
  edit: boolean;
  autofocus?: boolean;
  onValue: (v: Value) => void;
};

/** FieldInput shows the input that the declaration of a field asks for. */
export function FieldInput({ field: f, value, error, errorOf, edit, onValue, autofocus }: Props) {
  const secret = isSecret(f) ? t(edit ? 'admin.secretKept' : 'admin.secretNew') : undefined;
  const fixed = edit && isFixed(f) ? t('admin.fixed') : undefined;
  const hint = [fixed ?? (f.hint && say(f.hint)), secret].filter(Boolean).join(' ') || undefined;
  const common = {
    label: say(f.label), hint, error, disabled: Boolean(fixed),
    ...(f.optional || (edit && secret) ? { optional: true } : {}),
  };
  const text = typeof value === 'string' ? value : '';
  switch (f.type) {
    case 'number':
      return (
        <NumberField {...common} value={typeof value === 'number' ? value : undefined} onValue={onValue} step={1}
          {...(f.min === undefined ? {} : { min: f.min })} {...(f.max === undefined ? {} : { max: f.max })} />
      );
    case 'check':
      return (
        <div class="stack tight">
          <Check label={common.label} checked={value === true} onChecked={onValue} {...(hint ? { hint } : {})} />
          {error && <p class="field-error" role="alert">{error}</p>}
        </div>
      );
    case 'select':
      return <Choices {...common} options={f.options} value={text} onValue={onValue} />;
    case 'grants':
    case 'grant':
      return (
        <GrantsField label={common.label} {...(hint ? { hint } : {})} error={error} errorOf={errorOf} one={f.type === 'grant'}
          path={f.path} value={Array.isArray(value) ? value : []} onValue={onValue} />
      );
    case 'lines':
      return <Lines {...common} {...(f.file ? { file: true } : {})} value={text} onValue={onValue} />;
    case 'list':
    case 'map':
      return <TextArea {...common} mono rows={3} value={text} onValue={onValue} />;
    case 'datetime':
      return (
        <Field {...common}>
          {(ids) => (
            <input type="datetime-local" {...ids} value={text} onInput={(e) => onValue(e.currentTarget.value)} />
          )}
        </Field>
      );
    case 'password':
      return (
        <TextField {...common} type="password" autocomplete="new-password" value={text} onValue={onValue} spellcheck={false} />
      );
    default:
      return (
        <TextField {...common} value={text} onValue={onValue} autocomplete="off" spellcheck={false}
          {...(autofocus ? { autofocus } : {})} />
      );
  }
}

type ChoicesProps = {
  label: string; hint: string | undefined; error: string | undefined; disabled: boolean; optional?: boolean;
  options: Choice[] | (() => Promise<Choice[]>);
  value: string;
  onValue: (v: string) => void;
};

function Choices({ options, ...rest }: ChoicesProps) {
  const [loaded, setLoaded] = useState<Choice[]>(Array.isArray(options) ? options : []);
  useEffect(() => {
    // What cannot be listed is told by the error of the page below; the field is then empty.
    if (!Array.isArray(options)) options().then(setLoaded, () => setLoaded([]));
  }, []);
  const items: Option[] = loaded.map((c) => ({ value: c.value, label: say(c.label) }));
  if (!loaded.some((c) => c.value === rest.value)) {
    items.unshift({ value: rest.value, label: rest.value || t('admin.choose'), disabled: !rest.value });
  }
  return <Select {...rest} options={items} />;
}

type LinesProps = {
  label: string; hint: string | undefined; error: string | undefined; optional?: boolean;
  file?: boolean; value: string; onValue: (v: string) => void;
};

function Lines({ file, ...rest }: LinesProps) {
  return (
    <div class="stack tight">
      <TextArea {...rest} mono rows={5} />
      {file && (
        <label class="admin-file">
          <span class="faint small">{t('admin.file')}</span>
          <input type="file" onChange={(e) => {
            const got = e.currentTarget.files?.[0];
            if (got) void got.text().then(rest.onValue);
          }} />
        </label>
      )}
    </div>
  );
}
