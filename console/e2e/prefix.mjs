// Behind a reverse proxy that serves everything below a prefix.
import { api, go, same, scenario, signInByToken, step, url } from './harness.mjs';
import { proxyAt } from './daemon.mjs';

await scenario(async (open) => {
  const proxy = await proxyAt('/ops/ecp/', new URL('/', url).href);
  const asked = [];
  const w = await open({ at: `${proxy.url}console/` });
  w.page.on('request', (r) => asked.push(r.url()));

  step('signing in, pages and events go through the proxy');
  await signInByToken(w);
  await api('POST', 'clusters', { mode: 'adopted', name: 'told by an event' });
  await w.page.getByText('told by an event', { exact: true }).first().waitFor();
  for (const path of ['/fleet', '/admin', '/me', '/clusters/new', '/clusters']) {
    await go(w, path);
    await w.page.getByRole('heading', { level: 1 }).waitFor();
  }
  await w.page.reload();
  await w.page.getByText('told by an event', { exact: true }).first().waitFor();
  same(asked.filter((a) => !a.startsWith(proxy.url) && !a.startsWith('data:')), [], 'requests outside the prefix');
  await w.page.close();
  proxy.close();
});
