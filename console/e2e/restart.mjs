// The server goes away and comes back while a page is open.
import { api, during, scenario, signInByToken, step } from './harness.mjs';
import { dataDir, serve } from './daemon.mjs';

const refused = [/^request failed: GET /, /^answer: 50[23] GET /];

await scenario(async (open) => {
  const data = await dataDir();
  try {
    await drill(open, data.dir);
  } finally {
    await data.remove();
  }
});

async function drill(open, dir) {
  let d = await serve(dir);
  const { id } = await api('POST', 'clusters', { mode: 'adopted', name: 'before' }, d.token, d.url);
  const w = await open({ at: d.url });
  const { page } = w;
  await signInByToken(w, d.token);
  await page.getByText('before', { exact: true }).first().waitFor();

  step('the server goes: a banner says that what is shown may be old');
  const banner = page.getByText('No connection to the server');
  await during(w, refused, async () => {
    await d.stop();
    await banner.waitFor();
    step('meanwhile something changes');
    const elsewhere = await serve(dir);
    await api('PATCH', `clusters/${id}`, { name: 'after' }, d.token, elsewhere.url);
    await elsewhere.stop();
    await page.getByText('before', { exact: true }).first().waitFor();

    step('it comes back: the banner goes, and the change is shown');
    d = await serve(dir, { listen: d.listen });
    await banner.waitFor({ state: 'detached' });
  });
  await page.getByText('after', { exact: true }).first().waitFor();
  await page.getByText('before', { exact: true }).waitFor({ state: 'detached' });

  step('events arrive again');
  await api('PATCH', `clusters/${id}`, { name: 'later' }, d.token, d.url);
  await page.getByText('later', { exact: true }).first().waitFor();
  await page.close();
  await d.stop();
}
