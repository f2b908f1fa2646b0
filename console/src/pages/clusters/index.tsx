import { Empty } from '../../components';
import { texts } from '../../i18n';
import type { Params } from '../../router';

const t = texts({ 'clusters.title': ['Clusters', '集群'] });

export default function Page({ params }: { params: Params }) {
  return (
    <>
      <div class="page-head">
        <h1>{t('clusters.title')}</h1>
      </div>
      <Empty title={params['id'] ?? ''} />
    </>
  );
}
