import type { Schemas } from '../../../api';

export type Column = (number | null)[];
export type Series = { at: number[]; connections: Column; received: Column; sent: Column; dropped: Column };

/**
 * seriesOf makes columns of samples. Where samples are missing a point without a value is put in, so that charts show
 * a gap and no line across it. Counts of messages become rates.
 */
export function seriesOf(samples: readonly Schemas['Sample'][], gaps: readonly Schemas['SeriesGap'][] = []): Series {
  const out: Series = { at: [], connections: [], received: [], sent: [], dropped: [] };
  const times = samples.map((s) => Date.parse(s.at) / 1000);
  const steps = times.slice(1).map((x, i) => x - (times[i] ?? x)).filter((x) => x > 0).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 10;
  const holes = gaps.map((g) => Date.parse(g.from) / 1000);
  for (const [i, s] of samples.entries()) {
    const at = times[i] ?? 0;
    const before = times[i - 1];
    const missing = before !== undefined && (at - before > 2.5 * usual || holes.some((h) => h >= before && h < at));
    if (before !== undefined && missing) push(out, before + Math.min(usual, (at - before) / 2));
    const over = before === undefined || missing ? usual : at - before;
    push(out, at, s, over > 0 ? over : usual);
  }
  return out;
}

function push(out: Series, at: number, s?: Schemas['Sample'], seconds = 1): void {
  out.at.push(at);
  out.connections.push(s ? s.connections : null);
  out.received.push(s ? s.received / seconds : null);
  out.sent.push(s ? s.sent / seconds : null);
  out.dropped.push(s ? s.dropped / seconds : null);
}

/** summary tells the last, smallest and largest value of a column, without gaps. */
export function summary(c: Column): { last: number; min: number; max: number } | undefined {
  const values = c.filter((v): v is number => v !== null);
  const last = values.at(-1);
  if (last === undefined) return undefined;
  return { last, min: values.reduce((a, b) => Math.min(a, b)), max: values.reduce((a, b) => Math.max(a, b)) };
}

/** thin picks about n rows, evenly. */
export function thin(count: number, n: number): number[] {
  if (count <= n) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: n }, (_, i) => Math.round((i * (count - 1)) / (n - 1)));
}
