import { useEffect, useState } from 'preact/hooks';
import type { Problem } from '../../api';
import { Config, configPointers } from '../../spec/Config';
import { Network, networkPointers } from '../../spec/Network';
import type { Patch } from '../../spec/part';
import { Placement, placementPointers } from '../../spec/Placement';
import { Replicants, replicantPointers } from '../../spec/Replicants';
import { t } from './words';

/** Parts are what the advanced fields make of the spec; a part is nothing while what is typed there is not readable. */
export type Parts = Partial<Record<'network' | 'replicants' | 'placement' | 'config', Patch | undefined>>;

export const advancedPointers = [...networkPointers.filter((p) => p !== '/spec/network/type'), ...replicantPointers,
  ...placementPointers, ...configPointers];

type Props = { network: string; problem: Problem | undefined; unread: boolean; onPart: (name: keyof Parts, p: Patch | undefined) => void };

/** Advanced is closed until somebody wants it, or something in it is wrong. */
export function Advanced({ network, problem, unread, onPart }: Props) {
  const [open, setOpen] = useState(false);
  const wrong = unread || advancedPointers.some((p) => problem?.field(p));
  useEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong, problem]);
  const part = (name: keyof Parts) => ({ spec: {}, problem, onPatch: (p: Patch | undefined) => onPart(name, p) });
  return (
    <details class="panel" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary class="panel-head"><h2>{t('new.more')}</h2><span class="faint">{t('new.moreText')}</span></summary>
      <div class="panel-body">
        <div class="form-grid"><Replicants {...part('replicants')} /></div>
        <Network type={network} {...part('network')} />
        <div class="form-grid"><Placement {...part('placement')} /></div>
        <Config {...part('config')} />
      </div>
    </details>
  );
}
