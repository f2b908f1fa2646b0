// Somebody who may only look sees no way to change, and the server refuses the change all the same.
import { api, go, same, scenario, signInByName, step, until } from './harness.mjs';

const password = 'a long password';

await scenario(async (open) => {
  const { id } = await api('POST', 'clusters', { mode: 'hosted', name: 'plant', spec: { nodes: 1, connections: 100 } });
  await api('POST', 'orgs', { name: 'acme' });
  await api('POST', 'projects', { path: 'acme/north' });
  await api('POST', 'clusters', { mode: 'adopted', name: 'of others', project: 'acme/north' });
  await api('POST', 'users', { name: 'eve', password, grants: [{ role: 'user', project: 'default/default' }] });
  const w = await open();
  const { page } = w;
  await signInByName(w, 'eve', password);

  step('the clusters of their own project, and no way to add one');
  await page.getByText('plant', { exact: true }).waitFor();
  same(await page.getByText('of others').count(), 0, 'clusters of others');
  same(await page.getByRole('link', { name: 'Add cluster' }).count(), 0, 'ways to add a cluster');
  same(await page.getByRole('checkbox').count(), 0, 'boxes to choose clusters by');

  step('nothing to change on the page of a cluster');
  for (const tab of ['overview', 'settings', 'operations', 'logs']) {
    await go(w, `/clusters/${id}/${tab}`);
    await page.getByRole('heading', { level: 1, name: 'plant' }).waitFor();
    await page.waitForFunction(() => !document.querySelector('main .loading, main .skeleton'));
    for (const word of ['Actions', /^Change/, /Delete/, /Take over/]) {
      same(await page.getByRole('main').getByRole('button', { name: word }).count(), 0, `buttons ${word} on ${tab}`);
    }
  }

  step('the server refuses all the same');
  w.expected.push(/^answer: 40[34] /);
  for (const [method, path, body] of [
    ['POST', `clusters/${id}/stop`], ['DELETE', `clusters/${id}`], ['PATCH', `clusters/${id}`, { name: 'mine' }],
    ['POST', 'clusters', { mode: 'adopted', name: 'mine' }], ['GET', 'audit'], ['POST', 'orgs', { name: 'mine' }],
  ]) {
    const status = await page.evaluate(ask, { method, path, body });
    same(status, 403, `${method} ${path}`);
  }
  for (const path of ['/clusters/new', '/admin/users', '/admin/pool', '/fleet', '/me']) {
    await go(w, path);
    await page.locator('main h1, main .empty, main [role=alert]').first().waitFor();
    await until(`${path} has no button that creates`, async () => {
      const n = await page.getByRole('main').getByRole('button', { name: 'Create', exact: true }).count();
      return n === 0 || n;
    });
  }
});

/** ask runs in the page, with its cookie. */
async function ask({ method, path, body }) {
  const r = await fetch(`../api/v1/${path}`, {
    method,
    headers: body ? { 'content-type': 'application/json' } : {},
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return r.status;
}
