import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Cluster, Problem } from '../api';
import { ago, dateTime, label } from '../i18n';
import { useNow } from '../hooks';
import { Link } from '../router';
import { tc, toneOf, type Tone } from './common';
import { Icon, type IconName } from './Icon';
import { reasonName } from './reasons';

type ButtonProps = {
  kind?: 'primary' | 'danger' | 'plain' | 'quiet';
  busy?: boolean | undefined;
  icon?: IconName;
  small?: boolean;
  children?: ComponentChildren;
} & ButtonHTMLAttributes<HTMLButtonElement>;

export function Button({ kind = 'plain', busy, icon, small, children, class: extra, disabled, ...rest }: ButtonProps) {
  const name = `btn btn-${kind}${small ? ' btn-small' : ''}${children ? '' : ' btn-icon'} ${String(extra ?? '')}`;
  return (
    <button type="button" class={name} disabled={Boolean(disabled) || busy} aria-busy={busy} {...rest}>
      {busy ? <span class="spin" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

type ButtonLinkProps = { to: string; kind?: ButtonProps['kind']; icon?: IconName; small?: boolean; children: ComponentChildren };

export function ButtonLink({ to, kind = 'plain', icon, small, children }: ButtonLinkProps) {
  return (
    <Link to={to} class={`btn btn-${kind}${small ? ' btn-small' : ''}`}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}

/** Badge shows a word with a colour and a shape, so that the colour is not the only sign. */
export function Badge({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string | undefined }) {
  return (
    <span class={`badge badge-${tone}`} title={title}>
      <Icon name={tone} size={12} />
      <span>{children}</span>
    </span>
  );
}

export function StateBadge({ status }: { status: Cluster['status'] }) {
  const stale = status.stale;
  return (
    <span class={stale ? 'state stale' : 'state'} title={stale ? tc('c.stale') : status.message || undefined}>
      <Badge tone={toneOf(status.state)}>{label(status.label)}</Badge>
      {stale && <span class="stale-mark">?</span>}
      {stale && <span class="sr">{tc('c.stale')}</span>}
    </span>
  );
}

/** Reason names a reason in words, with the word that the API and its documents have for it behind. */
export function Reason({ of }: { of: string }) {
  return <span title={of}>{reasonName(of)}</span>;
}

/** Tag is a word without a meaning of its own colour: a kind, a mode, a count. */
export function Tag({ children }: { children: ComponentChildren }) {
  return <span class="tag">{children}</span>;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

function textOf(p: Problem): string {
  if (p.code === 'unreachable') return tc('c.unreachable');
  return p.code === 'session_ended' ? tc('c.signedOut') : p.detail;
}

/** ErrorBox shows a problem, with the fields that no form shows, and a way to try again. */
export function ErrorBox({ problem, retry, shown = [] }: { problem: Problem; retry?: () => void; shown?: string[] }) {
  const rest = problem.rest(shown);
  return (
    <div class="errorbox" role="alert">
      <Icon name="bad" />
      <div class="grow">
        <p>{textOf(problem)}</p>
        {rest.length > 0 && (
          <ul>
            {rest.map((e) => (
              <li key={e.pointer + e.detail}>
                {e.pointer && <code>{e.pointer}</code>} {e.detail}
              </li>
            ))}
          </ul>
        )}
        <p class="faint">{problem.code}</p>
      </div>
      {retry && (
        <Button small icon="refresh" onClick={retry}>
          {tc('c.retry')}
        </Button>
      )}
    </div>
  );
}

export function Spinner({ label: text }: { label?: string }) {
  return (
    <p class="loading" role="status">
      <span class="spin" aria-hidden="true" />
      <span>{text ?? tc('c.loading')}</span>
    </p>
  );
}

export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="sr">{tc('c.loading')}</span>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class="skeleton-line" aria-hidden="true" />
      ))}
    </div>
  );
}

async function toClipboard(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came over plain http from elsewhere than this host have no clipboard.
  const area = document.createElement('textarea');
  area.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** Copy copies a text; what names it for screen readers. */
export function Copy({ text, what, label: shown }: { text: string; what?: string; label?: boolean }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const t = setTimeout(() => setDone(false), 2_000);
    return () => clearTimeout(t);
  }, [done]);
  const name = done ? tc('c.copied') : tc('c.copy');
  return (
    <Button
      kind="quiet"
      small
      icon={done ? 'ok' : 'copy'}
      class="copy"
      title={name}
      aria-label={what ? `${name}: ${what}` : name}
      onClick={() => void toClipboard(text).then(() => setDone(true))}
    >
      {shown ? name : undefined}
    </Button>
  );
}

/** Code is a command or a value to copy. */
export function Code({ text, what }: { text: string; what?: string }) {
  return (
    <div class="code">
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} {...(what ? { what } : {})} />
    </div>
  );
}

/** Time is a moment relative to now, with the date and time behind it. */
export function Time({ at, absolute }: { at: string | undefined; absolute?: boolean }) {
  useNow();
  const now = Date.now();
  if (!at) return <span class="faint">–</span>;
  return (
    <time dateTime={at} title={absolute ? ago(at, now) : dateTime(at)}>
      {absolute ? dateTime(at) : ago(at, now)}
    </time>
  );
}

/** Bar shows how much of a number is used. */
export function Bar({ used, of, label: text }: { used: number; of: number; label: string }) {
  const part = of > 0 ? Math.min(1, used / of) : 0;
  const tone = part >= 0.95 ? 'bad' : part >= 0.8 ? 'warn' : 'ok';
  return (
    <div class={`bar bar-${tone}`} role="meter" aria-valuemin={0} aria-valuemax={1} aria-valuenow={Number(part.toFixed(3))}
      aria-valuetext={text} aria-label={text} title={text}>
      <div style={{ width: `${(100 * part).toFixed(1)}%` }} />
    </div>
  );
}
