import { Empty } from '../../components';
import { texts } from '../../i18n';
import type { Params } from '../../router';

const t = texts({ 'admin.title': ['Administration', '管理'] });

export default function Page({ params }: { params: Params }) {
  return (
    <>
      <div class="page-head">
        <h1>{t('admin.title')}</h1>
      </div>
      <Empty title={params['id'] ?? ''} />
    </>
  );
}
