import { apiURL, asProblem, Problem } from './api';
import type { Event } from './stream';

/** Past are changes that the server has kept: those after number from. first is when the oldest of them was. */
export type Past = { events: Event[]; from: number; first: string | undefined; oldest: boolean };

// How many changes of the whole fleet are looked through at a time.
const stride = 2_000;
// The server sends what it has at once; after that only what happens is sent.
const quiet = 1_200;

/** position is the number of the last change so far. */
export async function position(project: string, signal: AbortSignal): Promise<number> {
  let at = 0;
  await read({ project }, signal, (id) => {
    at = id;
    return false;
  });
  return at;
}

/**
 * past reads the changes of a project before number to, and keeps those that fit. The server forgets changes after a
 * day: where it has not kept so many, the oldest that it still has is searched for.
 */
export async function past(project: string, to: number, fits: (e: Event) => boolean, signal: AbortSignal): Promise<Past> {
  let [gone, from] = [-1, Math.max(0, to - stride)];
  for (;;) {
    try {
      const got = await since(project, from, to, fits, signal);
      return { ...got, from, oldest: from === 0 || gone >= 0 };
    } catch (err) {
      if (asProblem(err).status !== 410) throw err;
      gone = from;
      if (to - gone <= 1) return { events: [], from: to, first: undefined, oldest: true };
      from = gone + Math.ceil((to - gone) / 4);
    }
  }
}

async function since(project: string, from: number, to: number, fits: (e: Event) => boolean, signal: AbortSignal) {
  const events: Event[] = [];
  let first: string | undefined;
  await read({ project, since: String(from) }, signal, (id, name, data) => {
    if (name === 'problem') {
      const p = JSON.parse(data) as { status?: number };
      throw Problem.of(p.status ?? 503, p);
    }
    if (!data || id > to) return id < to;
    const e = JSON.parse(data) as Event;
    first ??= e.at;
    if (fits(e)) events.push(e);
    return id < to;
  });
  return { events: events.reverse(), first };
}

type Take = (id: number, name: string, data: string) => boolean;

/** read follows the stream of events until take wants no more, nothing has come for a while, or the server ends it. */
async function read(query: Record<string, string>, signal: AbortSignal, take: Take): Promise<void> {
  const ctl = new AbortController();
  const end = () => ctl.abort();
  signal.addEventListener('abort', end);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const res = await fetch(apiURL(`events?${new URLSearchParams(query).toString()}`), {
      signal: ctl.signal, credentials: 'same-origin', headers: { accept: 'text/event-stream' },
    });
    if (!res.ok || !res.body) throw Problem.of(res.status, await res.json().catch(() => undefined));
    const chunks = res.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      timer = setTimeout(end, quiet);
      const { done, value } = await chunks.read();
      clearTimeout(timer);
      if (done) return;
      const parts = (text + value).split('\n\n');
      text = parts.pop() ?? '';
      for (const p of parts) if (!takePart(p, take)) return;
    }
  } catch (err) {
    // Whoever asked has gone, or the stream fell silent: neither is an error.
    signal.throwIfAborted();
    if (!ctl.signal.aborted) throw err;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    ctl.abort();
  }
}

function takePart(part: string, take: Take): boolean {
  const field = (name: string) => part.split('\n').filter((l) => l.startsWith(`${name}:`))
    .map((l) => l.slice(name.length + 1).trimStart()).join('\n');
  const id = field('id');
  return id === '' && field('event') !== 'problem' ? true : take(Number(id), field('event'), field('data'));
}
