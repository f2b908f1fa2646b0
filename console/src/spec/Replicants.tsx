import { useState } from 'preact/hooks';
import { NumberField, Select } from '../components';
import { usePart, useSizes, type PartProps } from './part';
import { ts } from './words';

export const replicantPointers = ['/spec/replicants/nodes', '/spec/replicants/size'];

export function Replicants({ spec, problem, onPatch }: PartProps) {
  const was = spec.replicants;
  const sizes = useSizes();
  const [n, setN] = useState<number | undefined>(was?.nodes ?? 0);
  const [size, setSize] = useState(was?.size ?? '');
  usePart(onPatch, () => (n === undefined ? undefined : { replicants: n === 0 ? null : { nodes: n, size: size || null } }), [n, size]);
  const options = [{ value: '', label: ts('sp.sizeOfCore') }, ...(sizes.data ?? []).map((s) => ({ value: s.name, label: s.name }))];
  return (
    <>
      <NumberField label={ts('sp.replicants')} hint={ts('sp.replicantsHint')} value={n} onValue={setN} min={0} max={20}
        error={problem?.field('/spec/replicants/nodes') ?? problem?.field('/spec/replicants')} />
      <Select label={ts('sp.replicantSize')} value={size} onValue={setSize} options={options} disabled={!n}
        error={problem?.field('/spec/replicants/size')} />
    </>
  );
}
