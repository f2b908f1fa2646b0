// Names and descriptions are text, whatever is in them. The names of clusters may have letters of every script.
import { api, go, same, scenario, signInByToken, step } from './harness.mjs';

const name = 'مصنع الشمال 1';
const markup = '<script>window.bad=1</script><img src=x onerror=window.bad=1> שלום';

await scenario(async (open) => {
  const { id } = await api('POST', 'clusters', { mode: 'adopted', name, description: markup });
  await api('POST', 'orgs', { name: 'acme', description: markup });
  await api('POST', 'projects', { path: 'acme/north', description: markup });
  const w = await open();
  const { page } = w;
  await signInByToken(w);
  for (const view of ['List', 'Cards']) {
    step(`as text in the ${view}`);
    await page.getByRole('radio', { name: view }).check({ force: true });
    await page.getByText(name, { exact: true }).waitFor();
  }
  for (const tab of ['overview', 'settings', 'operations']) {
    step(`as text on the page of the cluster: ${tab}`);
    await go(w, `/clusters/${id}/${tab}`);
    await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
    await page.getByText('<script>window.bad=1').first().waitFor();
  }
  for (const where of ['orgs', 'projects']) {
    step(`as text in the administration: ${where}`);
    await go(w, `/admin/${where}`);
    await page.getByText('<script>window.bad=1').first().waitFor();
  }
  same(await page.evaluate(() => window.bad), undefined, 'something of it was run');
});
