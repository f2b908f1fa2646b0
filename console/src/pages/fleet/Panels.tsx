import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Schemas } from '../../api';
import { Badge, Bar, Button, Icon, stateName, Time, toneOf } from '../../components';
import { num } from '../../i18n';
import { Link } from '../../router';
import type { Item } from './attention';
import type { Kept } from './data';
import { t } from './words';

export function Panel({ title, children, count }: { title: string; count?: number; children: ComponentChildren }) {
  return (
    <section class="panel" aria-label={title}>
      <div class="panel-head"><h2>{title}</h2>{count ? <span class="faint">{num(count)}</span> : null}</div>
      <div class="panel-body">{children}</div>
    </section>
  );
}

const first = 12;

export function Attention({ items }: { items: readonly Item[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? items.slice(0, 200) : items.slice(0, first);
  return (
    <Panel title={t('fleet.attention')} count={items.length}>
      {items.length === 0 && <p class="row fleet-calm"><Icon name="ok" />{t('fleet.calm')}</p>}
      {items.length > 0 && (
        <ul class="fleet-items">
          {shown.map((i) => (
            <li key={i.key}>
              <Badge tone={i.tone}>{i.word}</Badge>
              <span class="fleet-what">
                <Link to={i.to} class="break">{i.name}</Link>
                <span class="faint small break">{i.text}</span>
              </span>
              {i.since && <span class="faint small nowrap"><Time at={i.since} /></span>}
            </li>
          ))}
        </ul>
      )}
      {items.length > shown.length && !all && (
        <div><Button small onClick={() => setAll(true)}>{t('at.more', { n: num(items.length - shown.length) })}</Button></div>
      )}
    </Panel>
  );
}

type StateRow = { mode: 'hosted' | 'adopted'; state: string; n: number };

export function States({ of: o }: { of: Schemas['Overview'] }) {
  const states = o.states as Record<string, Record<string, number>>;
  const rows: StateRow[] = (['hosted', 'adopted'] as const).flatMap((mode) =>
    Object.entries(states[mode] ?? {}).map(([state, n]) => ({ mode, state, n })).sort((a, b) => b.n - a.n));
  return (
    <Panel title={t('fleet.states')}>
      <ul class="fleet-rows">
        {rows.map((r) => (
          <li key={`${r.mode} ${r.state}`}>
            <span class="row wrap">
              <Badge tone={toneOf(r.state)}>{stateName(r.state)}</Badge>
              <span class="faint small">{t(`fleet.${r.mode}`)}</span>
            </span>
            <Share n={r.n} of={o.clusters} />
            <Link to={`/clusters?state=${r.state}&mode=${r.mode}`} class="num">{num(r.n)}</Link>
          </li>
        ))}
        {o.stale > 0 && (
          <li>
            <span class="row"><Badge tone="warn">{t('at.stale')}</Badge></span>
            <Share n={o.stale} of={o.clusters} />
            <span class="num">{num(o.stale)}</span>
          </li>
        )}
      </ul>
    </Panel>
  );
}

/** Share is decoration: the number stands beside it. */
function Share({ n, of }: { n: number; of: number }) {
  return (
    <span class="fleet-share" aria-hidden="true">
      <span style={{ width: `${of > 0 ? Math.max(1, (100 * n) / of) : 0}%` }} />
    </span>
  );
}

export function Versions({ of: o }: { of: Schemas['Overview'] }) {
  const rows = Object.entries(o.versions).sort(([a], [b]) => b.localeCompare(a, undefined, { numeric: true }));
  return (
    <Panel title={t('fleet.versions')}>
      <ul class="fleet-rows">
        {rows.map(([v, n]) => (
          <li key={v}>
            <span class={v ? 'num' : 'faint'}>{v || t('fleet.noVersion')}</span>
            <Share n={n} of={o.clusters} />
            {v ? <Link to={`/clusters?version=${encodeURIComponent(v)}`} class="num">{num(n)}</Link> : <span class="num">{num(n)}</span>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Quotas({ of: quotas }: { of: readonly Schemas['Quota'][] }) {
  return (
    <Panel title={t('fleet.quotas')}>
      {quotas.length === 0 && <p class="faint">{t('fleet.noQuota')}</p>}
      <ul class="fleet-rows fleet-quotas">
        {quotas.slice(0, 10).map((q) => {
          const text = `${num(q.usedConnections)} / ${num(q.connections)}`;
          return (
            <li key={q.of}>
              <span class="break">{q.of}</span>
              <Bar used={q.usedConnections} of={q.connections} label={`${q.of}: ${text}`} />
              <span class="num nowrap">{text}</span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

export function Expiring({ of: k, now }: { of: Kept; now: number }) {
  const rows = [
    ...k.licenses.map((l) => ({ key: `l ${l.name}`, name: l.name, kind: t('fleet.license'), at: l.expiresAt, to: '/admin/licenses' })),
    ...k.certificates.map((c) => ({ key: `c ${c.name}`, name: c.name, kind: t('fleet.certificate'), at: c.notAfter, to: '/admin/certificates' })),
  ].filter((r): r is typeof r & { at: string } => Boolean(r.at)).sort((a, b) => a.at.localeCompare(b.at)).slice(0, 10);
  return (
    <Panel title={t('fleet.expire')}>
      {rows.length === 0 && <p class="faint">{t('fleet.noExpire')}</p>}
      <ul class="fleet-items">
        {rows.map((r) => {
          const left = (new Date(r.at).getTime() - now) / 86_400_000;
          return (
            <li key={r.key}>
              <span class="fleet-what"><Link to={r.to} class="break">{r.name}</Link><span class="faint small">{r.kind}</span></span>
              {left > 30 ? <Time at={r.at} /> : <Badge tone={left > 0 ? 'warn' : 'bad'}><Time at={r.at} /></Badge>}
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

export function Missing({ of: o }: { of: Schemas['Overview'] }) {
  if (o.missing.length === 0) return null;
  return (
    <Panel title={t('fleet.missing')}>
      <ul class="fleet-items">
        {o.missing.map((m) => (
          <li key={`${m.cluster} ${m.why}`}>
            <span class="fleet-what">
              <Link to={`/clusters/${m.cluster}/overview`} class="break">{m.name}</Link>
              <span class="faint small break">{m.why}</span>
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
