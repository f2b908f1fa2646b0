import { useState } from 'preact/hooks';
import { TextArea } from '../components';
import { lines, pairs, replaced, unpairs, usePart, type PartProps } from './part';
import { ts } from './words';

type Toleration = { key?: string; value?: string; effect?: string; operator?: string };

export const placementPointers = ['/spec/placement/nodeSelector', '/spec/placement/tolerations'];

/** toleration reads key=value:Effect, key:Effect or key. */
export function toleration(line: string): Toleration {
  const [left = '', effect] = line.split(':');
  const [key = '', value] = left.split('=');
  return { key, operator: value === undefined ? 'Exists' : 'Equal', ...(value ? { value } : {}), ...(effect ? { effect } : {}) };
}

export function Placement({ spec, problem, onPatch }: PartProps) {
  const was = spec.placement;
  const [selector, setSelector] = useState(unpairs(was?.nodeSelector));
  const [tolerations, setTolerations] = useState((was?.tolerations ?? [])
    .map((x) => `${x.key ?? ''}${x.value ? `=${x.value}` : ''}${x.effect ? `:${x.effect}` : ''}`).join('\n'));
  const { values, bad } = pairs(selector);
  usePart(onPatch, () => (bad !== undefined ? undefined : {
    placement: { nodeSelector: replaced(was?.nodeSelector, values), tolerations: lines(tolerations).map(toleration) },
  }), [selector, tolerations]);
  return (
    <>
      <TextArea label={ts('sp.nodeSelector')} hint={ts('sp.lines')} optional mono rows={3} value={selector} onValue={setSelector}
        error={bad !== undefined ? ts('sp.badLine', { line: bad }) : problem?.field('/spec/placement/nodeSelector')} />
      <TextArea label={ts('sp.tolerations')} hint={ts('sp.tolerationsHint')} optional mono rows={3} value={tolerations}
        onValue={setTolerations} error={problem?.field('/spec/placement/tolerations')} />
    </>
  );
}
