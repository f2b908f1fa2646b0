import './new.css';
import { all, api, ok } from '../../api';
import { Empty, ErrorBox, Segments, Skeleton } from '../../components';
import { useResource } from '../../hooks';
import { may } from '../../rights';
import { Link, route, setQuery } from '../../router';
import { Adopted } from './Adopted';
import { Hosted } from './Hosted';
import { t } from './words';

const page = (cursor: string | undefined) => ({ params: { query: { limit: 500, ...(cursor ? { cursor } : {}) } } });

/** readChoices reads what a new cluster is made from. */
async function readChoices() {
  const [projects, images, sizes, targets, pool] = await Promise.all([
    all((c) => ok(api.GET('/api/v1/projects', page(c)))),
    all((c) => ok(api.GET('/api/v1/images', page(c)))),
    all((c) => ok(api.GET('/api/v1/sizes', page(c)))),
    all((c) => ok(api.GET('/api/v1/kubernetes-targets', page(c)))),
    ok(api.GET('/api/v1/pool')),
  ]);
  return { projects: projects.filter((p) => may('write', p.path)), images, sizes, targets, pool };
}
export type Choices = Awaited<ReturnType<typeof readChoices>>;

export default function Page() {
  const mode = route.value.query.get('mode') === 'adopted' ? 'adopted' : 'hosted';
  const choices = useResource(readChoices, [], { kinds: ['pool', 'image', 'size', 'target', 'project'] });
  return (
    <>
      <div class="crumbs"><Link to="/clusters">{t('new.crumb')}</Link></div>
      <div class="page-head"><h1>{t('new.title')}</h1></div>
      <Segments label={t('new.kind')} value={mode} onValue={(v) => setQuery({ mode: v })}
        options={[{ value: 'hosted', label: t('new.hosted') }, { value: 'adopted', label: t('new.adopted') }]} />
      <p class="faint">{mode === 'hosted' ? t('new.hostedText') : t('new.adoptedText')}</p>
      {choices.error && <ErrorBox problem={choices.error} retry={choices.reload} />}
      {!choices.data && !choices.error && <Skeleton lines={8} />}
      {choices.data && choices.data.projects.length === 0 && <Empty title={t('new.mayNot')} />}
      {choices.data && choices.data.projects.length > 0 && (mode === 'hosted'
        ? <Hosted choices={choices.data} />
        : <Adopted choices={choices.data} />)}
    </>
  );
}
