import { signal } from '@preact/signals';
import { Button } from './basic';
import { tc, type Tone } from './common';
import { Icon } from './Icon';

type Toast = { id: number; tone: Tone; text: string };
const toasts = signal<Toast[]>([]);
let last = 0;

/** toast tells something for some seconds; what went wrong stays until it is closed. */
export function toast(text: string, tone: Tone = 'ok'): void {
  const id = ++last;
  toasts.value = [...toasts.peek().slice(-4), { id, tone, text }];
  if (tone !== 'bad') setTimeout(() => close(id), 6_000);
}

function close(id: number): void {
  toasts.value = toasts.peek().filter((x) => x.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((x) => (
        <div key={x.id} class={`toast toast-${x.tone}`}>
          <Icon name={x.tone} />
          <span class="grow">{x.text}</span>
          <Button kind="quiet" small icon="bad" aria-label={tc('c.close')} onClick={() => close(x.id)} />
        </div>
      ))}
    </div>
  );
}
