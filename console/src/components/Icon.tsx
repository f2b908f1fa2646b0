const paths = {
  ok: 'M3.5 8.5l3 3 6-7',
  busy: 'M8 2.500a5.500 5.500 0 1 1-5.500 5.500',
  warn: 'M8 2.500L14 13H2zM8 6.500v3M8 11.300v.2',
  bad: 'M4 4l8 8M12 4l-8 8',
  off: 'M3.500 8h9',
  copy: 'M6 6h7v7H6zM10 6V3H3v7h3',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  moon: 'M13 9.500A5.500 5.500 0 1 1 6.500 3 4.500 4.500 0 0 0 13 9.500z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  user: 'M8 2.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5M3 13.500c.5-2.500 2.500-4 5-4s4.500 1.500 5 4',
  up: 'M4 10l4-4 4 4',
  down: 'M4 6l4 4 4-4',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9M10.500 10.500L14 14',
  list: 'M2.500 4h11M2.500 8h11M2.500 12h11',
  cards: 'M2.500 2.500h4.500v4.500H2.500zM9 2.500h4.500v4.500H9zM2.500 9h4.500v4.500H2.500zM9 9h4.500v4.500H9z',
  refresh: 'M13 8a5 5 0 1 1-1.500-3.500M13 2v3h-3',
  link: 'M9 3h4v4M13 3L7.500 8.500M11 9.500V13H3V5h3.500',
} as const;

export type IconName = keyof typeof paths;

/** Icon is decoration: what it means is always also in words. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class={`icon icon-${name}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
