import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';
import { useEffect, useRef } from 'preact/hooks';
import { lang, num } from '../../../i18n';
import { theme } from '../../../theme';
import type { Column } from './series';

export type Line = { label: string; values: Column; token: string; dash?: number[] };
type Props = { title: string; summary: string; at: number[]; lines: Line[]; from: number; to: number; unit: string; timeLabel: string };

const css = (token: string) => getComputedStyle(document.documentElement).getPropertyValue(token).trim();

function timeFormat(span: number): Intl.DateTimeFormat {
  const locale = lang.value === 'zh' ? 'zh-CN' : 'en-GB';
  return new Intl.DateTimeFormat(locale, span > 36 * 3600
    ? { month: 'short', day: 'numeric', hour: '2-digit' }
    : { hour: '2-digit', minute: '2-digit', ...(span < 1_200 ? { second: '2-digit' } : {}) });
}

function options(p: Props, width: number): uPlot.Options {
  const format = timeFormat(p.to - p.from);
  const full = new Intl.DateTimeFormat(lang.value === 'zh' ? 'zh-CN' : 'en-GB', { dateStyle: 'short', timeStyle: 'medium' });
  const axis = { stroke: css('--muted'), grid: { stroke: css('--line'), width: 1 }, ticks: { stroke: css('--line'), width: 1 } };
  const shown = (v: number | null) => (v === null || v === undefined ? '–' : `${num(v, { maximumFractionDigits: v < 10 ? 2 : 0 })}${p.unit}`);
  return {
    width,
    height: 200,
    scales: { x: { time: true, range: () => [p.from, p.to] }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, space: 80, values: (_u, splits) => splits.map((s) => format.format(s * 1000)) },
      { ...axis, size: 56, values: (_u, splits) => splits.map((v) => num(v, { notation: 'compact' })) },
    ],
    series: [
      { label: p.timeLabel, value: (_u, v) => (v === null ? '–' : full.format(v * 1000)) },
      ...p.lines.map((l): uPlot.Series => ({
        label: l.label, stroke: css(l.token), width: 1.75, spanGaps: false, points: { size: 4 }, value: (_u, v) => shown(v),
        ...(l.dash ? { dash: l.dash } : {}),
      })),
    ],
  };
}

/** Chart draws lines over time; gaps stay gaps. What it shows is also in a table, for those who do not see it. */
export function Chart(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const look = `${theme.value} ${lang.value} ${p.lines.map((l) => l.label).join()} ${Math.round(p.to - p.from)}`;
  const props = useRef(p);
  props.current = p;
  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(props.current, el.clientWidth), data(props.current), el);
    };
    make();
    const sizes = new ResizeObserver(() => plot.current?.setSize({ width: el.clientWidth, height: 200 }));
    sizes.observe(el);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', make);
    return () => {
      sizes.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [look]);
  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.setData(data(p), false);
    u.setScale('x', { min: p.from, max: p.to });
  }, [p.at, p.to]);
  return (
    <figure class="cl-chart">
      <figcaption><h3>{p.title}</h3></figcaption>
      <div ref={box} role="img" aria-label={`${p.title}: ${p.summary}`} />
    </figure>
  );
}

function data(p: Props): uPlot.AlignedData {
  return [p.at, ...p.lines.map((l) => l.values)];
}
