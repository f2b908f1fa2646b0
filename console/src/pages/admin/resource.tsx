import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { send } from '../../api';
import { BareSearch } from './search';
import { Button, Confirm, Empty, ErrorBox, Skeleton, Table, tc, toast, type Column } from '../../components';
import { useResource } from '../../hooks';
import type { Kind } from '../../stream';
import { CreateDialog } from './CreateDialog';
import { EditDialog } from './EditDialog';
import { say, type FieldSpec, type Pair } from './form';
import { listOf } from './lists';
import { t } from './texts';

export type ColumnSpec<T> = {
  id: string;
  head: Pair;
  cell: (row: T) => ComponentChildren;
  /** by sorts; columns without it cannot be sorted by. */
  by?: (row: T) => string | number;
  align?: 'end';
};

/** ResourceSpec declares a list of the API: what is shown of it, and what may be done. */
export type ResourceSpec<T> = {
  title: Pair;
  one: Pair;
  about?: Pair;
  path: string;
  kinds: readonly Kind[];
  /** id names a row for people, address is its path below that of the list. */
  id: (row: T) => string;
  address?: (row: T) => string;
  columns: readonly ColumnSpec<T>[];
  fields: readonly FieldSpec[];
  search?: (row: T) => string;
  mayCreate: () => boolean;
  mayEdit?: (row: T) => boolean;
  mayDelete: (row: T) => boolean;
  build?: (body: Record<string, unknown>) => Record<string, unknown>;
  errorsAt?: Readonly<Record<string, string>>;
  /** byName asks for the name to be typed before it is deleted. */
  byName?: boolean;
  deleteNote?: Pair;
  /** made is shown once something was made, instead of a message. */
  made?: (row: T, close: () => void) => ComponentChildren;
  actions?: (row: T, reload: () => void) => ComponentChildren;
};

type Open<T> = { kind: 'create' } | { kind: 'edit' | 'delete' | 'made'; row: T };

/** resource makes the page of a declaration. */
export function resource<T extends { revision?: number } | object>(spec: ResourceSpec<T>) {
  return function ResourcePage() {
    const list = useResource((signal) => listOf<T>(spec.path, signal), [], { kinds: spec.kinds });
    const [open, setOpen] = useState<Open<T> | undefined>(undefined);
    const [query, setQuery] = useState('');
    const [sort, setSort] = useState('');
    const close = () => setOpen(undefined);
    const what = say(spec.one);
    const rows = sorted(found(list.data ?? [], query, spec), sort, spec.columns);
    const acts = (list.data ?? []).some((r) => spec.mayEdit?.(r) || spec.mayDelete(r)) || spec.actions !== undefined;
    const columns: Column<T>[] = spec.columns.map((c) => ({
      id: c.id, head: say(c.head), cell: c.cell, sortable: c.by !== undefined, ...(c.align ? { align: c.align } : {}),
    }));
    if (acts) columns.push({ id: 'actions', head: t('admin.actions'), align: 'end', cell: (r) => rowActions(r) });

    function rowActions(row: T) {
      const name = spec.id(row);
      return (
        <span class="row end">
          {spec.actions?.(row, list.reload)}
          {spec.mayEdit?.(row) && (
            <Button small kind="quiet" aria-label={`${tc('c.edit')}: ${name}`} onClick={() => setOpen({ kind: 'edit', row })}>
              {tc('c.edit')}
            </Button>
          )}
          {spec.mayDelete(row) && (
            <Button small kind="quiet" aria-label={`${tc('c.delete')}: ${name}`} onClick={() => setOpen({ kind: 'delete', row })}>
              {tc('c.delete')}
            </Button>
          )}
        </span>
      );
    }
    const path = (row: T) => `${spec.path}/${spec.address ? spec.address(row) : encodeURIComponent(spec.id(row))}`;
    const remove = async (row: T) => {
      const revision = 'revision' in row && typeof row.revision === 'number' ? row.revision : undefined;
      await send('DELETE', path(row), { headers: revision === undefined ? {} : { 'if-match': `"${revision}"` } });
      toast(t('admin.deleted', { name: spec.id(row) }));
      list.reload();
    };
    return (
      <>
        <div class="page-head">
          <h2 class="admin-h">{say(spec.title)}</h2>
          {list.data && <span class="faint">{t('admin.count', { count: list.data.length })}</span>}
          <div class="actions">
            {(list.data?.length ?? 0) > 5 && <BareSearch label={t('admin.search')} value={query} onValue={setQuery} />}
            {spec.mayCreate() && (
              <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: 'create' })}>{t('admin.new')}</Button>
            )}
          </div>
        </div>
        {spec.about && <p class="faint">{say(spec.about)}</p>}
        {list.error && <ErrorBox problem={list.error} retry={list.reload} />}
        {!list.data && !list.error && <Skeleton />}
        {list.data && rows.length === 0 && (
          <div class="panel"><Empty title={query ? t('admin.noneFound') : t('admin.none')} /></div>
        )}
        {rows.length > 0 && (
          <Table label={say(spec.title)} columns={columns} rows={rows} rowKey={(r) => path(r)} sort={sort} onSort={setSort}
            {...(rows.length > 150 ? { windowed: true } : {})} />
        )}
        {open?.kind === 'create' && (
          <CreateDialog<T> title={t('admin.createOne', { what })} path={spec.path} fields={spec.fields} onClose={close}
            {...(spec.build ? { build: spec.build } : {})} {...(spec.errorsAt ? { errorsAt: spec.errorsAt } : {})}
            onDone={(row) => {
              list.reload();
              if (spec.made) setOpen({ kind: 'made', row });
              else {
                close();
                toast(t('admin.created', { name: spec.id(row) }));
              }
            }} />
        )}
        {open?.kind === 'edit' && (
          <EditDialog title={t('admin.editOne', { what, name: spec.id(open.row) })} name={spec.id(open.row)} path={path(open.row)}
            fields={spec.fields} kinds={spec.kinds} onClose={close} onDone={() => { close(); list.reload(); }} />
        )}
        {open?.kind === 'delete' && (
          <Confirm danger title={t('admin.deleteOne', { what, name: spec.id(open.row) })} action={tc('c.delete')}
            {...(spec.byName ? { name: spec.id(open.row) } : {})} onClose={close} onConfirm={() => remove(open.row)}>
            <p>{say(spec.deleteNote ?? ['This cannot be undone.', '此操作无法撤销。'])}</p>
          </Confirm>
        )}
        {open?.kind === 'made' && spec.made?.(open.row, close)}
      </>
    );
  };
}

function found<T>(rows: readonly T[], query: string, spec: ResourceSpec<T>): readonly T[] {
  const q = query.trim().toLowerCase();
  if (!q) return rows;
  return rows.filter((r) => (spec.search?.(r) ?? spec.id(r)).toLowerCase().includes(q));
}

function sorted<T>(rows: readonly T[], sort: string, columns: readonly ColumnSpec<T>[]): readonly T[] {
  const by = columns.find((c) => c.id === sort.replace(/^-/, ''))?.by;
  if (!by) return rows;
  const sign = sort.startsWith('-') ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y)));
  });
}
