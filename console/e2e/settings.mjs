// Each form of the settings does its change, from the plan on; a change that waits is cancelled; a cluster moves to another
// project; lost volumes and another Kubernetes are told, and what is then asked for is sent.
import { api, go, long, same, scenario, signInByToken, step, until } from './harness.mjs';

await scenario(async (open) => {
  await api('POST', 'orgs', { name: 'acme' });
  await api('POST', 'projects', { path: 'acme/north' });
  await api('POST', 'certificates', { name: 'front', chain: process.env.CONSOLE_CERT, key: process.env.CONSOLE_KEY });
  const w = await open();
  await signInByToken(w);
  const id = await create(w);
  const c = { w, id, page: w.page, dialog: w.page.getByRole('dialog') };
  await small(c);
  await cancelled(c);
  await past(c);
  if (long) await large(c);
  await moved(c);
  await lostVolume(c);
  await otherKubernetes(c);
});

/** create adds a cluster with advanced settings, one of which is wrong at first. */
async function create({ page }) {
  step('a cluster with advanced settings: what is wrong is told at its field');
  await page.goto(`${page.url().split('#')[0]}#/clusters/new`);
  await page.getByLabel('Name', { exact: true }).fill('plant');
  await page.getByLabel('Nodes', { exact: true }).fill('1');
  await page.getByRole('heading', { name: 'More settings' }).click();
  const config = page.getByLabel('EMQX settings');
  await config.fill('nonsense');
  await page.getByRole('button', { name: 'Review' }).click();
  await page.getByText('Not key=value: nonsense').waitFor();
  await config.fill('mqtt.max_packet_size=2MB');
  await page.getByRole('checkbox', { name: 'wss', exact: true }).uncheck();
  await page.getByLabel('mqtt port').fill('1884');
  await page.getByLabel('Tolerations').fill('mqtt:NoSchedule');
  await page.getByRole('button', { name: 'Review' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'plant' }).waitFor();
  const id = page.url().match(/emqx-[0-9a-f]{8}/)[0];
  await settled(id, (c) => c.status.readyNodes === 1);
  const { spec } = await api('GET', `clusters/${id}`);
  same(spec.config, { 'mqtt.max_packet_size': '2MB' }, 'settings');
  same(spec.network.listeners.map((l) => `${l.protocol}:${l.port}`), ['mqtt:1884', 'mqtts:8883', 'ws:8083'], 'listeners');
  same(spec.placement.tolerations, [{ key: 'mqtt', operator: 'Exists', effect: 'NoSchedule' }], 'tolerations');
  same('replicants' in spec, false, 'replicants that nobody asked for');
  return id;
}

/** settled waits until a cluster is as it is to be, and no operation runs. */
function settled(id, is) {
  return until(`${id} is as it is to be`, async () => {
    const c = await api('GET', `clusters/${id}`);
    return (!c.status.operation && is(c)) || { spec: c.spec, status: c.status };
  }, 60_000);
}

/** change does one change on the tab of the settings, from the form over the plan to the end. */
async function change({ page, dialog, id }, name, fill, is, confirm = 'Apply the change') {
  step(`settings: ${name}`);
  await openForm({ page, id }, name);
  await fill(dialog);
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.locator('.plan').waitFor();
  await dialog.getByRole('button', { name: confirm, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await settled(id, is);
}

async function openForm({ page, id }, name) {
  await page.evaluate((to) => { location.hash = to; }, `/clusters/${id}/settings`);
  await page.getByRole('button', { name: `Change: ${name}`, exact: true }).click();
}

/** small are the changes that replace no node. */
async function small(c) {
  await change(c, 'Name', (d) => d.getByLabel('Description').fill('of the north'), (x) => x.description === 'of the north', 'Rename');
  await change(c, 'Connections', (d) => d.getByRole('spinbutton').fill('900'), (x) => x.spec.connections === 900);
  await change(c, 'Evacuation', (d) => d.getByLabel('Clients moved per second').fill('321'), (x) => x.spec.evacuation.rate === 321);
  await change(c, 'Hibernation', async (d) => {
    await d.getByLabel('Sleeps at').fill('0 3 1 7 *');
    await d.getByLabel('Wakes at').fill('0 4 1 7 *');
  }, (x) => x.spec.hibernation?.sleep === '0 3 1 7 *');
  await change(c, 'Hibernation', (d) => d.getByLabel('Turn off').check(), (x) => !x.spec.hibernation);
  await change(c, 'Maintenance windows', (d) => d.getByLabel('Windows').fill('0 3 1 7 * 1h'),
    (x) => x.spec.maintenance?.windows.length === 1);
}

/** cancelled begins a change that waits for the maintenance window, and ends it on the overview. */
async function cancelled({ page, dialog, id }) {
  step('a change that waits is cancelled, and the cluster is as it was');
  const before = (await api('GET', `clusters/${id}`)).spec.size;
  await openForm({ page, id }, 'Size of a node');
  await dialog.getByRole('combobox').selectOption({ index: 1 });
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByText('Begins in the maintenance window').waitFor();
  await dialog.getByRole('button', { name: 'Resize', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('button', { name: 'Cancel this operation' }).click();
  await page.getByRole('button', { name: 'Cancel this operation' }).waitFor({ state: 'detached' });
  await settled(id, (c) => c.spec.size === before && c.status.state === 'running');
  await page.getByRole('link', { name: 'Operations and events' }).click();
  await page.getByRole('cell', { name: 'Cancelled' }).first().waitFor();
}

/** large are the changes that replace nodes. */
async function large(c) {
  c.w.expected.push(/^answer: (409|503) GET .*\/settings\/drift$/); // nobody answers while the only node is replaced
  await change(c, 'Maintenance windows', (d) => d.getByLabel('Windows').fill(''), (x) => !x.spec.maintenance?.windows?.length);
  await change(c, 'Size of a node', (d) => d.getByRole('combobox').selectOption('2C4G'), (x) => x.spec.size === '2C4G', 'Resize');
  await change(c, 'Network', async (d) => {
    await d.getByLabel('Type').selectOption('NodePort');
    await d.getByLabel('Certificate').fill('front');
    await d.getByLabel('mqtt port').fill('1883');
    await d.getByLabel('Annotations of the Service').fill('example.com/team=shops');
  }, (x) => x.spec.network.type === 'NodePort' && x.spec.network.certificate === 'front'
    && x.spec.network.annotations['example.com/team'] === 'shops' && x.status.endpoints.external.length === 3);
  await change(c, 'Network', (d) => d.getByLabel('Annotations of the Service').fill(''),
    (x) => Object.keys(x.spec.network.annotations ?? {}).length === 0);
  await change(c, 'EMQX settings', (d) => d.getByLabel('EMQX settings').fill('mqtt.max_topic_levels=64'),
    (x) => JSON.stringify(x.spec.config) === '{"mqtt.max_topic_levels":"64"}');
  await change(c, 'Placement', (d) => d.getByLabel('Tolerations').fill(''), (x) => !x.spec.placement?.tolerations?.length);
  await change(c, 'Replicants', (d) => d.getByRole('spinbutton').fill('1'), (x) => x.status.readyNodes === 2);
  await change(c, 'Replicants', (d) => d.getByRole('spinbutton').fill('0'), (x) => x.status.readyNodes === 1 && !x.spec.replicants);
  await change(c, 'Nodes', (d) => d.getByRole('spinbutton').fill('2'), (x) => x.status.readyNodes === 2, 'Scale');
  await change(c, 'Nodes', (d) => d.getByRole('spinbutton').fill('1'), (x) => x.status.readyNodes === 1, 'Scale');
  await change(c, 'EMQX image', (d) => d.getByRole('combobox').selectOption('emqx-ee-6.2.2'), (x) => x.version === '6.2.2',
    'Change version');
}

async function moved({ page, dialog, id }) {
  step('transferred to another project');
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Transfer to another project' }).click();
  await dialog.getByRole('combobox').selectOption('acme/north');
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.locator('.plan').waitFor();
  await dialog.getByRole('button', { name: 'Transfer to another project' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.locator('header').getByRole('link', { name: 'acme/north' }).waitFor();
  await settled(id, (c) => c.project === 'acme/north' && c.status.state === 'running');
}

/** past shows events from before the page was opened. */
async function past({ page, id }) {
  step('events of the time before the page was opened');
  await page.reload();
  await page.evaluate((to) => { location.hash = to; }, `/clusters/${id}/operations`);
  await page.getByRole('radio', { name: 'Events' }).check({ force: true });
  await page.getByText(/^All events in default.default since/).waitFor();
  await page.getByText(/^Update: Cancelled/).first().waitFor();
}

/** lostVolume shows a cluster as if a machine with a volume had been removed, which no simulation does from outside. */
async function lostVolume({ w, page, dialog, id }) {
  step('a lost volume: repair says what is lost, and asks for it');
  await page.route(`**/api/v1/clusters/${id}`, async (route) => {
    const c = await (await route.fetch()).json();
    c.status.nodes[0] = { ...c.status.nodes[0], ready: false, reason: 'VolumeLost', message: 'its volume is on a machine that has been removed' };
    await route.fulfill({ json: c });
  });
  await page.route(`**/api/v1/clusters/${id}/explain`, async (route) => {
    const e = await (await route.fetch()).json();
    await route.fulfill({ json: { ...e, legal: [...e.legal, 'repair'] } });
  });
  const asked = [];
  const nodes = { replaced: [0], resized: [], added: [], removed: [], stopped: [] };
  await page.route(`**/api/v1/clusters/${id}/repair?*`, async (route) => {
    asked.push(new URL(route.request().url()).search);
    await route.fulfill({ json: { command: 'repair', from: 'abnormal', to: 'syncing', nothing: false, steps: [], nodes,
      clients: { moved: 0, cut: 0 }, seconds: 0, quota: { was: 900, will: 900 }, hash: '0123456789abcdef01234567',
      notes: ['the volume claim data-0 is deleted'] } });
  });
  await page.reload();
  await go(w, `/clusters/${id}/overview`);
  await page.getByText('Volume lost with its machine').first().waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Repair', exact: true }).click();
  await dialog.getByRole('checkbox', { name: 'Give up the lost volumes' }).check();
  await dialog.getByText('lost for good').waitFor();
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByText('the volume claim data-0 is deleted').waitFor();
  same(asked, ['?lostVolumes=true&dryRun=true'], 'what was asked');
  await page.keyboard.press('Escape');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
}

/** otherKubernetes shows a target as if another Kubernetes answered behind it. */
async function otherKubernetes({ w, page, dialog }) {
  step('another Kubernetes behind a target: its identity is accepted');
  const accepted = [];
  await page.route('**/api/v1/kubernetes-targets?*', async (route) => {
    const list = await (await route.fetch()).json();
    list.items[0].health.lease = { held: false, otherPlatform: accepted.length === 0, message: 'the namespace kube-system is another' };
    await route.fulfill({ json: list });
  });
  await page.route('**/api/v1/kubernetes-targets/*/identity', async (route) => {
    accepted.push(route.request().postDataJSON());
    await route.fulfill({ status: 204 });
  });
  await go(w, '/admin/targets');
  await page.getByText('Another Kubernetes').waitFor();
  await page.getByRole('button', { name: /^Accept identity/ }).click();
  await dialog.getByRole('textbox').fill('0b5e6f6e-0000-4000-8000-000000000000');
  await dialog.getByRole('button', { name: 'Accept identity' }).click();
  await dialog.waitFor({ state: 'detached' });
  same(accepted, [{ identity: '0b5e6f6e-0000-4000-8000-000000000000' }], 'what was accepted');
  await page.getByText('Another Kubernetes').waitFor({ state: 'detached' });
}
