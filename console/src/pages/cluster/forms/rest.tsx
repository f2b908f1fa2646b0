import { useState } from 'preact/hooks';
import { Check, NumberField, Select, TextArea, TextField } from '../../../components';
import type { FormProps } from '../ChangeDialog';
import { hosted, lines, pairs, patch, replaced, unpairs, useChange } from './parts';
import { tf } from './words';

export function EvacuationForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).evacuation;
  const [rate, setRate] = useState(was?.rate || undefined);
  const [deadline, setDeadline] = useState(was?.deadline || undefined);
  const [on, setOn] = useState<string>(was?.onDeadline ?? 'go-on');
  useChange(onChange,
    () => patch({ evacuation: { rate: rate ?? null, deadline: deadline ?? null, onDeadline: on } }), [rate, deadline, on]);
  return (
    <>
      <NumberField label={tf('f.rate')} hint={tf('f.leaveDefault', { value: 500 })} value={rate} onValue={setRate} min={1}
        error={problem?.field('/spec/evacuation/rate')} />
      <NumberField label={tf('f.deadline')} hint={tf('f.leaveDefault', { value: 600 })} value={deadline} onValue={setDeadline}
        min={1} error={problem?.field('/spec/evacuation/deadline')} />
      <Select label={tf('f.onDeadline')} value={on} onValue={setOn} error={problem?.field('/spec/evacuation/onDeadline')}
        options={[{ value: 'go-on', label: tf('f.goOn') }, { value: 'stop', label: tf('f.stop') }]} />
    </>
  );
}

export function HibernationForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).hibernation;
  const [sleep, setSleep] = useState(was?.sleep ?? '');
  const [wake, setWake] = useState(was?.wake ?? '');
  const [zone, setZone] = useState(was?.timeZone ?? '');
  const [keep, setKeep] = useState(was?.keepQuota ?? false);
  const [off, setOff] = useState(false);
  useChange(onChange, () => patch({
    hibernation: off ? null : { sleep: sleep || null, wake: wake || null, timeZone: zone || null, keepQuota: keep },
  }), [sleep, wake, zone, keep, off]);
  const at = (f: string) => problem?.field(`/spec/hibernation/${f}`);
  return (
    <>
      {was && <Check label={tf('f.off')} checked={off} onChecked={setOff} />}
      {!off && (
        <>
          <TextField label={tf('f.sleep')} hint={tf('f.cron')} value={sleep} onValue={setSleep} error={at('sleep')} />
          <TextField label={tf('f.wake')} hint={tf('f.cron')} value={wake} onValue={setWake} error={at('wake')} />
          <TextField label={tf('f.timeZone')} hint={tf('f.timeZoneHint')} optional value={zone} onValue={setZone} error={at('timeZone')} />
          <Check label={tf('f.keepQuota')} checked={keep} onChecked={setKeep} />
        </>
      )}
    </>
  );
}

export function MaintenanceForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).maintenance;
  const [text, setText] = useState((was?.windows ?? []).map((w) => `${w.start} ${w.duration}`).join('\n'));
  const [zone, setZone] = useState(was?.timeZone ?? '');
  const split = lines(text).map((line) => ({ line, parts: line.split(/\s+/) }));
  const bad = split.find((s) => s.parts.length !== 6)?.line;
  useChange(onChange, () => {
    if (bad !== undefined) return undefined;
    if (split.length === 0) return patch({ maintenance: null });
    const windows = split.map(({ parts }) => ({ start: parts.slice(0, 5).join(' '), duration: parts[5] }));
    return patch({ maintenance: { windows, timeZone: zone || null } });
  }, [text, zone]);
  return (
    <>
      <TextArea label={tf('f.windows')} hint={tf('f.windowsHint')} mono value={text} onValue={setText}
        error={bad !== undefined ? tf('f.badWindow', { line: bad }) : problem?.field('/spec/maintenance/windows')} />
      <TextField label={tf('f.timeZone')} hint={tf('f.timeZoneHint')} optional value={zone} onValue={setZone}
        error={problem?.field('/spec/maintenance/timeZone')} />
    </>
  );
}

type Toleration = { key?: string; value?: string; effect?: string; operator?: string };

function toleration(line: string): Toleration {
  const [left = '', effect] = line.split(':');
  const [key = '', value] = left.split('=');
  return { key, operator: value === undefined ? 'Exists' : 'Equal', ...(value ? { value } : {}), ...(effect ? { effect } : {}) };
}

export function PlacementForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).placement;
  const [selector, setSelector] = useState(unpairs(was?.nodeSelector));
  const [tolerations, setTolerations] = useState((was?.tolerations ?? [])
    .map((x) => `${x.key ?? ''}${x.value ? `=${x.value}` : ''}${x.effect ? `:${x.effect}` : ''}`).join('\n'));
  const { values, bad } = pairs(selector);
  useChange(onChange, () => (bad !== undefined ? undefined : patch({
    placement: { nodeSelector: replaced(was?.nodeSelector, values), tolerations: lines(tolerations).map(toleration) },
  })), [selector, tolerations]);
  return (
    <>
      <TextArea label={tf('f.nodeSelector')} hint={tf('f.lines')} optional mono value={selector} onValue={setSelector}
        error={bad !== undefined ? tf('f.badLine', { line: bad }) : problem?.field('/spec/placement/nodeSelector')} />
      <TextArea label={tf('f.tolerations')} hint={tf('f.tolerationsHint')} optional mono value={tolerations}
        onValue={setTolerations} error={problem?.field('/spec/placement/tolerations')} />
    </>
  );
}

export function ConfigForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).config;
  const [text, setText] = useState(unpairs(was));
  const { values, bad } = pairs(text);
  useChange(onChange, () => (bad !== undefined ? undefined : patch({ config: replaced(was, values) })), [text]);
  return (
    <TextArea label={tf('f.config')} hint={tf('f.configHint')} rows={12} mono value={text} onValue={setText}
      error={bad !== undefined ? tf('f.badLine', { line: bad }) : problem?.field('/spec/config')} />
  );
}

const protocols = ['mqtt', 'mqtts', 'ws', 'wss'] as const;
const usual = { mqtt: 1883, mqtts: 8883, ws: 8083, wss: 8084 } as const;
const types = ['ClusterIP', 'NodePort', 'LoadBalancer'];

export function NetworkForm({ cluster, problem, onChange }: FormProps) {
  const was = hosted(cluster).network;
  const [type, setType] = useState<string>(was?.type ?? 'ClusterIP');
  const [lb, setLB] = useState(was?.loadBalancerClass ?? '');
  const [certificate, setCertificate] = useState(was?.certificate ?? '');
  const [annotations, setAnnotations] = useState(unpairs(was?.annotations));
  const [ports, setPorts] = useState<Record<string, number | undefined>>(() => Object.fromEntries(
    was?.listeners?.length ? was.listeners.map((l) => [l.protocol, l.port || usual[l.protocol]]) : Object.entries(usual)));
  const { values, bad } = pairs(annotations);
  useChange(onChange, () => {
    const listeners = protocols.filter((p) => p in ports).map((p) => ({ protocol: p, port: ports[p] ?? 0 }));
    if (bad !== undefined) return undefined;
    return patch({ network: {
      type, listeners, certificate: certificate || null, annotations: replaced(was?.annotations, values),
      loadBalancerClass: type === 'LoadBalancer' && lb ? lb : null,
    } });
  }, [type, lb, certificate, annotations, ports]);
  const toggle = (p: string, on: boolean, port: number) => setPorts((old) => {
    const { [p]: _, ...rest } = old;
    return on ? { ...rest, [p]: port } : rest;
  });
  const at = (f: string) => problem?.field(`/spec/network/${f}`);
  return (
    <>
      <Select label={tf('f.type')} value={type} onValue={setType} options={types.map((x) => ({ value: x, label: x }))} error={at('type')} />
      {type === 'LoadBalancer' && <TextField label={tf('f.lbClass')} optional value={lb} onValue={setLB} error={at('loadBalancerClass')} />}
      <fieldset class="form">
        <legend class="legend">{tf('f.listeners')}</legend>
        <div class="form-grid">
          {protocols.map((p) => (
            <div class="cl-listener" key={p}>
              <Check label={p} checked={p in ports} onChecked={(on) => toggle(p, on, usual[p])} />
              <NumberField label={tf('f.port', { protocol: p })} disabled={!(p in ports)} min={1} max={65535} value={ports[p]}
                onValue={(v) => setPorts((old) => ({ ...old, [p]: v }))} />
            </div>
          ))}
        </div>
        {at('listeners') && <p class="field-error" role="alert">{at('listeners')}</p>}
      </fieldset>
      <TextField label={tf('f.certificate')} hint={tf('f.certificateHint')} optional value={certificate} onValue={setCertificate} error={at('certificate')} />
      <TextArea label={tf('f.annotations')} hint={tf('f.lines')} optional mono rows={3} value={annotations} onValue={setAnnotations}
        error={bad !== undefined ? tf('f.badLine', { line: bad }) : at('annotations')} />
    </>
  );
}
