import './app.css';
import { render, type ComponentType } from 'preact';
import { useEffect, useErrorBoundary, useState } from 'preact/hooks';
import { asProblem, type Problem } from './api';
import { Button, Empty, ErrorBox, Spinner } from './components/basic';
import { tc } from './components/common';
import { texts } from './i18n';
import { Layout } from './layout';
import { Link, match, route, type Page, type Params } from './router';
import { routes } from './routes';
import { SessionExpired, SignInPage } from './signin';
import { load, session, startError } from './store';
import './theme';

const t = texts({
  'm.unknown': ['There is no such page', '页面不存在'],
  'm.home': ['To the clusters', '返回集群列表'],
  'm.broken': ['This page has failed', '页面出错'],
  'm.reload': ['Load the page again', '重新加载'],
});

type Loaded = { page: Page } | { problem: Problem } | undefined;
const pages = new Map<string, Page>();

function Current() {
  const path = route.value.path;
  for (const r of routes) {
    const params = match(r.pattern, path);
    if (params) return <Lazy key={r.pattern} pattern={r.pattern} load={r.load} params={params} />;
  }
  return <Empty title={t('m.unknown')}><Link to="/clusters">{t('m.home')}</Link></Empty>;
}

type LazyProps = { pattern: string; load: () => Promise<{ default: Page }>; params: Params };

function Lazy({ pattern, load: get, params }: LazyProps) {
  const known = pages.get(pattern);
  const [loaded, setLoaded] = useState<Loaded>(known && { page: known });
  const fetchPage = () => {
    get().then(
      (m) => {
        pages.set(pattern, m.default);
        setLoaded({ page: m.default });
      },
      (err: unknown) => setLoaded({ problem: asProblem(err) }),
    );
  };
  useEffect(() => {
    if (!loaded) fetchPage();
  }, []);
  if (!loaded) return <Spinner />;
  // A chunk that is missing was most likely replaced by a newer version of the console.
  if ('problem' in loaded) return <ErrorBox problem={loaded.problem} retry={() => location.reload()} />;
  const Shown: ComponentType<{ params: Params }> = loaded.page;
  return <Guard><Shown params={params} /></Guard>;
}

function Guard({ children }: { children: preact.ComponentChildren }) {
  const [error] = useErrorBoundary((err: unknown) => console.error(err));
  if (error === undefined) return <>{children}</>;
  return (
    <Empty title={t('m.broken')}>
      <p>{asProblem(error).detail}</p>
      <Button onClick={() => location.reload()}>{t('m.reload')}</Button>
    </Empty>
  );
}

function App() {
  const failed = startError.value;
  switch (session.value) {
    case 'loading':
      return failed
        ? <main class="signin"><ErrorBox problem={failed} retry={() => void load()} /></main>
        : <main class="signin"><Spinner label={tc('c.loading')} /></main>;
    case 'out':
      return <SignInPage />;
    default:
      return (
        <>
          <Layout><Current /></Layout>
          {session.value === 'expired' && <SessionExpired />}
        </>
      );
  }
}

void load();
const place = document.getElementById('app');
if (place) render(<App />, place);
