import { useState } from 'preact/hooks';
import { send, type Schemas } from '../../api';
import { Button, ErrorBox, Skeleton, tc } from '../../components';
import { useResource } from '../../hooks';
import { num, texts } from '../../i18n';
import { may } from '../../rights';
import { EditDialog } from './EditDialog';
import type { FieldSpec } from './form';
import { Expiry } from './secrets';
import { Used } from './tenancy';
import { t as ta } from './texts';

const t = texts({
  'pl.title': ['Pool', '资源池'],
  'pl.about': ['What all clusters of the installation may book together.', '整个安装中所有集群可占用的总量。'],
  'pl.connections': ['Connections', '连接数'],
  'pl.clusters': ['Clusters', '集群'],
  'pl.largest': ['Largest cluster', '单集群上限'],
  'pl.expires': ['Nothing more is booked from', '停止分配时间'],
});

const fields: FieldSpec[] = [
  { path: '/connections', type: 'number', min: 0, label: ['Connections', '连接数'], hint: ['0 is unlimited', '0 表示不限'] },
  { path: '/clusters', type: 'number', min: 0, label: ['Clusters', '集群'], hint: ['0 is unlimited', '0 表示不限'] },
  {
    path: '/largestCluster', type: 'number', min: 0, label: ['Largest cluster', '单集群上限'],
    hint: ['Most connections one cluster may book; 0 is unlimited', '单个集群最多可占用的连接数；0 表示不限'],
  },
  {
    path: '/expiresAt', type: 'datetime', optional: true, label: ['Nothing more is booked from', '停止分配时间'],
    hint: ['Never when left out', '留空则不限'],
  },
];

export function PoolPage() {
  const [edit, setEdit] = useState(false);
  const pool = useResource((signal) => send<Schemas['Pool']>('GET', 'pool', { signal }), [], { kinds: ['pool', 'cluster'] });
  const p = pool.data;
  return (
    <>
      <div class="page-head">
        <h2 class="admin-h">{t('pl.title')}</h2>
        <div class="actions">{may('admin') && p && <Button onClick={() => setEdit(true)}>{tc('c.edit')}</Button>}</div>
      </div>
      <p class="faint">{t('pl.about')}</p>
      {pool.error && <ErrorBox problem={pool.error} retry={pool.reload} />}
      {!p && !pool.error && <Skeleton />}
      {p && (
        <dl class="panel panel-body facts">
          <div class="fact"><dt>{t('pl.connections')}</dt><dd><Used used={p.usedConnections} of={p.connections} /></dd></div>
          <div class="fact"><dt>{t('pl.clusters')}</dt><dd><Used used={p.usedClusters} of={p.clusters} /></dd></div>
          <div class="fact">
            <dt>{t('pl.largest')}</dt>
            <dd>{p.largestCluster ? num(p.largestCluster) : ta('admin.unlimited')}</dd>
          </div>
          <div class="fact">
            <dt>{t('pl.expires')}</dt>
            <dd>{p.expiresAt ? <Expiry at={p.expiresAt} /> : ta('admin.never')}</dd>
          </div>
        </dl>
      )}
      {edit && (
        <EditDialog title={t('pl.title')} name={t('pl.title')} path="pool" fields={fields} kinds={['pool']}
          onClose={() => setEdit(false)} onDone={() => { setEdit(false); pool.reload(); }} />
      )}
    </>
  );
}
