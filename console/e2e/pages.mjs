// Each page, in languages and themes: no error, no breach of WCAG 2.1 AA, no overflow.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';
import { api, during, go, long, notSignedIn, scenario, signInByToken, step, until } from './harness.mjs';

const pictures = process.env.OPENECP_SCREENSHOTS;
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
const tabs = ['overview', 'monitoring', 'alarms', 'rules', 'logs', 'operations', 'settings'];
const admin = ['orgs', 'projects', 'users', 'tokens', 'roles', 'audit', 'sizes', 'images', 'registries', 'licenses',
  'certificates', 'lb-profiles', 'pool', 'targets', 'unrecorded'];

await scenario(async (open) => {
  const { hosted, adopted } = await fill();
  const paths = [
    '/clusters?view=list', '/clusters?view=cards', '/clusters/new', `/clusters/${adopted}/guide`, '/fleet', '/me',
    ...tabs.map((t) => `/clusters/${hosted}/${t}`),
    ...['overview', 'settings', 'agents'].map((t) => `/clusters/${adopted}/${t}`),
    ...admin.map((p) => `/admin/${p}`), '/nothing', '/clusters/emqx-00000000',
  ];
  const looks = long || pictures
    ? ['en', 'zh'].flatMap((lang) => ['light', 'dark'].map((theme) => ({ lang, theme })))
    : [{ lang: 'en', theme: 'light' }];
  const breaches = [];
  for (const look of looks) {
    const w = await open({ ...look, expect: [/^answer: 404 GET .*emqx-00000000/] });
    await during(w, [notSignedIn], () => examine(w, 'signin', look, breaches, () => w.page.goto(w.at)));
    await signInByToken(w);
    for (const path of paths) await examine(w, path, look, breaches, () => go(w, path));
    await w.page.close();
  }
  if (breaches.length) throw new Error(`${breaches.length} breaches:\n${breaches.join('\n')}`);
});

/** fill makes something to look at on each page, with names as long as they may be. */
async function fill() {
  const hosted = (await api('POST', 'clusters', { mode: 'hosted', name: 'plant', spec: { nodes: 3, connections: 5000 } })).id;
  const adopted = (await api('POST', 'clusters', {
    mode: 'adopted', name: 'a-name-that-is-rather-long-for-a-column-of-a-table-'.padEnd(63, 'x'),
    description: `${'word '.repeat(40)}${'x'.repeat(120)}`,
  })).id;
  await api('POST', 'clusters', { mode: 'hosted', name: 'stopped soon', spec: { nodes: 1, connections: 100 } });
  await api('POST', 'orgs', { name: 'acme', description: 'of the pictures' });
  await api('POST', 'projects', { path: 'acme/north' });
  await api('POST', 'users', {
    name: 'ann', displayName: 'Ann', password: 'a long password', grants: [{ role: 'project-admin', project: 'acme/north' }],
  });
  await api('POST', 'tokens', { name: 'ci', role: 'user', project: 'acme/north' });
  await until('the cluster runs', async () => {
    const c = await api('GET', `clusters/${hosted}`);
    return c.status.state === 'running' || c.status;
  }, 60_000);
  return { hosted, adopted };
}

async function examine(w, path, { lang, theme }, breaches, show) {
  const { page } = w;
  const at = `${path} in ${lang}, ${theme}`;
  await page.setViewportSize({ width: 1280, height: 800 });
  await show();
  await settled(page);
  if (await page.evaluate(() => !('axe' in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(judge, rules);
  for (const v of found.violations) {
    breaches.push(...v.nodes.slice(0, 3).map((n) => `${at}: ${v.id}: ${v.help}\n    ${n.html.slice(0, 200)}\n    ${
      [...n.any, ...n.all].map((c) => c.message).join('; ').slice(0, 300)}`));
  }
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
    await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
    const wide = await page.evaluate(widest);
    if (wide) breaches.push(`${at}: wider than ${width} px: ${wide}`);
    if (pictures) await picture(page, `${path}-${lang}-${theme}-${width}`);
  }
  step(`${at}: ${found.passes} rules hold`);
}

/** judge runs in the page. */
async function judge(tags) {
  const { violations, passes } = await window.axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
  return { violations, passes: passes.length };
}

/** settled waits until the page stands: a heading or an answer, and nothing that is still loading. */
async function settled(page) {
  await page.locator('h1, .empty').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('main .loading, main .skeleton'));
}

/** widest runs in the page. It names what makes the document scroll sideways. */
function widest() {
  const room = document.documentElement.clientWidth;
  const much = document.documentElement.scrollWidth;
  if (much <= room) return '';
  const guilty = [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > room + 1);
  return `${much} px: ${guilty.slice(0, 4).map((e) => `${e.tagName}.${e.getAttribute('class') ?? ''}`).join(' > ')}`;
}

async function picture(page, name) {
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name.replace(/[^a-z0-9-]+/gi, '_').replace(/^_/, '')}.png`) });
}
