import { lang } from '../../i18n';
import type { Grant } from '../../rights';

/** Pair is a text in English and Chinese. */
export type Pair = readonly [en: string, zh: string];

export const say = (p: Pair): string => p[lang.value === 'zh' ? 1 : 0];

export type Choice = { value: string; label: Pair };

type Common = {
  /** path is where the value lies in the body, as a JSON pointer: problems name it, too. */
  path: string;
  label: Pair;
  hint?: Pair;
  optional?: boolean;
  /** only fields are shown only when something is made, or only when it is changed. */
  only?: 'create' | 'edit';
};

/**
 * FieldSpec declares one field of a form. A secret is never read: on a change, an empty one stays as it is. fixed fields
 * never change once something is made. list has one item on a line, map one KEY=VALUE on a line. grant lies in the body
 * itself, as role, org and project.
 */
export type FieldSpec = Common &
  (
    | { type: 'text' | 'password' | 'datetime' | 'grants' | 'grant' | 'list' | 'map' | 'check'; fixed?: boolean; initial?: string }
    | { type: 'lines'; secret?: boolean; file?: boolean }
    | { type: 'number'; min?: number; max?: number; initial?: number }
    | { type: 'select'; options: Choice[] | (() => Promise<Choice[]>); fixed?: boolean }
  );

export type Value = string | number | boolean | Grant[] | undefined;
export type Values = Readonly<Record<string, Value>>;

export const isSecret = (f: FieldSpec) => f.type === 'password' || (f.type === 'lines' && f.secret === true);
export const isFixed = (f: FieldSpec) => 'fixed' in f && f.fixed === true;

function empty(f: FieldSpec): Value {
  if (f.type === 'number') return f.initial;
  if (f.type === 'check') return false;
  if (f.type === 'grants' || f.type === 'grant') return [{ role: 'user' }];
  return 'initial' in f ? (f.initial ?? '') : '';
}

export function emptyValues(fields: readonly FieldSpec[]): Values {
  return Object.fromEntries(fields.map((f) => [f.path, empty(f)]));
}

function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function at(body: unknown, path: string): unknown {
  return path.split('/').slice(1).reduce<unknown>((v, k) => (isRecord(v) ? v[k] : undefined), body);
}

function put(body: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('/').slice(1);
  const last = keys.pop() ?? '';
  let into = body;
  for (const k of keys) {
    const next = into[k];
    if (isRecord(next)) into = next;
    else into = into[k] = {} as Record<string, unknown>;
  }
  into[last] = value;
}

const two = (n: number) => String(n).padStart(2, '0');

/** localTime is a moment as inputs of type datetime-local take it. */
export function localTime(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return '';
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}

function shown(f: FieldSpec, v: unknown): Value {
  if (isSecret(f)) return '';
  switch (f.type) {
    case 'grants':
      return Array.isArray(v) ? (v as Grant[]) : [];
    case 'check':
      return v === true;
    case 'number':
      return typeof v === 'number' ? v : undefined;
    case 'list':
      return Array.isArray(v) ? v.join('\n') : '';
    case 'map':
      return isRecord(v) ? Object.entries(v).map(([k, x]) => `${k}=${String(x)}`).join('\n') : '';
    case 'datetime':
      return typeof v === 'string' ? localTime(v) : '';
    default:
      return typeof v === 'string' ? v : '';
  }
}

/** valuesOf are the values of a form for something that is there. */
export function valuesOf(fields: readonly FieldSpec[], record: unknown): Values {
  return Object.fromEntries(fields.map((f) => [f.path, shown(f, at(record, f.path))]));
}

const lines = (v: Value) => String(v ?? '').split('\n').map((s) => s.trim()).filter(Boolean);

function mapOf(v: Value): Record<string, string> {
  return Object.fromEntries(
    lines(v).map((l) => {
      const i = l.indexOf('=');
      return i < 0 ? [l, ''] : [l.slice(0, i).trim(), l.slice(i + 1).trim()];
    }),
  );
}

/** sent is a value as the API takes it; nothing for an empty one. */
function sent(f: FieldSpec, v: Value): unknown {
  if (f.type === 'list') return lines(v);
  if (f.type === 'map') return mapOf(v);
  if (v === '' || v === undefined) return undefined;
  if (f.type === 'datetime') return new Date(String(v)).toISOString();
  return v;
}

/** bodyOf is the body that makes something. */
export function bodyOf(fields: readonly FieldSpec[], values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const f of fields) {
    if (f.only === 'edit') continue;
    const v = values[f.path];
    if (f.type === 'grant' && Array.isArray(v)) {
      Object.assign(body, v[0]);
      continue;
    }
    const out = sent(f, v);
    if (out !== undefined) put(body, f.path, out);
    // An empty text lets the server name the field itself, not the object around it that is missing.
    else if (f.type === 'text' && !f.optional) put(body, f.path, '');
  }
  return body;
}

export const same = (a: Value, b: Value) => JSON.stringify(a) === JSON.stringify(b);

/** changed are the fields whose values differ. */
export function changed(fields: readonly FieldSpec[], a: Values, b: Values): FieldSpec[] {
  return fields.filter((f) => !same(a[f.path], b[f.path]));
}

/** patchOf is the JSON merge patch that makes values of base. */
export function patchOf(fields: readonly FieldSpec[], base: Values, values: Values): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const f of changed(fields, base, values)) {
    if (f.only === 'create' || isFixed(f)) continue;
    if (f.type === 'map') {
      const now = mapOf(values[f.path]);
      const gone = Object.keys(mapOf(base[f.path])).filter((k) => !Object.hasOwn(now, k));
      put(patch, f.path, { ...now, ...Object.fromEntries(gone.map((k) => [k, null])) });
    } else put(patch, f.path, sent(f, values[f.path]) ?? null);
  }
  return patch;
}

/** rebased are the values of a form after somebody else's change: what was typed stays, the rest is theirs. */
export function rebased(fields: readonly FieldSpec[], base: Values, mine: Values, theirs: Values): Values {
  return Object.fromEntries(
    fields.map((f) => [f.path, same(base[f.path], mine[f.path]) ? theirs[f.path] : mine[f.path]]),
  );
}
