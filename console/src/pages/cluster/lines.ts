import type { Schemas } from '../../api';

export type Entry = { n: number; log: Schemas['Log'] } | { n: number; gap: Schemas['LogGap'] };

/** most is how many entries are kept; the oldest go first. */
export const most = 2_000;

export const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;

/** added puts entries behind those that are there, and keeps the newest. */
export function added(old: readonly Entry[], more: readonly Entry[]): Entry[] {
  return [...old, ...more].slice(-most);
}

/** newest is the time of the last line, from where to go on after a stream has broken. */
export function newest(list: readonly Entry[]): string | undefined {
  for (let i = list.length - 1; i >= 0; i--) {
    const e = list[i];
    if (e && 'log' in e) return e.log.at;
  }
  return undefined;
}

/** repeated reports whether a line is among the last ones: what is asked for since a time begins with that time's lines. */
export function repeated(list: readonly Entry[], log: Schemas['Log']): boolean {
  return list.slice(-100).some((e) => 'log' in e && e.log.at === log.at && e.log.node === log.node && e.log.raw === log.raw);
}
