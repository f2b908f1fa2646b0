import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

function stored(): Theme {
  const t = localStorage.getItem('ecp.theme');
  return t === 'light' || t === 'dark' ? t : 'system';
}

export const theme = signal<Theme>(stored());

function show(t: Theme): void {
  if (t === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = t;
}
show(theme.value);

export function setTheme(t: Theme): void {
  localStorage.setItem('ecp.theme', t);
  theme.value = t;
  show(t);
}
