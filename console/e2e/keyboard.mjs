import { scenario, signInByToken } from './harness.mjs';
import { keys, life } from './lifecycle.mjs';

await scenario(async (open) => {
  const w = await open();
  await signInByToken(w);
  await life(w, keys);
});
