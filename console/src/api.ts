import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Cluster = Schemas['Cluster'];
export type Plan = Schemas['Plan'];
export type Operation = Schemas['Operation'];
export type FieldProblem = { pointer: string; detail: string };

// The page lies in PREFIX/console/, the API in PREFIX/api/v1/. The hash is no part of that.
export const root = new URL('..', location.origin + location.pathname).href.replace(/\/$/, '');

export function apiURL(path: string): string {
  return `${root}/api/v1/${path}`;
}

/** Problem is an answer other than 2xx, or no answer at all (code `unreachable`, status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: FieldProblem[] = [],
  ) {
    super(detail || code);
    this.name = 'Problem';
  }

  static of(status: number, body: unknown): Problem {
    const p = (typeof body === 'object' && body !== null ? body : {}) as Partial<Schemas['Problem']>;
    return new Problem(
      status,
      p.code ?? `http_${status}`,
      p.detail || p.title || `HTTP ${status}`,
      p.errors?.map((e) => ({ pointer: e.pointer, detail: e.detail })) ?? [],
    );
  }

  /** field returns what is wrong with the field or anything inside it. */
  field(pointer: string): string | undefined {
    const found = this.errors.filter((e) => e.pointer === pointer || e.pointer.startsWith(pointer + '/'));
    return found.length ? found.map((e) => e.detail).join('; ') : undefined;
  }

  /** rest returns the errors of fields that are not among those a form shows. */
  rest(shown: string[]): FieldProblem[] {
    return this.errors.filter((e) => !shown.some((p) => e.pointer === p || e.pointer.startsWith(p + '/')));
  }
}

export function asProblem(err: unknown): Problem {
  if (err instanceof Problem) return err;
  return new Problem(0, 'unreachable', err instanceof Error ? err.message : String(err));
}

export function fieldError(err: Problem | undefined, pointer: string): string | undefined {
  return err?.field(pointer);
}

export function isAbort(err: unknown): boolean {
  return err instanceof DOMException && err.name === 'AbortError';
}

// What the server says of a request without a session is meant for programs.
const signedOut = new Problem(401, 'session_ended', 'the session has ended');

let unauthorized: () => void = () => {};

/** onUnauthorized sets what happens when the server does not know the session any more. */
export function onUnauthorized(fn: () => void): void {
  unauthorized = fn;
}

async function guardedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const res = await fetch(input, init);
  if (res.status === 401) unauthorized();
  return res;
}

export const api = createClient<paths>({
  baseUrl: root,
  credentials: 'same-origin',
  fetch: (req) => guardedFetch(req),
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** ok returns the data of a call made with `api`, and throws a Problem where there is none. */
export async function ok<T>(call: Promise<Answer<T>>): Promise<T> {
  let res: Answer<T>;
  try {
    res = await call;
  } catch (err) {
    if (isAbort(err)) throw err;
    throw asProblem(err);
  }
  if (res.response.status === 401) throw signedOut;
  if (!res.response.ok) throw Problem.of(res.response.status, res.error);
  return res.data as T;
}

export type Send = { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal; quiet401?: boolean };

/** send makes a call by method and path below /api/v1/, for where the typed client does not fit. */
export async function send<T>(method: string, path: string, opts: Send = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', ...opts.headers };
  if (opts.body !== undefined) headers['content-type'] = 'application/json';
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (opts.body !== undefined) init.body = JSON.stringify(opts.body);
  if (opts.signal) init.signal = opts.signal;
  let res: Response;
  try {
    res = await (opts.quiet401 ? fetch : guardedFetch)(apiURL(path), init);
  } catch (err) {
    if (isAbort(err)) throw err;
    throw asProblem(err);
  }
  const text = await res.text();
  const body: unknown = /json/.test(res.headers.get('content-type') ?? '') && text ? JSON.parse(text) : undefined;
  if (res.status === 401 && !opts.quiet401) throw signedOut;
  if (!res.ok) throw Problem.of(res.status, body);
  return body as T;
}

/** all reads every page of a list. */
export async function all<T>(page: (cursor: string | undefined) => Promise<{ items: T[]; next: string }>): Promise<T[]> {
  const out: T[] = [];
  let cursor: string | undefined;
  do {
    const got = await page(cursor);
    out.push(...got.items);
    cursor = got.next || undefined;
  } while (cursor);
  return out;
}
