// What every scenario needs: a daemon to look at, a browser, and what must never happen in it.
import { chromium } from 'playwright-core';

export const url = must('CONSOLE_URL');
export const token = must('CONSOLE_TOKEN');
export const long = Boolean(process.env.OPENECP_LONG);
export const patience = 30_000;

function must(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; console/e2e_linux_test.go says what a scenario is given`);
  return value;
}

/** scenario runs fn with a browser; what it throws, or what happened that must not, ends the process with 1. */
export async function scenario(fn) {
  const began = Date.now();
  const browser = await chromium.launch({
    executablePath: process.env.CONSOLE_BROWSER ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const watched = [];
  const open = async (options) => {
    const w = await openPage(browser, options);
    watched.push(w);
    return w;
  };
  let failed = false;
  const fail = (text) => {
    failed = true;
    console.error(text);
  };
  try {
    await fn(open);
  } catch (err) {
    fail(`FAIL: ${err.stack ?? err}`);
    for (const w of watched) fail(await seen(w.page));
  }
  for (const w of watched) {
    for (const f of w.faults) fail(`FAULT: ${f}`);
  }
  await browser.close();
  console.log(`took ${((Date.now() - began) / 1000).toFixed(1)} s`);
  process.exit(failed ? 1 : 0);
}

async function seen(page) {
  if (page.isClosed()) return 'the page is closed';
  const text = await page.ariaSnapshot({ timeout: 2_000 }).catch((err) => String(err));
  return `seen at ${page.url()}:\n${text.slice(0, 12_000)}`;
}

/** openPage opens an empty page in a context of its own, and collects its faults. */
async function openPage(browser, { at = url, lang = 'en', theme = 'light', width = 1280, height = 800, expect = [] } = {}) {
  const context = await browser.newContext({
    locale: lang === 'zh' ? 'zh-CN' : 'en-GB',
    colorScheme: theme,
    viewport: { width, height },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(patience);
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) =>
      console.error(`the policy forbids ${e.blockedURI} by ${e.violatedDirective} ${e.sample}`));
  });
  const page = await context.newPage();
  const w = { page, context, at, lang, faults: [], expected: [...expect], off: false };
  const origin = new URL(at).origin;
  const fault = (text) => {
    if (!w.off && !w.expected.some((e) => e.test(text))) w.faults.push(text);
  };
  page.on('pageerror', (err) => fault(`error in the page: ${err.stack ?? err}`));
  page.on('console', (m) => {
    // Answers other than 2xx are told by the response itself, with their method.
    if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) fault(`console: ${m.text()}`);
  });
  page.on('request', (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== origin) fault(`leaves the origin: ${r.url()}`);
  });
  page.on('requestfailed', (r) => {
    const why = r.failure()?.errorText ?? '';
    if (why !== 'net::ERR_ABORTED') fault(`request failed: ${r.method()} ${r.url()} ${why}`);
  });
  page.on('response', (r) => {
    if (r.status() >= 400) fault(`answer: ${r.status()} ${r.request().method()} ${r.url()}`);
  });
  return w;
}

/** during runs fn while faults that match are no faults. */
export async function during(w, patterns, fn) {
  w.expected.push(...patterns);
  try {
    return await fn();
  } finally {
    w.expected = w.expected.filter((p) => !patterns.includes(p));
  }
}

/** notSignedIn is the first question of the page, before somebody has signed in. */
export const notSignedIn = /^answer: 401 GET .*\/api\/v1\/me$/;

export async function signInByToken(w, secret = token) {
  await during(w, [notSignedIn], async () => {
    await w.page.goto(w.at);
    await w.page.getByRole('radio', { name: words(w).token, exact: true }).check({ force: true });
    await w.page.getByLabel(words(w).apiToken).fill(secret);
    await w.page.getByRole('button', { name: words(w).signIn }).click();
    await signedIn(w);
  });
}

export async function signInByName(w, name, password) {
  await during(w, [notSignedIn], async () => {
    await w.page.goto(w.at);
    await fillName(w.page, name, password);
    await signedIn(w);
  });
}

export async function fillName(scope, name, password) {
  await scope.getByLabel('User name').fill(name);
  await scope.getByLabel('Password', { exact: true }).fill(password);
  await scope.getByRole('button', { name: 'Sign in' }).click();
}

export function signedIn(w) {
  return w.page.getByRole('navigation').first().waitFor();
}

function words(w) {
  return w.lang === 'zh'
    ? { token: '令牌', apiToken: 'API 令牌', signIn: '登录' }
    : { token: 'Token', apiToken: 'API token', signIn: 'Sign in' };
}

/** go shows another page of the console, by its hash. */
export async function go(w, path) {
  await w.page.evaluate((p) => { location.hash = p; }, path);
}

/** api makes a call as programs do. It returns the answer's body, and throws unless it is 2xx. */
export async function api(method, path, body, secret = token, base = url) {
  const r = await fetch(new URL(`../api/v1/${path}`, base), {
    method,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await r.text();
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** until asks again and again, and throws with what was seen last where it takes too long. */
export async function until(what, ask, timeout = patience) {
  let last;
  for (const deadline = Date.now() + timeout; Date.now() < deadline; await tick()) {
    last = await ask();
    if (last === true) return;
  }
  throw new Error(`${what}: not after ${timeout} ms; last seen: ${JSON.stringify(last)}`);
}

const tick = () => new Promise((done) => { setTimeout(done, 50); });

export function same(got, want, what) {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  if (g !== w) throw new Error(`${what}: got ${g}, want ${w}`);
}

export function step(text) {
  console.log(text);
}
