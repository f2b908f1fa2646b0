import type { Route } from './router';

/** routes are tried in this order; each page is a chunk of its own, loaded when it is first shown. */
export const routes: Route[] = [
  { pattern: '/clusters', load: () => import('./pages/clusters') },
  { pattern: '/clusters/new', load: () => import('./pages/new') },
  { pattern: '/clusters/:id/guide', load: () => import('./pages/guide') },
  { pattern: '/clusters/:id/:tab?', load: () => import('./pages/cluster') },
  { pattern: '/fleet', load: () => import('./pages/fleet') },
  { pattern: '/admin/:page?', load: () => import('./pages/admin') },
  { pattern: '/me', load: () => import('./pages/me') },
];
