import { useState } from 'preact/hooks';
import { Check, NumberField, Select, TextArea, TextField } from '../../../components';
import { lines } from '../../../spec/part';
import type { FormProps } from '../ChangeDialog';
import { hosted, patch, useChange } from './parts';
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
