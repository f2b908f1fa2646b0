import { signal } from '@preact/signals';
import { api, apiURL, ok, type Schemas } from './api';

export type Event = Schemas['Event'];

const kinds = [
  'cluster', 'operation', 'agent', 'tombstone', 'departure', 'org', 'project', 'quota', 'pool', 'size', 'image',
  'registry', 'license', 'certificate', 'lb-profile', 'target', 'user', 'token', 'registration-token', 'history',
] as const;
export type Kind = (typeof kinds)[number];

/** connected: changes arrive. broken: they do not, and what is shown may be old; lastContact says since when. */
export type Stream = { state: 'off' | 'connecting' | 'connected' | 'broken'; lastContact: number; attempts: number };

export const stream = signal<Stream>({ state: 'off', lastContact: 0, attempts: 0 });

/** epoch grows whenever changes may have been missed: whatever is on the screen has to be read again. */
export const epoch = signal(0);

type Listener = { kinds: readonly string[] | undefined; fn: (e: Event) => void };
const listeners = new Set<Listener>();

/** onEvent calls fn for each change of a record of the kinds, or of any kind. It returns what ends that. */
export function onEvent(of: readonly string[] | undefined, fn: (e: Event) => void): () => void {
  const l: Listener = { kinds: of, fn };
  listeners.add(l);
  return () => void listeners.delete(l);
}

// A connection that died without a word is noticed by asking for something small while no event comes.
const quietAfter = 15_000;
const probeTimeout = 8_000;
const backOff = [1_000, 2_000, 4_000, 8_000, 15_000];

let source: EventSource | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let probe: ReturnType<typeof setInterval> | undefined;
let lastID = '';
let missed = false;

function heard(): void {
  const s = stream.peek();
  if (s.state === 'connected' && Date.now() - s.lastContact < 1_000) return;
  stream.value = { state: 'connected', lastContact: Date.now(), attempts: 0 };
}

export function startStream(): void {
  stopStream();
  stream.value = { state: 'connecting', lastContact: Date.now(), attempts: 0 };
  open();
  probe = setInterval(() => void check(), quietAfter);
}

export function stopStream(): void {
  source?.close();
  source = undefined;
  clearTimeout(timer);
  clearInterval(probe);
  if (stream.peek().state !== 'off') missed = true;
  stream.value = { ...stream.peek(), state: 'off' };
}

function open(): void {
  source?.close();
  const since = lastID ? `?since=${encodeURIComponent(lastID)}` : '';
  const es = new EventSource(apiURL('events') + since);
  source = es;
  es.onopen = () => {
    heard();
    if (missed) {
      missed = false;
      epoch.value++;
    }
  };
  es.onerror = () => {
    if (source === es) broken(es.readyState === EventSource.CLOSED);
  };
  es.addEventListener('problem', () => {
    // The server ends the stream: it stops, or what may be seen has changed. Only a new reading is certain.
    lastID = '';
    broken(false);
  });
  for (const k of kinds) {
    es.addEventListener(k, (m: MessageEvent<string>) => {
      heard();
      lastID = m.lastEventId || lastID;
      dispatch(JSON.parse(m.data) as Event);
    });
  }
}

function dispatch(e: Event): void {
  for (const l of [...listeners]) {
    if (!l.kinds || l.kinds.includes(e.kind)) l.fn(e);
  }
}

/** broken shows that nothing arrives, and tries again. A refused stream (410, 401, 429) starts afresh. */
function broken(refused: boolean): void {
  const s = stream.peek();
  if (s.state === 'off') return;
  missed = true;
  if (refused) lastID = '';
  source?.close();
  source = undefined;
  stream.value = { state: 'broken', lastContact: s.lastContact, attempts: s.attempts + 1 };
  clearTimeout(timer);
  timer = setTimeout(() => void retry(), backOff[Math.min(s.attempts, backOff.length - 1)]);
}

async function retry(): Promise<void> {
  try {
    // EventSource does not tell a 401 from an outage; this call does.
    await ok(api.GET('/api/v1/me', { signal: AbortSignal.timeout(probeTimeout) }));
  } catch {
    if (stream.peek().state === 'broken') broken(false);
    return;
  }
  if (stream.peek().state === 'broken') open();
}

/** reconnect tries at once, where the next attempt is still some seconds away. */
export function reconnect(): void {
  if (stream.peek().state !== 'broken') return;
  clearTimeout(timer);
  void retry();
}

async function check(): Promise<void> {
  const s = stream.peek();
  if (s.state !== 'connected' || Date.now() - s.lastContact < quietAfter) return;
  try {
    await ok(api.GET('/api/v1/me', { signal: AbortSignal.timeout(probeTimeout) }));
    if (stream.peek().state === 'connected') heard();
  } catch {
    if (stream.peek().state === 'connected') broken(false);
  }
}
