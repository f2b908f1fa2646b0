import './clusters.css';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { clusters, clustersState, readClusters, wantClusters } from '../../clusters';
import {
  BareSelect, Button, ButtonLink, Empty, ErrorBox, operationName, Segments, Skeleton, stateName, stateWords, tc,
} from '../../components';
import { lang, num } from '../../i18n';
import { may } from '../../rights';
import { route, setQuery } from '../../router';
import { actions, Bulk, type Action } from './Bulk';
import { Cards } from './Cards';
import { filterOf, fits, sorted, values } from './filter';
import { List, type Selection } from './List';
import { t } from './words';

// How many connections a cluster has is not told by events.
const readEvery = 20_000;

export default function Page() {
  const { query } = route.value;
  const key = query.toString();
  const filter = useMemo(() => filterOf(query), [key]);
  const sort = query.get('sort') ?? 'name';
  const view = query.get('view') ?? localStorage.getItem('ecp.view') ?? (innerWidth <= 640 ? 'cards' : 'list');
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [action, setAction] = useState<Action | undefined>(undefined);

  useEffect(() => {
    if (clustersState.peek().loaded) void readClusters();
    wantClusters();
    const timer = setInterval(() => {
      if (!document.hidden) void readClusters();
    }, readEvery);
    return () => clearInterval(timer);
  }, []);

  const all = clusters.value;
  const list = useMemo(
    () => sorted([...all.values()].filter((c) => fits(c, filter)), sort, lang.value),
    [all, filter, sort, lang.value],
  );
  // Which are picked is kept by id: those that the filters hide or that are gone do not count.
  const chosen = list.filter((c) => picked.has(c.id));
  const selection: Selection | undefined = may('write') ? {
    ids: picked,
    toggle: (id) => setPicked((p) => {
      const next = new Set(p);
      if (!next.delete(id)) next.add(id);
      return next;
    }),
    all: (on) => setPicked(on ? new Set(list.filter((c) => may('write', c.project)).map((c) => c.id)) : new Set()),
  } : undefined;
  const state = clustersState.value;

  return (
    <>
      <div class="page-head">
        <h1>{t('clusters.title')}</h1>
        {state.loaded && (
          <span class="faint" role="status">
            {list.length === all.size
              ? t('clusters.count', { count: all.size })
              : t('clusters.countOf', { shown: num(list.length), all: num(all.size) })}
          </span>
        )}
        <div class="actions">
          {may('write') && <ButtonLink to="/clusters/new" kind="primary" icon="plus">{t('clusters.add')}</ButtonLink>}
        </div>
      </div>
      {state.loaded && all.size > 0 && <Toolbar view={view} sort={sort} />}
      {state.error && <ErrorBox problem={state.error} retry={() => void readClusters()} />}
      {!state.loaded && !state.error && <Skeleton lines={8} />}
      {state.loaded && all.size === 0 && (
        <Empty title={t('clusters.none')}>
          <p>{may('write') ? t('clusters.noneText') : t('clusters.noneSeen')}</p>
          {may('write') && <ButtonLink to="/clusters/new" kind="primary" icon="plus">{t('clusters.add')}</ButtonLink>}
        </Empty>
      )}
      {all.size > 0 && list.length === 0 && (
        <Empty title={t('clusters.noMatch')}>
          <Button onClick={() => setQuery({ project: '', state: '', version: '', mode: '', q: '' })}>{t('clusters.clear')}</Button>
        </Empty>
      )}
      {list.length > 0 && (view === 'cards'
        ? <Cards list={list} selection={selection} />
        : <List list={list} sort={sort} onSort={(s) => setQuery({ sort: s === 'name' ? '' : s })} selection={selection} />)}
      {selection && chosen.length > 0 && (
        <div class="bulk" role="region" aria-label={t('clusters.selected', { n: num(chosen.length) })}>
          <strong>{t('clusters.selected', { n: num(chosen.length) })}</strong>
          <Button small kind="quiet" onClick={() => selection.all(true)}>{t('clusters.selectAll')}</Button>
          <Button small kind="quiet" onClick={() => selection.all(false)}>{t('clusters.deselect')}</Button>
          <span class="grow" />
          {chosen.every((c) => may('write', c.project)) && actions.map((a) => (
            <Button key={a} small kind={a === 'delete' ? 'danger' : 'plain'} onClick={() => setAction(a)}>{operationName(a)}</Button>
          ))}
        </div>
      )}
      {action && <Bulk action={action} of={chosen} onClose={() => { setAction(undefined); setPicked(new Set()); }} />}
    </>
  );
}

const sortable = ['name', 'state', '-connections', '-nodes', 'version', 'project', 'since'];

function Toolbar({ view, sort }: { view: string; sort: string }) {
  const { query } = route.value;
  const f = filterOf(query);
  const list = clusters.value;
  const choices = useMemo(() => ({
    projects: values(list.values(), (c) => c.project),
    versions: values(list.values(), (c) => c.version),
    states: new Set(values(list.values(), (c) => c.status.state)),
  }), [list]);
  const one = (v: string) => ({ value: v, label: v });
  const states = stateWords.filter((s) => choices.states.has(s as never) || s === f.state);
  const heads: Record<string, string> = {
    name: tc('c.name'), state: tc('c.state'), connections: tc('c.connections'), nodes: tc('c.nodes'),
    version: tc('c.version'), project: tc('c.project'), since: t('clusters.since'),
  };
  return (
    <div class="toolbar" role="search">
      <div class="search">
        <input type="search" value={f.q} placeholder={t('clusters.search')} aria-label={t('clusters.search')}
          onInput={(e) => setQuery({ q: e.currentTarget.value })} />
      </div>
      <BareSelect aria-label={tc('c.state')} value={f.state} onValue={(v) => setQuery({ state: v })}
        options={[{ value: '', label: t('clusters.allStates') }, ...states.map((s) => ({ value: s, label: stateName(s) }))]} />
      <BareSelect aria-label={tc('c.project')} value={f.project} onValue={(v) => setQuery({ project: v })}
        options={[{ value: '', label: t('clusters.allProjects') }, ...choices.projects.map(one)]} />
      <BareSelect aria-label={tc('c.version')} value={f.version} onValue={(v) => setQuery({ version: v })}
        options={[{ value: '', label: t('clusters.allVersions') }, ...choices.versions.map(one)]} />
      <BareSelect aria-label={t('clusters.mode')} value={f.mode} onValue={(v) => setQuery({ mode: v })}
        options={[{ value: '', label: t('clusters.allModes') }, { value: 'hosted', label: t('clusters.hosted') },
          { value: 'adopted', label: t('clusters.adopted') }]} />
      {view === 'cards' && (
        <BareSelect aria-label={t('clusters.sort')} value={sort} onValue={(v) => setQuery({ sort: v === 'name' ? '' : v })}
          options={sortable.map((s) => ({ value: s, label: heads[s.replace('-', '')] ?? s }))} />
      )}
      <span class="grow" />
      <Segments label={t('clusters.view')} value={view} onValue={(v) => { localStorage.setItem('ecp.view', v); setQuery({ view: v }); }}
        options={[{ value: 'list', label: t('clusters.list') }, { value: 'cards', label: t('clusters.cards') }]} />
    </div>
  );
}
