import { Empty } from '../../components';
import { texts } from '../../i18n';
import type { Params } from '../../router';

const t = texts({ 'me.title': ['Account', '账号'] });

export default function Page({ params }: { params: Params }) {
  return (
    <>
      <div class="page-head">
        <h1>{t('me.title')}</h1>
      </div>
      <Empty title={params['id'] ?? ''} />
    </>
  );
}
