import { useEffect, useState } from 'preact/hooks';
import { send, type Cluster, type Operation, type Schemas } from '../../api';
import { clusters, readClusters, wantClusters } from '../../clusters';
import { useResource } from '../../hooks';
import { may } from '../../rights';
import { listOf, wholeList, type Org, type Project } from '../admin/lists';
import { needsLook } from './attention';

/** Kept are the records beside the clusters, as far as the role reaches; what it does not reach is empty. */
export type Kept = {
  pool: Schemas['Pool'] | undefined;
  quotas: Schemas['Quota'][];
  targets: Schemas['TargetInfo'][];
  licenses: Schemas['License'][];
  certificates: Schemas['CertificateInfo'][];
  unrecorded: number;
};

// Quotas are read one by one; more than that are for the administration's list.
const mostQuotas = 40;

async function readQuotas(signal: AbortSignal): Promise<Schemas['Quota'][]> {
  const orgs = may('projects') ? (await listOf<Org>('orgs', signal)).filter((o) => may('projects', o.name)) : [];
  const projects = await listOf<Project>('projects', signal);
  const paths = [...orgs.map((o) => `orgs/${o.name}`), ...projects.map((p) => `projects/${p.path}`)].slice(0, mostQuotas);
  const all = await Promise.all(paths.map((p) => send<Schemas['Quota']>('GET', `${p}/quota`, { signal })));
  return all.filter((q) => q.connections > 0).sort((a, b) => b.usedConnections / b.connections - a.usedConnections / a.connections);
}

export function useKept() {
  return useResource<Kept>(async (signal) => {
    const admin = may('admin');
    const catalog = may('catalog');
    const [pool, quotas, targets, licenses, certificates, unrecorded] = await Promise.all([
      catalog ? send<Schemas['Pool']>('GET', 'pool', { signal }) : undefined,
      may('read') ? readQuotas(signal) : [],
      catalog ? listOf<Schemas['TargetInfo']>('kubernetes-targets', signal) : [],
      admin ? listOf<Schemas['License']>('emqx-licenses', signal) : [],
      admin ? listOf<Schemas['CertificateInfo']>('certificates', signal) : [],
      admin ? wholeList<Schemas['Unrecorded']>('unrecorded-clusters', signal) : [],
    ]);
    return { pool, quotas, targets, licenses, certificates, unrecorded: unrecorded.length };
  }, [], { kinds: ['pool', 'quota', 'target', 'license', 'certificate', 'project', 'org'], every: 60_000 });
}

export function useOverview() {
  return useResource((signal) => send<Schemas['Overview']>('GET', 'overview', { signal }), [], {
    kinds: ['cluster', 'agent'], every: 15_000,
  });
}

const mostOperations = 20;

/** useTroubled returns all clusters, and the last operations of those that are abnormal. */
export function useTroubled(): { clusters: Cluster[]; operations: ReadonlyMap<string, Operation> } {
  useEffect(() => {
    wantClusters();
    const timer = setInterval(() => {
      if (!document.hidden) void readClusters();
    }, 30_000);
    return () => clearInterval(timer);
  }, []);
  const list = [...clusters.value.values()];
  const bad = needsLook(list).filter((c) => c.status.state === 'abnormal').slice(0, mostOperations);
  const key = bad.map((c) => `${c.id} ${c.revision} ${c.status.since}`).join();
  const [operations, setOperations] = useState<ReadonlyMap<string, Operation>>(new Map());
  useEffect(() => {
    const ctl = new AbortController();
    void Promise.all(bad.map(async (c) => {
      const got = await send<{ items: Operation[] }>('GET', `clusters/${c.id}/operations?limit=1`, { signal: ctl.signal });
      return got.items[0];
    })).then(
      (ops) => setOperations(new Map(ops.flatMap((o) => (o ? [[o.cluster, o]] : [])))),
      // The state and its reason are shown all the same.
      () => {},
    );
    return () => ctl.abort();
  }, [key]);
  return { clusters: list, operations };
}
