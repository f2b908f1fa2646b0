import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Problem } from '../api';
import { useAction } from '../hooks';
import { Button, ErrorBox } from './basic';
import { tc } from './common';
import { TextField } from './form';

type DialogProps = {
  title: string;
  onClose?: () => void;
  children: ComponentChildren;
  footer?: ComponentChildren;
  wide?: boolean;
};

/** Dialog is open while it is rendered. Without onClose it cannot be dismissed. Focus goes back to where it was. */
export function Dialog({ title, onClose, children, footer, wide }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    const el = ref.current;
    el?.showModal();
    el?.querySelector<HTMLElement>('[autofocus]')?.focus();
    return () => {
      el?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'dialog dialog-wide' : 'dialog'} aria-labelledby={id}
      onCancel={(e) => { e.preventDefault(); onClose?.(); }}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        {onClose && <Button kind="quiet" icon="bad" aria-label={tc('c.close')} onClick={onClose} />}
      </div>
      <div class="dialog-body">{children}</div>
      {footer && <div class="dialog-foot">{footer}</div>}
    </dialog>
  );
}

type ConfirmProps = {
  title: string;
  /** action is the word on the button. */
  action: string;
  danger?: boolean;
  /** name has to be typed where it is given. */
  name?: string;
  disabled?: boolean;
  wide?: boolean;
  children?: ComponentChildren;
  onConfirm: () => Promise<void>;
  onClose: () => void;
  onProblem?: (p: Problem) => void;
};

/** Confirm asks before something is done, and stays open with the problem where it fails. */
export function Confirm(props: ConfirmProps) {
  const { title, action, danger, name, disabled, wide, children, onConfirm, onClose, onProblem } = props;
  const [typed, setTyped] = useState('');
  const act = useAction(onConfirm);
  useEffect(() => {
    if (act.error) onProblem?.(act.error);
  }, [act.error]);
  const ready = !disabled && (name === undefined || typed === name);
  const go = async () => {
    if (ready && (await act.run())) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose} {...(wide ? { wide } : {})} footer={
      <>
        <Button onClick={onClose}>{tc('c.cancel')}</Button>
        <Button kind={danger ? 'danger' : 'primary'} busy={act.busy} disabled={!ready} onClick={() => void go()}>
          {action}
        </Button>
      </>
    }>
      {children}
      {name !== undefined && (
        <TextField label={tc('c.typeName', { name })} value={typed} onValue={setTyped} autocomplete="off" spellcheck={false}
          autofocus onKeyDown={(e) => { if (e.key === 'Enter') void go(); }} />
      )}
      {act.error && <ErrorBox problem={act.error} />}
    </Dialog>
  );
}

/** ConfirmByName is for what cannot be undone: the name has to be typed. */
export function ConfirmByName(props: ConfirmProps & { name: string }) {
  return <Confirm danger {...props} />;
}
