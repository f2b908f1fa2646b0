import { computed, signal } from '@preact/signals';
import type { AnchorHTMLAttributes, ComponentChildren, ComponentType } from 'preact';

// The location is the hash: any path prefix works, and the server needs no routes for pages.
const hash = signal(location.hash);
addEventListener('hashchange', () => (hash.value = location.hash));

function parts(h: string): { path: string; query: URLSearchParams } {
  const s = h.replace(/^#/, '');
  const i = s.indexOf('?');
  const path = (i < 0 ? s : s.slice(0, i)).replace(/\/+$/, '');
  return { path: path || '/clusters', query: new URLSearchParams(i < 0 ? '' : s.slice(i + 1)) };
}

/** route is the path and query behind the hash, e.g. /clusters/emqx-0a1b2c3d/logs and level=error. */
export const route = computed(() => parts(hash.value));

export function navigate(to: string, opts: { replace?: boolean } = {}): void {
  if (opts.replace) {
    history.replaceState(null, '', '#' + to);
    hash.value = location.hash;
  } else location.hash = to;
}

/** setQuery replaces parameters of the query without a new entry in the history; empty values are left out. */
export function setQuery(values: Record<string, string | undefined>): void {
  const { path, query } = route.peek();
  const next = new URLSearchParams(query);
  for (const [k, v] of Object.entries(values)) {
    if (v) next.set(k, v);
    else next.delete(k);
  }
  navigate(path + (next.size ? `?${next.toString()}` : ''), { replace: true });
}

export type Params = Record<string, string | undefined>;
export type Page = ComponentType<{ params: Params }>;
export type Route = { pattern: string; load: () => Promise<{ default: Page }> };

/** match compares a path with a pattern of words, :name and :name? */
export function match(pattern: string, path: string): Params | undefined {
  const want = pattern.split('/').filter(Boolean);
  const have = path.split('/').filter(Boolean);
  if (have.length > want.length) return undefined;
  const params: Params = {};
  for (const [i, w] of want.entries()) {
    const h = have[i];
    if (w.startsWith(':')) {
      if (h === undefined && !w.endsWith('?')) return undefined;
      params[w.replace(/^:|\?$/g, '')] = h === undefined ? undefined : decode(h);
    } else if (w !== h) return undefined;
  }
  return params;
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

type LinkProps = { to: string; children: ComponentChildren } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href' | 'role'>;

export function Link({ to, children, ...rest }: LinkProps) {
  return (
    <a href={'#' + to} {...rest}>
      {children}
    </a>
  );
}
