import { Component, type ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { tc } from './common';
import { Icon } from './Icon';

export type Column<T> = {
  id: string;
  head: string;
  cell: (row: T) => ComponentChildren;
  /** sortable columns have a button in their head. */
  sortable?: boolean;
  align?: 'end';
  /** width is a CSS length; columns without one share the rest. */
  width?: string;
  /** phone columns stay on narrow screens; without any, all stay and the table scrolls. */
  phone?: boolean;
};

/** Sort is a column's id, with - before it for descending. */
export type Sort = string;

type TableProps<T> = {
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  sort?: Sort;
  onSort?: (s: Sort) => void;
  /** windowed tables have rows of one height, and only those in sight are in the document. */
  windowed?: boolean;
  /** onWindow is told which rows of a windowed table are in the document. */
  onWindow?: (from: number, to: number) => void;
  rowHeight?: number;
  rowClass?: (row: T) => string | undefined;
};

export function nextSort(now: Sort | undefined, column: string): Sort {
  return now === column ? `-${column}` : column;
}

export function Table<T>(props: TableProps<T>) {
  const { label, columns, rows, rowKey, sort, onSort, windowed, onWindow, rowHeight = 44, rowClass } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const [from, to] = useWindow(body, windowed ? rows.length : 0, rowHeight);
  useEffect(() => onWindow?.(from, to), [from, to]);
  const shown = windowed ? rows.slice(from, to) : rows;
  const side = sides(columns);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table class={windowed ? 'table table-fixed' : 'table'} aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.id} scope="col" class={side(c)} style={c.width ? { width: c.width } : undefined}
                aria-sort={sort === c.id ? 'ascending' : sort === `-${c.id}` ? 'descending' : undefined}>
                {c.sortable && onSort ? (
                  <button type="button" class="sort" title={tc('c.sortBy', { column: c.head })}
                    onClick={() => onSort(nextSort(sort, c.id))}>
                    {c.head}
                    {sort === c.id && <Icon name="up" size={12} />}
                    {sort === `-${c.id}` && <Icon name="down" size={12} />}
                  </button>
                ) : (
                  c.head
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {windowed && from > 0 && <Spacer height={from * rowHeight} />}
          {shown.map((r, i) => (
            <Row key={rowKey(r)} row={r} columns={columns} kind={rowClass?.(r)} index={(windowed ? from : 0) + i + 2}
              height={windowed ? rowHeight : 0} />
          ))}
          {windowed && to < rows.length && <Spacer height={(rows.length - to) * rowHeight} />}
        </tbody>
      </table>
    </div>
  );
}

function sides<T>(columns: Column<T>[]) {
  const some = columns.some((c) => c.phone);
  return (c: Column<T>) => (c.align === 'end' ? 'end' : '') + (some && !c.phone ? ' wide-only' : '');
}

type RowProps<T> = { row: T; columns: Column<T>[]; kind: string | undefined; index: number; height: number };

/** Row draws itself anew only for another record or other columns: scrolling makes neither. */
class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>) {
    const p = this.props;
    return next.row !== p.row || next.columns !== p.columns || next.kind !== p.kind || next.index !== p.index
      || next.height !== p.height;
  }

  render({ row, columns, kind, index, height }: RowProps<T>) {
    const side = sides(columns);
    return (
      <tr class={kind} aria-rowindex={index} style={height ? { height: `${height}px` } : undefined}>
        {columns.map((c) => <td key={c.id} class={side(c)}>{c.cell(row)}</td>)}
      </tr>
    );
  }
}

// A spacer has one cell: one that spanned all columns would bring back those that narrow screens hide.
function Spacer({ height }: { height: number }) {
  return (
    <tr class="spacer" aria-hidden="true" style={{ height: `${height}px` }}>
      <td />
    </tr>
  );
}

// Items come and go some at a time, so that most steps of scrolling draw nothing.
const together = 8;

/** visible tells which of n items of a height are near the screen, where the first one begins at top. */
export function visible(top: number, screen: number, n: number, height: number, margin = 12): [number, number] {
  const whole = (x: number, round: (x: number) => number) => round(x / together) * together;
  const from = Math.max(0, whole(-top / height - margin, Math.floor));
  const to = Math.min(n, whole((screen - top) / height + margin, Math.ceil));
  return [Math.min(from, n), Math.max(to, Math.min(from, n))];
}

/** useWindow follows the scrolling of the page. A count of 0 turns it off. */
export function useWindow(
  ref: { current: HTMLElement | null },
  count: number,
  height: number,
  margin = 12,
): [number, number] {
  const [range, setRange] = useState<[number, number]>([0, 40]);
  useEffect(() => {
    if (count === 0) return undefined;
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = ref.current?.getBoundingClientRect().top ?? 0;
      const next = visible(top, innerHeight, count, height, margin);
      setRange((r) => (r[0] === next[0] && r[1] === next[1] ? r : next));
    };
    const soon = () => (frame ||= requestAnimationFrame(look));
    look();
    addEventListener('scroll', soon, { passive: true });
    addEventListener('resize', soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    };
  }, [count, height, margin]);
  return count === 0 ? [0, 0] : range;
}
