import { route } from '../../router';
import type { Choices } from './index';

export function firstProject(c: Choices): string {
  const asked = route.peek().query.get('project');
  const found = c.projects.find((p) => p.path === asked) ?? c.projects.find((p) => p.path === 'default/default');
  return (found ?? c.projects[0])?.path ?? '';
}

/** toFirstError moves the focus to the first field that was refused, once it is shown. */
export function toFirstError(): void {
  setTimeout(() => document.querySelector<HTMLElement>('main [aria-invalid="true"]')?.focus(), 50);
}
