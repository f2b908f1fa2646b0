// A cluster that is there already, adopted by the guide with a real agent beside a simulated EMQX.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scenario, signInByToken, step, until } from './harness.mjs';
import { dataDir, serve, start } from './daemon.mjs';

const agent = process.env.CONSOLE_AGENT;

await scenario(async (open) => {
  const data = await dataDir();
  try {
    await adopt(open, data.dir);
  } finally {
    await data.remove();
  }
});

async function adopt(open, dir) {
  const d = await serve(join(dir, 'daemon'), { args: ['--agents-dir', join(agent, '..')] });
  const sim = await start(process.env.CONSOLE_EMQXSIM, [], 'http://');
  const broker = `http://${sim.rest.split(/\s/)[0]}`;
  const w = await open({ at: d.url });
  const { page } = w;
  await signInByToken(w, d.token);

  step('an existing cluster is added, and the guide comes');
  await page.getByRole('link', { name: 'Add cluster' }).first().click();
  await page.getByRole('radio', { name: 'Existing cluster' }).check({ force: true });
  await page.getByLabel('Name', { exact: true }).fill('works');
  await page.getByRole('button', { name: 'Add and show the guide' }).click();
  await page.getByRole('heading', { level: 1, name: 'Registration guide' }).waitFor();

  step('nobody comes: the guide says what to look at');
  await page.getByRole('button', { name: 'Show the steps' }).click();
  await page.getByText('emqxee-agent register').first().waitFor();
  await page.clock.setSystemTime(Date.now() + 60_000);
  await page.getByText('No agent has registered yet.').waitFor();
  await page.getByText('emqxee-agent doctor', { exact: true }).waitFor();

  step('the token is revoked: the guide says so');
  await page.getByRole('button', { name: /^Revoke/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByText('The token was revoked.').waitFor();

  step('the command with a new one registers an agent');
  const before = await page.getByText('emqxee-agent register').first().innerText();
  await page.getByRole('button', { name: 'New token' }).click();
  await until('the steps have the new token', async () => await page.getByText('emqxee-agent register').first().innerText() !== before);
  const command = await page.getByText('emqxee-agent register').first().innerText();
  const url = /--url (\S+)/.exec(command)[1];
  const secret = /REGISTRATION_TOKEN=(\S+)/.exec(command)[1];
  const home = join(dir, 'agent');
  const running = await start('sh', ['-c', 'echo begins; exec "$@" 2>&1', 'sh', agent, 'run', '--home', home], 'begins');
  const { stdout } = await promisify(execFile)(agent, ['register', '--home', home, '--url', url,
    '--emqx-dashboard-url', broker, '--emqx-dashboard-username', 'admin', '--emqx-dashboard-password', 'public'],
  { timeout: 30_000, env: { ...process.env, EMQXEE_AGENT_REGISTRATION_TOKEN: secret } });
  step(stdout.trim());

  step('the page tells live how far it is');
  await page.getByText('The cluster is registered.').waitFor({ timeout: 60_000 });
  await page.getByRole('link', { name: 'Open the cluster' }).click();
  await page.getByRole('heading', { level: 1, name: 'works' }).waitFor();
  await page.locator('header').getByText('Running', { exact: true }).first().waitFor();
  await page.close();
  running.child.kill('SIGTERM');
  await running.ended;
  sim.child.kill('SIGTERM');
  await sim.ended;
  await d.stop();
}
