import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from './components/basic';
import { Icon, type IconName } from './components/Icon';
import { toast, Toasts } from './components/toast';
import { ago, dateTime, lang, setLang, texts } from './i18n';
import { useNow } from './hooks';
import { may } from './rights';
import { Link, route } from './router';
import { me, session, signOut } from './store';
import { asProblem } from './api';
import { reconnect, stream } from './stream';
import { setTheme, theme, type Theme } from './theme';

const t = texts({
  'l.product': ['OpenECP', 'OpenECP'],
  'l.skip': ['Skip to the content', '跳到内容'],
  'l.nav': ['Main', '主导航'],
  'l.clusters': ['Clusters', '集群'],
  'l.fleet': ['Fleet', '总览'],
  'l.admin': ['Administration', '管理'],
  'l.lang': ['中文', 'English'],
  'l.langHint': ['Show in Chinese', '切换为英文'],
  'l.system': ['Theme: as the system', '主题：跟随系统'],
  'l.light': ['Theme: light', '主题：浅色'],
  'l.dark': ['Theme: dark', '主题：深色'],
  'l.account': ['Account', '账号'],
  'l.me': ['My account', '我的账号'],
  'l.signOut': ['Sign out', '退出登录'],
  'l.stale': [
    'No connection to the server: what you see may be old. Last contact {{ago}} ({{time}}).',
    '与服务器的连接已中断，显示的内容可能已过时。上次联系：{{ago}}（{{time}}）。',
  ],
  'l.reconnect': ['Connect now', '立即重连'],
});

const themes: Record<Theme, { next: Theme; icon: IconName }> = {
  system: { next: 'light', icon: 'system' },
  light: { next: 'dark', icon: 'sun' },
  dark: { next: 'system', icon: 'moon' },
};

export function Switches() {
  const now = themes[theme.value];
  return (
    <>
      <Button kind="quiet" small title={t('l.langHint')} lang={lang.value === 'zh' ? 'en' : 'zh-CN'}
        onClick={() => setLang(lang.value === 'zh' ? 'en' : 'zh')}>
        {t('l.lang')}
      </Button>
      <Button kind="quiet" small icon={now.icon} title={t(`l.${theme.value}`)} aria-label={t(`l.${theme.value}`)}
        onClick={() => setTheme(now.next)} />
    </>
  );
}

export function Brand() {
  return (
    <span class="brand">
      <img src="./icon.svg" alt="" width={24} height={24} />
      {t('l.product')}
    </span>
  );
}

function UserMenu() {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (e: Event) => {
      if (!box.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
    };
  }, [open]);
  const leave = () => void signOut().catch((err: unknown) => toast(asProblem(err).detail, 'bad'));
  return (
    <div class="menu" ref={box} onKeyDown={(e) => { if (e.key === 'Escape') setOpen(false); }}>
      <Button kind="quiet" small icon="user" aria-expanded={open} title={t('l.account')} onClick={() => setOpen(!open)}>
        <span class="btn-text-wide clip">{me.value?.name}</span>
        <span class="sr">{t('l.account')}</span>
      </Button>
      {open && (
        <div class="menu-list">
          <div class="menu-head">
            <strong>{me.value?.name}</strong>
            {me.value?.grants.map((g) => (
              <div key={`${g.role} ${g.project ?? g.org ?? ''}`} class="faint small">
                {[g.role, g.project ?? g.org].filter(Boolean).join(' · ')}
              </div>
            ))}
          </div>
          <Link to="/me" onClick={() => setOpen(false)}>{t('l.me')}</Link>
          <button type="button" onClick={leave}>{t('l.signOut')}</button>
        </div>
      )}
    </div>
  );
}

function StaleBanner() {
  const now = useNow(1_000);
  const s = stream.value;
  // A server that restarts is back within a moment; a banner that flashes tells nobody anything.
  if (s.state !== 'broken' || now - s.lastContact < 2_000) return null;
  const at = new Date(s.lastContact);
  return (
    <div class="banner" role="status">
      <Icon name="warn" />
      <span>{t('l.stale', { ago: ago(at, now), time: dateTime(at) })}</span>
      <Button small onClick={reconnect}>{t('l.reconnect')}</Button>
    </div>
  );
}

export function Layout({ children }: { children: ComponentChildren }) {
  const path = route.value.path;
  const adminHere = may('members') || may('projects') || may('admin') || may('audit') || may('catalog');
  const items = [
    { to: '/clusters', name: t('l.clusters'), show: true },
    { to: '/fleet', name: t('l.fleet'), show: true },
    { to: '/admin', name: t('l.admin'), show: adminHere },
  ];
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>
        {t('l.skip')}
      </a>
      <header class="top">
        <div class="top-in">
          <Link to="/clusters" class="brand"><Brand /></Link>
          <nav class="nav" aria-label={t('l.nav')}>
            {items.filter((i) => i.show).map((i) => {
              const on = path === i.to || path.startsWith(i.to + '/');
              return (
                <Link key={i.to} to={i.to} class={on ? 'on' : undefined} aria-current={on ? 'page' : undefined}>{i.name}</Link>
              );
            })}
          </nav>
          <div class="top-tools">
            <Switches />
            <UserMenu />
          </div>
        </div>
        {session.value === 'in' && <StaleBanner />}
      </header>
      <main class="main" id="main" tabIndex={-1}>{children}</main>
      <Toasts />
    </>
  );
}
