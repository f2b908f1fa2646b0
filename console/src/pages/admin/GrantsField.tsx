import { useEffect, useId, useState } from 'preact/hooks';
import { Button, Select } from '../../components';
import { grants as own, may, type Grant } from '../../rights';
import { listOf, type Org, type Project } from './lists';
import { roleName, roleWords, t } from './texts';

type Props = {
  label: string;
  hint?: string;
  error: string | undefined;
  errorOf: (pointer: string) => string | undefined;
  path: string;
  /** one is for a token: it has a single grant. */
  one: boolean;
  value: readonly Grant[];
  onValue: (v: Grant[]) => void;
};

const system = () => own.value.some((g) => g.role === 'system');

/** rolesToGive are those that whoever is signed in may give: nobody gives more than they hold. */
function rolesToGive(): string[] {
  if (system()) return roleWords;
  return own.value.some((g) => g.role === 'org-admin') ? roleWords.slice(1) : roleWords.slice(2);
}

export function GrantsField({ label, hint, error, errorOf, path, one, value, onValue }: Props) {
  const [orgs, setOrgs] = useState<string[]>([]);
  const [projects, setProjects] = useState<string[]>([]);
  const id = useId();
  useEffect(() => {
    const mine = (o: string) => own.value.some((g) => g.role === 'system' || (g.role === 'org-admin' && g.org === o));
    listOf<Org>('orgs').then((l) => setOrgs(l.map((o) => o.name).filter(mine)), () => setOrgs([]));
    listOf<Project>('projects').then(
      (l) => setProjects(l.map((p) => p.path).filter((p) => may('members', p))),
      () => setProjects([]),
    );
  }, []);
  const set = (i: number, g: Grant) => onValue(value.map((old, n) => (n === i ? g : old)));
  const shown = one ? value.slice(0, 1) : value;
  const detailed = shown.some((_, i) => ['role', 'org', 'project'].some((k) => errorOf(pointer(path, one, i, k))));
  return (
    <fieldset class="stack tight" aria-describedby={hint ? `${id}-hint` : undefined}>
      <legend class="legend">{label}</legend>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {shown.map((g, i) => {
        const reach = g.role === 'system' ? undefined : g.role === 'org-admin' ? 'org' : 'project';
        const known = reach === 'org' ? orgs : projects;
        const now = (reach === 'org' ? g.org : g.project) ?? '';
        const items = known.includes(now) ? known : [now, ...known];
        return (
          <div class="admin-grant" key={i}>
            <Select label={t('admin.role')} value={g.role} error={errorOf(pointer(path, one, i, 'role'))}
              options={[...new Set([...rolesToGive(), g.role])].map((r) => ({ value: r, label: roleName(r) }))}
              onValue={(role) => set(i, { role })} />
            {reach && (
              <Select label={reach === 'org' ? t('admin.org') : t('admin.project')} value={now}
                error={errorOf(pointer(path, one, i, reach))}
                options={items.map((x) => ({ value: x, label: x || t('admin.choose'), disabled: !x }))}
                onValue={(to) => set(i, reach === 'org' ? { role: g.role, org: to } : { role: g.role, project: to })} />
            )}
            {!one && (
              <Button kind="quiet" icon="bad" aria-label={t('admin.removeGrant', { n: i + 1 })}
                onClick={() => onValue(value.filter((_, n) => n !== i))} />
            )}
          </div>
        );
      })}
      {error && !detailed && <p class="field-error" role="alert">{error}</p>}
      {!one && (
        <div>
          <Button small icon="plus" onClick={() => onValue([...value, { role: 'user' }])}>{t('admin.addGrant')}</Button>
        </div>
      )}
    </fieldset>
  );
}

function pointer(path: string, one: boolean, i: number, key: string): string {
  return one ? `/${key}` : `${path}/${i}/${key}`;
}
