// A thousand clusters: few rows in the document, and scrolling that is smooth.
import { api, long, same, scenario, signInByToken, step, until } from './harness.mjs';

const count = 1000;
const stride = long ? 600 : 4000; // pixels a frame; a busy machine draws few frames a second

await scenario(async (open) => {
  const names = Array.from({ length: count }, (_, i) => `plant ${String(i).padStart(4, '0')}`);
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let name = names.pop(); name; name = names.pop()) await api('POST', 'clusters', { mode: 'adopted', name });
  }));
  step('a thousand clusters are there');

  const w = await open();
  const { page } = w;
  await signInByToken(w);
  for (const view of ['List', 'Cards']) {
    await page.getByText('1,000 clusters', { exact: true }).waitFor();
    await page.getByRole('radio', { name: view }).check({ force: true });
    await page.getByText('plant 0000', { exact: true }).waitFor();
    const { rows, longest, frames } = await page.evaluate(scroll, stride);
    step(`${view}: at most ${rows} rows and cards in the document; the longest task while scrolling took ${
      Math.round(longest)} ms, in ${frames} frames`);
    if (rows >= 300) throw new Error(`${rows} rows in the document`);
    await page.getByText('plant 0999', { exact: true }).waitFor();
  }

  step('a search finds one of them');
  await page.getByRole('searchbox').fill('plant 0737');
  await until('one is left', async () => {
    const n = await page.getByRole('main').getByText(/^plant \d+$/).count();
    return n === 1 || n;
  });
  same(await page.getByText('plant 0737', { exact: true }).count(), 1, 'the one that was searched for');
});

/** scroll runs in the page, from top to bottom. */
async function scroll(by) {
  let longest = 0;
  const watch = new PerformanceObserver((l) => {
    for (const e of l.getEntries()) longest = Math.max(longest, e.duration);
  });
  watch.observe({ type: 'longtask' });
  const frame = () => new Promise((done) => { requestAnimationFrame(done); });
  let rows = 0;
  let frames = 0;
  const bottom = () => document.documentElement.scrollHeight - innerHeight;
  for (scrollTo(0, 0); ; frames++) {
    await frame();
    rows = Math.max(rows, document.querySelectorAll('tbody tr, main li').length);
    if (scrollY >= bottom() - 1) break;
    scrollBy(0, by);
  }
  await frame();
  await frame();
  watch.disconnect();
  return { rows, longest, frames };
}
