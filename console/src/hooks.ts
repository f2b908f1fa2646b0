import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, isAbort, type Problem } from './api';
import { epoch, onEvent, type Event, type Kind } from './stream';

export type Resource<T> = {
  data: T | undefined;
  error: Problem | undefined;
  /** loading is true until the first answer, and while one reads again after an error. */
  loading: boolean;
  /** at is when data was read. */
  at: number;
  reload: () => void;
  set: (data: T) => void;
};

export type Live = {
  kinds: readonly Kind[];
  match?: (e: Event) => boolean;
  /** every is a number of milliseconds after which it is read again although nothing was told. */
  every?: number;
};

/**
 * useResource reads something when deps change, when events of live tell of a change, and after changes may have been
 * missed. What is there stays on the screen meanwhile. Loading ends with the component.
 */
export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  deps: readonly unknown[],
  live?: Live,
): Resource<T> {
  const [state, setState] = useState<Omit<Resource<T>, 'reload' | 'set'>>({
    data: undefined, error: undefined, loading: true, at: 0,
  });
  const loader = useRef(load);
  loader.current = load;
  const running = useRef<AbortController | undefined>(undefined);

  const read = useCallback((fresh: boolean) => {
    running.current?.abort();
    const ctl = new AbortController();
    running.current = ctl;
    setState((s) => (fresh ? { data: undefined, error: undefined, loading: true, at: 0 } : { ...s, loading: !s.data }));
    loader.current(ctl.signal).then(
      (data) => {
        if (!ctl.signal.aborted) setState({ data, error: undefined, loading: false, at: Date.now() });
      },
      (err: unknown) => {
        if (ctl.signal.aborted || isAbort(err)) return;
        setState((s) => ({ ...s, error: asProblem(err), loading: false }));
      },
    );
  }, []);

  useEffect(() => {
    read(true);
    return () => running.current?.abort();
  }, deps);

  const reload = useCallback(() => read(false), [read]);
  useLive(live?.kinds ?? [], reload, live?.match);
  const every = live?.every;
  useEffect(() => {
    if (!every) return undefined;
    const t = setInterval(() => {
      if (!document.hidden) reload();
    }, every);
    return () => clearInterval(t);
  }, [every, reload]);

  const set = useCallback((data: T) => setState({ data, error: undefined, loading: false, at: Date.now() }), []);
  return { ...state, reload, set };
}

/** useLive calls fn, at most every 400 ms, after changes of the kinds and after changes may have been missed. */
export function useLive(kinds: readonly Kind[], fn: () => void, match?: (e: Event) => boolean): void {
  const call = useRef(fn);
  const fits = useRef(match);
  call.current = fn;
  fits.current = match;
  const key = kinds.join();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        call.current();
      }, 400);
    };
    const ends = key
      ? onEvent(key.split(','), (e) => {
          if (!fits.current || fits.current(e)) soon();
        })
      : () => {};
    let first = true;
    const endEpoch = epoch.subscribe(() => {
      if (!first) soon();
      first = false;
    });
    return () => {
      ends();
      endEpoch();
      clearTimeout(timer);
    };
  }, [key]);
}

/** useNow renders again every so many milliseconds, for times that are relative to now. */
export function useNow(every = 30_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const t = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(t);
  }, [every]);
  return now;
}

/** useAction runs something once at a time and keeps what went wrong, for buttons and forms. */
export function useAction<A extends unknown[]>(fn: (...args: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Problem | undefined>(undefined);
  const run = async (...args: A): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setError(undefined);
    try {
      await fn(...args);
      return true;
    } catch (err) {
      setError(asProblem(err));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run, clear: () => setError(undefined) };
}
