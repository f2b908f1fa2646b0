// An older database is put back while a page is open: the stream's position is one that never was, and clusters are there
// that no record knows.
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { api, during, go, same, scenario, signInByToken, step, until } from './harness.mjs';
import { dataDir, serve } from './daemon.mjs';

const refused = [/^request failed: GET /, /^answer: 50[23] GET /, /^answer: 410 GET .*\/events\?since=/,
  /^answer: 404 GET .*\/clusters\/emqx-/];

await scenario(async (open) => {
  const data = await dataDir();
  try {
    await drill(open, data.dir);
  } finally {
    await data.remove();
  }
});

async function drill(open, parent) {
  const [dir, older] = [join(parent, 'data'), join(parent, 'older')];
  let d = await serve(dir);
  await d.stop();
  await cp(dir, older, { recursive: true });
  d = await serve(dir, { listen: d.listen });
  const ask = (method, path, body) => api(method, path, body, d.token, d.url);
  const make = async (name) => (await ask('POST', 'clusters', { mode: 'hosted', name, spec: { nodes: 1, connections: 100 } })).id;
  const [kept, doomed] = [await make('kept'), await make('doomed')];
  for (const id of [kept, doomed]) {
    await until(`${id} runs`, async () => {
      const c = await ask('GET', `clusters/${id}`);
      return c.status.state === 'running' || c.status;
    });
  }
  const w = await open({ at: d.url });
  const { page } = w;
  const answers = [];
  page.on('response', (r) => answers.push(`${r.status()} ${new URL(r.url()).pathname.split('/').pop()}`));
  await signInByToken(w, d.token);
  await page.getByText('kept', { exact: true }).first().waitFor();
  // The stream has told something, so that it is resumed from there.
  await ask('PATCH', `clusters/${kept}`, { name: 'renamed' });
  await page.getByText('renamed', { exact: true }).first().waitFor();

  step('the database is older than what the page has seen: 410, and all is listed again');
  await during(w, refused, async () => {
    await d.kill();
    for (const f of await readdir(dir)) if (f !== 'sim') await rm(join(dir, f), { recursive: true });
    await cp(older, dir, { recursive: true, filter: (from) => !from.startsWith(join(older, 'sim')) });
    d = await serve(dir, { listen: d.listen });
    await page.getByText('renamed', { exact: true }).first().waitFor({ state: 'detached' });
  });
  same(answers.includes('410 events'), true, 'the stream was refused once with 410');
  await ask('POST', 'clusters', { mode: 'adopted', name: 'told by an event' });
  await page.getByText('told by an event', { exact: true }).first().waitFor();

  step('the fleet tells of clusters without a record');
  await go(w, '/fleet');
  await page.getByRole('main').locator('a[href="#/admin/unrecorded"]').first().click();

  step('one is taken over, with its plan before');
  await page.getByRole('button', { name: `Take over: ${kept}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'See the plan' }).click();
  await dialog.locator('.plan').waitFor();
  await dialog.getByRole('button', { name: 'Take over', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'renamed' }).or(page.getByRole('heading', { level: 1, name: 'kept' })).waitFor();
  await page.locator('header').getByText('Running', { exact: true }).first().waitFor();

  step('the other is removed, once its id is typed');
  await go(w, '/admin/unrecorded');
  await page.getByRole('button', { name: `Remove: ${doomed}` }).click();
  await dialog.getByRole('textbox').fill(doomed);
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await until('nothing without a record is left', async () => {
    const { items } = await ask('GET', 'unrecorded-clusters');
    return !items?.length || items;
  });
  await page.close();
  await d.stop();
}
