import type { Cluster } from '../../api';

export type Filter = { project: string; state: string; version: string; mode: string; q: string };

export function filterOf(query: URLSearchParams): Filter {
  const of = (name: string) => query.get(name) ?? '';
  return { project: of('project'), state: of('state'), version: of('version'), mode: of('mode'), q: of('q') };
}

export function fits(c: Cluster, f: Filter): boolean {
  if (f.project && c.project !== f.project) return false;
  if (f.state && c.status.state !== f.state) return false;
  if (f.version && c.version !== f.version) return false;
  if (f.mode && c.mode !== f.mode) return false;
  const q = f.q.trim().toLowerCase();
  return !q || c.name.toLowerCase().includes(q) || c.id.includes(q);
}

/** wantedNodes is how many nodes a hosted cluster is to have; of an adopted one, how many are known. */
export function wantedNodes(c: Cluster): number {
  if (c.mode === 'adopted') return c.status.nodes?.length ?? 0;
  const spec = c.spec as { nodes?: number; replicants?: { nodes?: number } };
  return (spec.nodes ?? 0) + (spec.replicants?.nodes ?? 0);
}

/** connectionLimit is what the cluster may have: what EMQX says that it takes, else what is booked; 0 is no limit. */
export function connectionLimit(c: Cluster): number {
  const booked = (c.spec as { connections?: number } | null)?.connections ?? 0;
  return c.status.connections.limit || booked;
}

// What needs attention comes first.
const stateOrder = [
  'abnormal', 'degraded', 'nonexistent', 'creating', 'updating', 'syncing', 'starting', 'stopping', 'registering',
  'deleting', 'created', 'running', 'stopped',
];

/** sorted orders clusters by a column, - before it for descending; equal ones by name and id. */
export function sorted(list: Cluster[], sort: string, locale: string): Cluster[] {
  const down = sort.startsWith('-') ? -1 : 1;
  const by = sort.replace(/^-/, '');
  const words = new Intl.Collator(locale, { numeric: true, sensitivity: 'base' });
  const compare = (a: Cluster, b: Cluster): number => {
    switch (by) {
      case 'state':
        return stateOrder.indexOf(a.status.state) - stateOrder.indexOf(b.status.state);
      case 'connections':
        return a.status.connections.current - b.status.connections.current;
      case 'nodes':
        return a.status.readyNodes - b.status.readyNodes;
      case 'version':
        return words.compare(a.version, b.version);
      case 'project':
        return words.compare(a.project, b.project);
      case 'since':
        return b.status.since.localeCompare(a.status.since);
      default:
        return words.compare(a.name, b.name);
    }
  };
  return [...list].sort((a, b) => down * compare(a, b) || words.compare(a.name, b.name) || a.id.localeCompare(b.id));
}

/** values are the different ones, in order, for the choices of a filter. */
export function values(list: Iterable<Cluster>, of: (c: Cluster) => string): string[] {
  const seen = new Set<string>();
  for (const c of list) if (of(c)) seen.add(of(c));
  return [...seen].sort(new Intl.Collator('en', { numeric: true }).compare);
}
