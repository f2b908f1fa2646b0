// Somebody signs in and out, wrongly and rightly; a session ends in the middle of work.
import { api, during, fillName, go, notSignedIn, same, scenario, signedIn, step, token } from './harness.mjs';

const first = 'a long password';
const second = 'another long password';

await scenario(async (open) => {
  await api('POST', 'users', {
    name: 'ann', password: first, grants: [{ role: 'project-admin', project: 'default/default' }],
  });
  const w = await open({ expect: [notSignedIn, /^answer: 401 POST .*\/api\/v1\/session$/] });
  const { page } = w;

  step('a wrong token is refused, with words');
  await page.goto(w.at);
  await page.getByRole('radio', { name: 'Token', exact: true }).check({ force: true });
  await page.getByLabel('API token').fill('not a token');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  same(await page.getByRole('navigation').count(), 0, 'pages of the console before the sign-in');

  step('the right one lets in');
  await page.getByLabel('API token').fill(token);
  await page.keyboard.press('Enter');
  await signedIn(w);
  const cookies = await w.context.cookies();
  same(cookies.map((c) => [c.httpOnly, c.sameSite]), [[true, 'Strict']], 'cookies');
  same(await page.evaluate((t) => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]).includes(t),
    token), false, 'scripts can read the token');

  step('a page that is loaded again is still signed in; signing out ends that');
  await page.reload();
  await signedIn(w);
  await signOut(page);
  same((await w.context.cookies()).length, 0, 'cookies afterwards');

  step('a wrong password is refused, the right one lets in');
  await fillName(page, 'ann', 'wrong password');
  await page.getByRole('alert').waitFor();
  await fillName(page, 'ann', first);
  await signedIn(w);

  step('the session ends in the middle: a dialog, and what was typed stays');
  await go(w, '/clusters/new');
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('half typed');
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await during(w, [/^answer: 401 GET /], async () => {
    await api('PATCH', 'users/ann', { password: second });
    await dialog.waitFor();
    await fillName(dialog, 'ann', first);
    await dialog.getByRole('alert').waitFor();
    await fillName(dialog, 'ann', second);
    await dialog.waitFor({ state: 'detached' });
  });
  same(await name.inputValue(), 'half typed', 'what was typed');
  await signOut(page);
});

async function signOut(page) {
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}
