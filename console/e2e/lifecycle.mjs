// A hosted cluster's life: created, scaled with its plan, stopped, deleted.
import { api, same, step, until } from './harness.mjs';

/** mouse does things as somebody with a mouse does. */
export const mouse = {
  press: (target) => target.click(),
  type: (target, text) => target.fill(text),
};

/** keys does them with the keyboard alone: the focus is moved by Tab until it is there. */
export const keys = {
  press: async (target) => {
    await tabTo(target);
    await target.page().keyboard.press('Enter');
  },
  type: async (target, text) => {
    await tabTo(target);
    await target.page().keyboard.press('Control+A');
    await target.page().keyboard.type(text);
  },
};

async function tabTo(target) {
  await target.waitFor();
  await until('it can be used', async () => target.isEnabled());
  const has = () => target.evaluate((e) => e === document.activeElement);
  for (let n = 0; !(await has()); n++) {
    if (n > 150) throw new Error(`Tab does not lead to ${target}`);
    await target.page().keyboard.press('Tab');
  }
}

export async function life(w, hands) {
  const { page } = w;
  step('what the server finds wrong is told at its field');
  w.expected.push(/^answer: 422 POST .*dryRun=true$/);
  await hands.press(page.getByRole('link', { name: 'Add cluster' }).first());
  const name = page.getByLabel('Name', { exact: true });
  await hands.type(name, 'pl/ant');
  await hands.press(page.getByRole('button', { name: 'Review' }));
  await page.getByText("has the character '/'").first().waitFor();
  same(await name.getAttribute('aria-invalid'), 'true', 'the field is marked');

  step('created with its plan, and running as events tell');
  await hands.type(name, 'plant');
  await hands.type(page.getByLabel('Nodes', { exact: true }), '1');
  await hands.press(page.getByRole('button', { name: 'Review' }));
  await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }));
  await page.getByRole('heading', { level: 1, name: 'plant' }).waitFor();
  const id = page.url().match(/emqx-[0-9a-f]{8}/)[0];
  await state(page, 'Running');

  step('scaled, with the plan before');
  await choose(page, hands, 'Scale');
  const dialog = page.getByRole('dialog');
  await hands.type(dialog.getByRole('spinbutton').first(), '3');
  await hands.press(dialog.getByRole('button', { name: 'Show the plan' }));
  await hands.press(dialog.getByRole('button', { name: 'Scale', exact: true }));
  await dialog.waitFor({ state: 'detached' });
  await until('three nodes are ready', async () => {
    const c = await api('GET', `clusters/${id}`);
    return (c.status.state === 'running' && c.status.readyNodes === 3 && !c.status.operation) || c.status;
  });
  await state(page, 'Running');

  step('a plan that nothing comes of cannot be confirmed');
  await choose(page, hands, 'Scale');
  await hands.press(dialog.getByRole('button', { name: 'Show the plan' }));
  await dialog.getByText('Nothing has to be done').waitFor();
  same(await dialog.getByRole('button', { name: 'Scale', exact: true }).isDisabled(), true, 'the button is off');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  step('stopped');
  await choose(page, hands, 'Stop');
  await hands.press(dialog.getByRole('button', { name: 'Stop', exact: true }));
  await dialog.waitFor({ state: 'detached' });
  await state(page, 'Stopped');

  step('deleted, once its name is typed');
  await choose(page, hands, 'Delete');
  const remove = dialog.getByRole('button', { name: 'Delete', exact: true });
  const plan = dialog.getByRole('button', { name: 'Show the plan' });
  if (await plan.isVisible()) await hands.press(plan);
  await hands.type(dialog.getByLabel('Type plant to confirm'), 'plan');
  same(await remove.isDisabled(), true, 'a part of the name is not enough');
  await hands.type(dialog.getByLabel('Type plant to confirm'), 'plant');
  w.expected.push(new RegExp(`^answer: 404 GET .*/clusters/${id}`)); // the page asks until it is gone
  await hands.press(remove);
  await dialog.waitFor({ state: 'detached' });
  await until('the cluster is gone', async () => {
    const { items } = await api('GET', 'clusters');
    return items.length === 0 || items.map((c) => c.status.state);
  });
  await hands.press(page.getByRole('navigation').getByRole('link', { name: 'Clusters' }));
  await page.getByText('plant', { exact: true }).waitFor({ state: 'detached' });
}

async function choose(page, hands, action) {
  const item = page.getByRole('main').getByRole('button', { name: action, exact: true });
  await hands.press(page.getByRole('button', { name: 'Actions' }));
  await hands.press(item);
}

function state(page, label) {
  return page.locator('header').getByText(label, { exact: true }).first().waitFor();
}
