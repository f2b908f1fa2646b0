import { useState } from 'preact/hooks';
import { Check, NumberField, Select, TextArea, TextField } from '../components';
import { pairs, replaced, unpairs, usePart, type PartProps } from './part';
import { ts } from './words';

const protocols = ['mqtt', 'mqtts', 'ws', 'wss'] as const;
const usual = { mqtt: 1883, mqtts: 8883, ws: 8083, wss: 8084 } as const;
const types = ['ClusterIP', 'NodePort', 'LoadBalancer'];

export const networkPointers = ['type', 'loadBalancerClass', 'listeners', 'certificate', 'annotations']
  .map((f) => `/spec/network/${f}`);

/** Network are the fields of spec.network. Where a type is given, it is chosen elsewhere. */
export function Network({ spec, problem, onPatch, type: given }: PartProps & { type?: string }) {
  const was = spec.network;
  const [chosen, setType] = useState<string>(was?.type ?? 'ClusterIP');
  const type = given ?? chosen;
  const [lb, setLB] = useState(was?.loadBalancerClass ?? '');
  const [certificate, setCertificate] = useState(was?.certificate ?? '');
  const [annotations, setAnnotations] = useState(unpairs(was?.annotations));
  const [ports, setPorts] = useState<Record<string, number | undefined>>(() => Object.fromEntries(
    was?.listeners?.length ? was.listeners.map((l) => [l.protocol, l.port || usual[l.protocol]]) : Object.entries(usual)));
  const { values, bad } = pairs(annotations);
  usePart(onPatch, () => {
    if (bad !== undefined) return undefined;
    // All four on their usual ports is what is meant where nothing is said.
    const unsaid = !was?.listeners?.length && protocols.every((p) => ports[p] === usual[p]);
    const listeners = protocols.filter((p) => p in ports).map((p) => ({ protocol: p, port: ports[p] ?? 0 }));
    return { network: {
      type, certificate: certificate.trim() || null, annotations: replaced(was?.annotations, values),
      loadBalancerClass: type === 'LoadBalancer' && lb.trim() ? lb.trim() : null, ...(unsaid ? {} : { listeners }),
    } };
  }, [type, lb, certificate, annotations, ports]);
  const toggle = (p: string, on: boolean, port: number) => setPorts((old) => {
    const { [p]: _, ...rest } = old;
    return on ? { ...rest, [p]: port } : rest;
  });
  const at = (f: string) => problem?.field(`/spec/network/${f}`);
  return (
    <>
      {given === undefined && (
        <Select label={ts('sp.type')} value={type} onValue={setType} options={types.map((x) => ({ value: x, label: x }))} error={at('type')} />
      )}
      {type === 'LoadBalancer' && <TextField label={ts('sp.lbClass')} optional value={lb} onValue={setLB} error={at('loadBalancerClass')} />}
      <fieldset class="form">
        <legend class="legend">{ts('sp.listeners')}</legend>
        <div class="form-grid">
          {protocols.map((p) => (
            <div class="listener" key={p}>
              <Check label={p} checked={p in ports} onChecked={(on) => toggle(p, on, usual[p])} />
              <NumberField label={ts('sp.port', { protocol: p })} disabled={!(p in ports)} min={1} max={65535} value={ports[p]}
                onValue={(v) => setPorts((old) => ({ ...old, [p]: v }))} />
            </div>
          ))}
        </div>
        {at('listeners') && <p class="field-error" role="alert">{at('listeners')}</p>}
      </fieldset>
      <TextField label={ts('sp.certificate')} hint={ts('sp.certificateHint')} optional value={certificate} onValue={setCertificate}
        spellcheck={false} error={at('certificate')} />
      <TextArea label={ts('sp.annotations')} hint={ts('sp.lines')} optional mono rows={3} value={annotations} onValue={setAnnotations}
        error={bad !== undefined ? ts('sp.badLine', { line: bad }) : at('annotations')} />
    </>
  );
}
