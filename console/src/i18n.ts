import { signal } from '@preact/signals';
import i18next from 'i18next';

export type Lang = 'en' | 'zh';
type Vars = Record<string, string | number>;

function preferred(): Lang {
  const stored = localStorage.getItem('ecp.lang');
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const lang = signal<Lang>(preferred());

void i18next.init({
  lng: lang.value,
  fallbackLng: 'en',
  // Everything that is shown goes through text nodes, which need no escaping.
  interpolation: { escapeValue: false },
  keySeparator: false,
  nsSeparator: false,
  initAsync: false,
  resources: { en: { translation: {} }, zh: { translation: {} } },
});
document.documentElement.lang = lang.value === 'zh' ? 'zh-CN' : 'en';

export function setLang(to: Lang): void {
  localStorage.setItem('ecp.lang', to);
  void i18next.changeLanguage(to);
  document.documentElement.lang = to === 'zh' ? 'zh-CN' : 'en';
  lang.value = to;
}

/**
 * texts registers [English, Chinese] pairs and returns the function that looks them up; it takes no other keys. English
 * plurals are pairs KEY_one and KEY_other, looked up as t('KEY', { count }), with the count in words as {{n}}; Chinese has
 * KEY_other only.
 */
export function texts<T extends Record<string, readonly [string, string]>>(pairs: T) {
  const en: Record<string, string> = {};
  const zh: Record<string, string> = {};
  for (const [k, [e, z]] of Object.entries(pairs)) {
    en[k] = e;
    zh[k] = z;
  }
  i18next.addResourceBundle('en', 'translation', en, true, true);
  i18next.addResourceBundle('zh', 'translation', zh, true, true);
  type Key = keyof T & string;
  type Base<K> = K extends `${infer B}_one` | `${infer B}_other` ? B : K;
  return (key: Base<Key>, vars?: Vars): string => {
    // Reading the signal lets components render again when the language changes.
    const count = vars?.['count'];
    return i18next.t(key as string, { lng: lang.value, ...(typeof count === 'number' ? { n: num(count) } : {}), ...vars });
  };
}

/** word looks up a word of the API in a table of pairs; words that are not in it are shown as they are. */
export function word(table: Record<string, readonly [string, string]>, w: string): string {
  const pair = Object.hasOwn(table, w) ? table[w] : undefined;
  return pair ? pair[lang.value === 'zh' ? 1 : 0] : w;
}

/** label is a text that the API tells in both languages. */
export function label(l: { zh: string; en: string }): string {
  return lang.value === 'zh' ? l.zh : l.en;
}

const locale = () => (lang.value === 'zh' ? 'zh-CN' : 'en-GB');

// Formats take long to make, and long lists need thousands of them.
const formats = new Map<string, unknown>();

function kept<T>(kind: string, opts: object, make: (l: string) => T): T {
  const key = `${kind} ${locale()} ${JSON.stringify(opts)}`;
  const found = formats.get(key) as T | undefined;
  if (found) return found;
  const made = make(locale());
  formats.set(key, made);
  return made;
}

export function num(n: number, opts: Intl.NumberFormatOptions = {}): string {
  return kept('number', opts, (l) => new Intl.NumberFormat(l, opts)).format(n);
}

export function dateTime(iso: string | Date): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return String(iso);
  const opts = { dateStyle: 'medium', timeStyle: 'medium', hour12: false } as const;
  return kept('date', opts, (l) => new Intl.DateTimeFormat(l, opts)).format(d);
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** ago tells a time relative to now, in the largest unit that fits. */
export function ago(iso: string | Date, now = Date.now()): string {
  const s = (new Date(iso).getTime() - now) / 1000;
  const opts = { numeric: 'auto', style: 'long' } as const;
  const format = kept('ago', opts, (l) => new Intl.RelativeTimeFormat(l, opts));
  for (const [unit, size] of units) {
    // What is past has fully gone by; what is to come is rounded.
    if (Math.abs(s) >= size) return format.format(s < 0 ? Math.ceil(s / size) : Math.round(s / size), unit);
  }
  return Math.abs(s) < 5 ? format.format(0, 'second') : format.format(Math.trunc(s), 'second');
}

/** seconds tells a duration, e.g. "1 min 20 sec". */
export function duration(seconds: number): string {
  const part = (n: number, unit: 'hour' | 'minute' | 'second') =>
    num(n, { style: 'unit', unit, unitDisplay: lang.value === 'zh' ? 'long' : 'short' });
  const s = Math.round(seconds);
  const parts: string[] = [];
  if (s >= 3600) parts.push(part(Math.floor(s / 3600), 'hour'));
  if (s >= 60 && s % 3600 >= 60) parts.push(part(Math.floor((s % 3600) / 60), 'minute'));
  if (s % 60 > 0 && s < 3600) parts.push(part(s % 60, 'second'));
  return parts.length ? parts.join(' ') : part(0, 'second');
}
