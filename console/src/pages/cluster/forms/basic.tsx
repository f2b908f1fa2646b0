import { useState } from 'preact/hooks';
import { api, ok } from '../../../api';
import { changes } from '../../../change';
import { Check, NumberField, Select, TextArea, TextField, tc } from '../../../components';
import { useResource } from '../../../hooks';
import { useSizes } from '../../../spec/part';
import type { FormProps } from '../ChangeDialog';
import { adopted, hosted, patch, useChange, useImages } from './parts';
import { tf } from './words';

/** Now asks whether to wait for the maintenance window, where there is one. */
function Now({ cluster, now, onNow }: { cluster: FormProps['cluster']; now: boolean; onNow: (v: boolean) => void }) {
  if (cluster.mode !== 'hosted' || !hosted(cluster).maintenance?.windows?.length) return null;
  return <Check label={tf('f.now')} checked={now} onChecked={onNow} />;
}

export function Scale({ cluster, problem, onChange }: FormProps) {
  const [n, setN] = useState<number | undefined>(hosted(cluster).nodes);
  useChange(onChange, () => (n === undefined ? undefined : patch({ nodes: n })), [n]);
  return <NumberField label={tf('f.nodes')} hint={tf('f.nodesHint')} value={n} onValue={setN} min={1} error={problem?.field('/spec/nodes')} />;
}

export function Resize({ cluster, problem, onChange }: FormProps) {
  const sizes = useSizes();
  const [size, setSize] = useState(hosted(cluster).size ?? '');
  const [now, setNow] = useState(false);
  useChange(onChange, () => (size ? patch({ size }, now) : undefined), [size, now]);
  const options = (sizes.data ?? []).map((s) => ({
    value: s.name, label: `${s.name} · ${s.cpu.request} CPU · ${s.memory.request}${s.default ? ` (${tf('f.default')})` : ''}`,
  }));
  if (!options.some((o) => o.value === size)) options.unshift({ value: size, label: size || '–' });
  return (
    <>
      <Select label={tf('f.size')} value={size} onValue={setSize} options={options}
        error={problem?.field('/spec/size') ?? sizes.error?.detail} />
      <Now cluster={cluster} now={now} onNow={setNow} />
    </>
  );
}

export function ImageForm({ cluster, problem, onChange }: FormProps) {
  const images = useImages();
  const [image, setImage] = useState(hosted(cluster).image ?? '');
  const [now, setNow] = useState(false);
  useChange(onChange, () => (image ? patch({ image }, now) : undefined), [image, now]);
  const options = (images.data ?? []).map((i) => ({
    value: i.id, label: `${i.id} · ${i.version}${i.default ? ` (${tf('f.default')})` : ''}`,
  }));
  if (!options.some((o) => o.value === image)) options.unshift({ value: image, label: image || '–' });
  return (
    <>
      <Select label={tf('f.image')} value={image} onValue={setImage} options={options}
        error={problem?.field('/spec/image') ?? images.error?.detail} />
      <Now cluster={cluster} now={now} onNow={setNow} />
    </>
  );
}

export function Connections({ cluster, problem, onChange }: FormProps) {
  const [n, setN] = useState<number | undefined>(cluster.spec.connections ?? 0);
  const [now, setNow] = useState(false);
  useChange(onChange, () => (n === undefined ? undefined : patch({ connections: n }, now)), [n, now]);
  const hint = tf('f.connectionsHint') + (cluster.mode === 'adopted' ? ` ${tf('f.connectionsAdopted')}` : '');
  return (
    <>
      <NumberField label={tf('f.connections')} hint={hint} value={n} onValue={setN} min={0} error={problem?.field('/spec/connections')} />
      <Now cluster={cluster} now={now} onNow={setNow} />
    </>
  );
}

export function Restart({ cluster, onChange }: FormProps) {
  const [now, setNow] = useState(false);
  useChange(onChange, () => changes.restart(now), [now]);
  return (
    <>
      <p>{tf('f.restartText')}</p>
      <Now cluster={cluster} now={now} onNow={setNow} />
    </>
  );
}

/** volumeLost reports whether a node can run nowhere, because its volume is on a machine that has been removed. */
function volumeLost({ status }: FormProps['cluster']): boolean {
  return [status.reason, ...status.nodes.map((n) => n.reason), ...status.conditions.map((c) => c.reason)].includes('VolumeLost');
}

export function Repair({ cluster, onChange }: FormProps) {
  const [force, setForce] = useState(false);
  const [lost, setLost] = useState(false);
  useChange(onChange, () => changes.repair({ force, lostVolumes: lost }), [force, lost]);
  return (
    <>
      {volumeLost(cluster) && <Check label={tf('f.repairLost')} hint={tf('f.repairLostHint')} checked={lost} onChecked={setLost} />}
      <Check label={tf('f.repairForce')} hint={tf('f.repairForceHint')} checked={force} onChecked={setForce} />
    </>
  );
}

export function Remove({ cluster, onChange }: FormProps) {
  const [force, setForce] = useState(false);
  useChange(onChange, () => changes.remove(force), [force]);
  return (
    <>
      <p>{tf(cluster.mode === 'hosted' ? 'f.deleteText' : 'f.deleteAdopted')}</p>
      {['abnormal', 'stopping', 'deleting'].includes(cluster.status.state) || cluster.status.stale
        ? <Check label={tf('f.deleteForce')} checked={force} onChecked={setForce} /> : null}
    </>
  );
}

export function Describe({ cluster, problem, onChange }: FormProps) {
  const [name, setName] = useState(cluster.name);
  const [description, setDescription] = useState(cluster.description);
  useChange(onChange, () => changes.update({ name, description }), [name, description]);
  return (
    <>
      <TextField label={tf('f.name')} value={name} onValue={setName} error={problem?.field('/name')} />
      <TextArea label={tf('f.description')} optional value={description} onValue={setDescription} error={problem?.field('/description')} />
    </>
  );
}

export function Transfer({ cluster, problem, onChange }: FormProps) {
  const [to, setTo] = useState('');
  const projects = useResource(
    async (signal) => (await ok(api.GET('/api/v1/projects', { params: { query: { limit: 500 } }, signal }))).items, []);
  useChange(onChange, () => (to.trim() ? changes.transfer(to.trim()) : undefined), [to]);
  const others = (projects.data ?? []).map((p) => p.path).filter((p) => p !== cluster.project);
  const error = problem?.field('/project');
  if (projects.data && others.length > 0) {
    return (
      <Select label={tf('f.project')} hint={tf('f.projectHint')} value={to} onValue={setTo} error={error}
        options={[{ value: '', label: '–' }, ...others.map((p) => ({ value: p, label: p }))]} />
    );
  }
  return <TextField label={tf('f.project')} hint={tf('f.projectHint')} value={to} onValue={setTo} error={error} placeholder={tc('c.project')} />;
}

export function ServiceAddress({ cluster, problem, onChange }: FormProps) {
  const [url, setURL] = useState(adopted(cluster).serviceAddress ?? '');
  useChange(onChange, () => patch({ serviceAddress: url.trim() || null }), [url]);
  return <TextField type="url" label={tf('f.address')} hint={tf('f.addressHint')} optional value={url} onValue={setURL}
    error={problem?.field('/spec/serviceAddress')} />;
}
