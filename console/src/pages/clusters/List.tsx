import { useMemo, useState } from 'preact/hooks';
import type { Cluster } from '../../api';
import { StateBadge, Table, Tag, tc, Time, type Column, type Sort } from '../../components';
import { lang } from '../../i18n';
import { Link } from '../../router';
import { useAlarms } from './alarms';
import { Alarms, Connections, NodesReady, reasonOf } from './parts';
import { t } from './words';

export type Selection = { ids: ReadonlySet<string>; toggle: (id: string) => void; all: (on: boolean) => void };

export function Pick({ of: c, selection }: { of: Cluster; selection: Selection }) {
  return (
    <input type="checkbox" checked={selection.ids.has(c.id)} aria-label={t('clusters.select', { name: c.name })}
      onChange={() => selection.toggle(c.id)} />
  );
}

type ListProps = {
  list: Cluster[];
  sort: Sort;
  onSort: (s: Sort) => void;
  selection: Selection | undefined;
};

export const rowHeight = 48;

export function List({ list, sort, onSort, selection }: ListProps) {
  const [[from, to], setWindow] = useState([0, 0]);
  useAlarms(list.slice(from, to));
  const columns = useMemo(() => columnsOf(selection), [selection, lang.value]);
  return (
    <div class="cluster-list">
      <Table label={t('clusters.title')} columns={columns} rows={list} rowKey={(c) => c.id} sort={sort} onSort={onSort}
        windowed onWindow={(a, b) => setWindow([a, b])} rowHeight={rowHeight}
        rowClass={(c) => (c.status.stale ? 'row-stale' : undefined)} />
    </div>
  );
}

function columnsOf(selection: Selection | undefined) {
  const columns: Column<Cluster>[] = [
    { id: 'name', head: tc('c.name'), sortable: true, phone: true, cell: (c) => (
      <div class="cell-name">
        <Link to={`/clusters/${c.id}`} class="clip" title={c.name}>{c.name}</Link>
        <span class="faint small clip">{c.id}</span>
      </div>
    ) },
    { id: 'state', head: tc('c.state'), sortable: true, phone: true, width: '128px', cell: (c) => <StateBadge status={c.status} /> },
    { id: 'reason', head: t('clusters.reason'), width: '11%', cell: (c) => (
      <span class="clip" title={c.status.message}>{reasonOf(c)}</span>
    ) },
    { id: 'connections', head: tc('c.connections'), sortable: true, width: '132px', cell: (c) => <Connections of={c} /> },
    { id: 'nodes', head: tc('c.nodes'), sortable: true, align: 'end', width: '72px', cell: (c) => <NodesReady of={c} /> },
    { id: 'version', head: tc('c.version'), sortable: true, width: '82px', cell: (c) => c.version || <span class="faint">–</span> },
    { id: 'alarms', head: t('clusters.alarms'), width: '76px', cell: (c) => <Alarms of={c} /> },
    { id: 'project', head: tc('c.project'), sortable: true, width: '12%', cell: (c) => <span title={c.project}>{c.project}</span> },
    { id: 'mode', head: t('clusters.mode'), width: '96px', cell: (c) => <Tag>{t(`clusters.${c.mode}`)}</Tag> },
    { id: 'since', head: t('clusters.since'), sortable: true, width: '140px', cell: (c) => <Time at={c.status.since} /> },
  ];
  if (selection) {
    columns.unshift({ id: 'pick', head: '', width: '40px', phone: true, cell: (c) => <Pick of={c} selection={selection} /> });
  }
  return columns;
}
