import { scenario, signInByToken } from './harness.mjs';
import { life, mouse } from './lifecycle.mjs';

await scenario(async (open) => {
  const w = await open();
  await signInByToken(w);
  await life(w, mouse);
});
