import { signal } from '@preact/signals';
import type { Schemas } from './api';

export type Right = 'read' | 'catalog' | 'write' | 'members' | 'audit' | 'projects' | 'admin';
export type Grant = Schemas['Grant'];

/** grants are those of whoever is signed in; roles says which role holds which right. */
export const grants = signal<Grant[]>([]);
export const roles = signal<Schemas['RightInfo'][]>([]);

/** covers reports whether a grant reaches a project (org/project), an organisation (org), or, of nothing, anything. */
export function covers(g: Grant, where: string | undefined): boolean {
  if (where === undefined || g.role === 'system') return true;
  if (g.project) return g.project === where;
  if (g.org) return where === g.org || where.startsWith(g.org + '/');
  return false;
}

export function allowed(right: Right, where: string | undefined, of: Grant[], table: Schemas['RightInfo'][]): boolean {
  const holders = table.find((r) => r.right === right)?.roles ?? [];
  return of.some((g) => holders.includes(g.role) && covers(g, where));
}

/**
 * may reports whether whoever is signed in holds a right over a project or an organisation; without the second argument,
 * whether they hold it anywhere. It only decides what is shown: the server checks every call.
 */
export function may(right: Right, where?: string): boolean {
  return allowed(right, where, grants.value, roles.value);
}
