/** BareSearch is a search field for tool bars. */
export function BareSearch({ label, value, onValue }: { label: string; value: string; onValue: (v: string) => void }) {
  return (
    <input type="search" class="admin-search" aria-label={label} placeholder={label} value={value}
      onInput={(e) => onValue(e.currentTarget.value)} />
  );
}
