import type { ComponentChildren } from 'preact';
import { Link } from '../router';

export type Tab = { id: string; label: string; badge?: ComponentChildren };

/** Tabs are links to parts of a page. */
export function Tabs({ label, tabs, active, to }: { label: string; tabs: Tab[]; active: string; to: (id: string) => string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((t) => (
        <Link key={t.id} to={to(t.id)} class={t.id === active ? 'tab on' : 'tab'} aria-current={t.id === active ? 'page' : undefined}>
          {t.label}
          {t.badge !== undefined && t.badge !== null && <span class="tab-badge">{t.badge}</span>}
        </Link>
      ))}
    </nav>
  );
}
