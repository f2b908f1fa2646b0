import './guide.css';
import { useState } from 'preact/hooks';
import { api, ok, type Schemas } from '../../api';
import { Empty, ErrorBox, Skeleton, StateBadge } from '../../components';
import { useResource, type Live } from '../../hooks';
import { may } from '../../rights';
import { Link, type Params } from '../../router';
import { Registrations } from './Registrations';
import { Setup } from './Setup';
import { Waiting } from './Waiting';
import { t } from './words';

export type Made = { setup: Schemas['Setup']; at: number };

export default function Page({ params }: { params: Params }) {
  const id = params['id'] ?? '';
  const [made, setMade] = useState<Made | undefined>(undefined);
  const path = { path: { id } };
  // What agents tell is not always told by events, so the answers are looked at again and again, too.
  const live: Live = {
    kinds: ['cluster', 'agent', 'registration-token'], match: (e) => e.key === id || e.parent === id, every: 5_000,
  };
  const cluster = useResource((signal) => ok(api.GET('/api/v1/clusters/{id}', { params: path, signal })), [id], live);
  const agents = useResource((signal) => ok(api.GET('/api/v1/clusters/{id}/agents', { params: path, signal })), [id], live);
  const c = cluster.data;
  const write = c !== undefined && may('write', c.project);
  const tokens = useResource(
    (signal) => (write ? ok(api.GET('/api/v1/clusters/{id}/registrations', { params: path, signal })) : Promise.resolve({ items: [], next: '' })),
    [id, write], live,
  );
  if (!c) return cluster.error ? <ErrorBox problem={cluster.error} retry={cluster.reload} /> : <Skeleton />;
  const known = agents.data?.items ?? [];
  const regs = tokens.data?.items ?? [];
  return (
    <>
      <div class="crumbs">
        <Link to="/clusters">{t('guide.clusters')}</Link><span aria-hidden="true">/</span>
        <Link to={`/clusters/${id}`} class="break">{c.name}</Link>
      </div>
      <div class="page-head"><h1>{t('guide.title')}</h1><StateBadge status={c.status} /></div>
      {c.mode === 'hosted' && <Empty title={t('guide.hosted')} />}
      {c.mode === 'adopted' && !write && <Empty title={t('guide.mayNot')} />}
      {c.mode === 'adopted' && write && (
        <div class="split guide">
          <Setup id={id} made={made} onMade={(m) => { setMade(m); tokens.reload(); }} />
          <div class="stack">
            <Waiting cluster={c} agents={known} made={made} token={regs.find((r) => r.id === made?.setup.tokenId)} />
            {agents.error && <ErrorBox problem={agents.error} retry={agents.reload} />}
            {tokens.error && <ErrorBox problem={tokens.error} retry={tokens.reload} />}
            {regs.length > 0 && <Registrations id={id} list={regs} onChange={tokens.reload} />}
          </div>
        </div>
      )}
    </>
  );
}
