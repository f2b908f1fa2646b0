import { signal } from '@preact/signals';
import { api, asProblem, ok, onUnauthorized, send, type Problem, type Schemas } from './api';
import { grants, roles } from './rights';
import { startStream, stopStream } from './stream';

export type Me = Schemas['Me'];

/** in: signed in; out: the sign-in page is shown; expired: a dialog asks to sign in again, the page below stays. */
export type Session = 'loading' | 'in' | 'out' | 'expired';

export const me = signal<Me | undefined>(undefined);
export const session = signal<Session>('loading');
export const startError = signal<Problem | undefined>(undefined);

onUnauthorized(() => {
  if (session.peek() !== 'in') return;
  session.value = 'expired';
  stopStream();
});

/** load asks who is signed in and shows the pages, or the sign-in page. */
export async function load(): Promise<void> {
  startError.value = undefined;
  try {
    const who = await ok(api.GET('/api/v1/me'));
    const table = await ok(api.GET('/api/v1/roles'));
    enter(who, table.items);
  } catch (err) {
    const p = asProblem(err);
    if (p.status === 401) session.value = 'out';
    else startError.value = p;
  }
}

function enter(who: Me, table: Schemas['RightInfo'][]): void {
  me.value = who;
  grants.value = who.grants;
  roles.value = table;
  session.value = 'in';
  startStream();
}

export type Credentials = { name: string; password: string } | { token: string };

/** signIn makes a session. Whoever was signed in before and is another now begins on a fresh page. */
export async function signIn(c: Credentials): Promise<void> {
  const before = me.peek()?.name;
  await send('POST', 'session', { body: c, quiet401: true });
  const who = await ok(api.GET('/api/v1/me'));
  if (before !== undefined && before !== who.name) {
    location.reload();
    return;
  }
  const table = await ok(api.GET('/api/v1/roles'));
  enter(who, table.items);
}

export async function signOut(): Promise<void> {
  stopStream();
  try {
    await send('DELETE', 'session', { quiet401: true });
  } catch (err) {
    if (asProblem(err).status !== 401) {
      startStream();
      throw err;
    }
  }
  location.replace(location.pathname + location.search); // loads anew: a hash that is set would show a page before
}

/** sessionEnded shows the sign-in page after the server has ended all sessions of whoever is signed in. */
export function sessionEnded(): void {
  stopStream();
  session.value = 'out';
}
