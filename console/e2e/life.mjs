// A hosted cluster's life: created, scaled with its plan, stopped, deleted.
import { api, go, same, scenario, signInByToken, step, until } from './harness.mjs';

await scenario(async (open) => {
  const w = await open();
  const { page } = w;
  await signInByToken(w);

  step('created, and running as events tell');
  const { id } = await api('POST', 'clusters', { mode: 'hosted', name: 'plant', spec: { nodes: 1, connections: 1000 } });
  await page.getByRole('link', { name: 'plant', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'plant' }).waitFor();
  await state(page, 'Running');

  step('scaled, with the plan before');
  await choose(page, 'Scale');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('spinbutton').first().fill('3');
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByRole('button', { name: 'Scale', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await until('three nodes are ready', async () => {
    const c = await api('GET', `clusters/${id}`);
    return (c.status.state === 'running' && c.status.readyNodes === 3 && !c.status.operation) || c.status;
  });
  await state(page, 'Running');

  step('a plan that nothing comes of cannot be confirmed');
  await choose(page, 'Scale');
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByText('Nothing has to be done').waitFor();
  same(await dialog.getByRole('button', { name: 'Scale', exact: true }).isDisabled(), true, 'the button is off');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  step('stopped');
  await choose(page, 'Stop');
  await dialog.getByRole('button', { name: 'Stop', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await state(page, 'Stopped');

  step('deleted, once its name is typed');
  await choose(page, 'Delete');
  const remove = dialog.getByRole('button', { name: 'Delete', exact: true });
  const plan = dialog.getByRole('button', { name: 'Show the plan' });
  if (await plan.isVisible()) await plan.click();
  await dialog.getByLabel('Type plant to confirm').fill('plan');
  same(await remove.isDisabled(), true, 'a part of the name is not enough');
  await dialog.getByLabel('Type plant to confirm').fill('plant');
  w.expected.push(new RegExp(`^answer: 404 GET .*/clusters/${id}`)); // the page asks until it is gone
  await remove.click();
  await dialog.waitFor({ state: 'detached' });
  await until('the cluster is gone', async () => {
    const { items } = await api('GET', 'clusters');
    return items.length === 0 || items.map((c) => c.status.state);
  });
  await go(w, '/clusters');
  await page.getByText('plant', { exact: true }).waitFor({ state: 'detached' });
});

async function choose(page, action) {
  const item = page.getByRole('main').getByRole('button', { name: action, exact: true });
  await page.getByRole('button', { name: 'Actions' }).click();
  await item.click();
}

function state(page, label) {
  return page.locator('header').getByText(label, { exact: true }).first().waitFor();
}
