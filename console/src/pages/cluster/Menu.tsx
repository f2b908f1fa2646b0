import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button, Icon } from '../../components';

/** Menu is a button that shows buttons. */
export function Menu({ label, children }: { label: string; children: (close: () => void) => ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (e: PointerEvent) => {
      if (e.target instanceof Node && !box.current?.contains(e.target)) setOpen(false);
    };
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [open]);
  return (
    <div class="menu" ref={box} onKeyDown={(e) => { if (e.key === 'Escape') setOpen(false); }}>
      <Button aria-expanded={open} onClick={() => setOpen(!open)}>
        {label} <Icon name="down" size={12} />
      </Button>
      {open && <div class="menu-list">{children(() => setOpen(false))}</div>}
    </div>
  );
}
