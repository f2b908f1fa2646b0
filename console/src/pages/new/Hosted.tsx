import { useState } from 'preact/hooks';
import { send, type Cluster, type Plan, type Problem } from '../../api';
import { newKey } from '../../change';
import { Button, Confirm, ErrorBox, Form, NumberField, PlanView, Select, tc, TextField, toast } from '../../components';
import { useAction } from '../../hooks';
import { num } from '../../i18n';
import { navigate } from '../../router';
import { fresh } from '../../spec/part';
import { Advanced, advancedPointers, type Parts } from './Advanced';
import { flatten } from '../cluster/differ';
import type { Choices } from './index';
import { firstProject, toFirstError } from './values';
import { t } from './words';

const shown = ['/name', '/project', '/description', '/spec/connections', '/spec/nodes', '/spec/size', '/spec/image',
  '/spec/network/type', '/spec/target', '/spec/storage', ...advancedPointers];
const networks = ['ClusterIP', 'NodePort', 'LoadBalancer'] as const;

export function Hosted({ choices: c }: { choices: Choices }) {
  const byDefault = <T extends { default: boolean }>(list: T[]) => list.find((x) => x.default) ?? list[0];
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [project, setProject] = useState(firstProject(c));
  const [connections, setConnections] = useState<number | undefined>(1000);
  const [nodes, setNodes] = useState<number | undefined>(3);
  const [size, setSize] = useState(byDefault(c.sizes)?.name ?? '');
  const [image, setImage] = useState(byDefault(c.images)?.id ?? '');
  const [network, setNetwork] = useState<string>('ClusterIP');
  const [target, setTarget] = useState((c.targets.find((x) => x.name === 'default') ?? c.targets[0])?.name ?? '');
  const [storage, setStorage] = useState('');
  const [parts, setParts] = useState<Parts>({});
  const [review, setReview] = useState<{ plan: Plan; key: string } | undefined>(undefined);
  const [sent, setSent] = useState<Problem | undefined>(undefined);

  const body = () => ({
    mode: 'hosted', name, description, project,
    spec: {
      nodes: nodes ?? 0, connections: connections ?? 0,
      ...(size ? { size } : {}), ...(image ? { image } : {}), ...(target ? { target } : {}),
      ...(storage.trim() ? { storage: storage.trim() } : {}),
      ...fresh(Object.assign({}, ...Object.values(parts)) as Record<string, unknown>),
    },
  });
  const unread = Object.values(parts).some((p) => p === undefined);
  const plan = useAction(async () => {
    setSent(undefined);
    if (unread) return toFirstError();
    try {
      const got = await send<Plan>('POST', 'clusters?dryRun=true', { body: body() });
      setReview({ plan: got, key: newKey() });
    } catch (err) {
      toFirstError();
      throw err;
    }
  });
  const create = async () => {
    if (!review) return;
    const headers = { 'if-plan': review.plan.hash, 'idempotency-key': review.key };
    const made = await send<Cluster>('POST', 'clusters', { body: body(), headers });
    toast(t('new.created', { name: made.name }));
    navigate(`/clusters/${made.id}`);
  };
  const error = sent ?? plan.error;
  const wrong = (p: string) => error?.field(p);
  const free = c.pool.connections - c.pool.usedConnections;
  return (
    <Form onSubmit={() => void plan.run()} class="form new-form">
      <section class="panel">
        <div class="panel-head"><h2>{t('new.basics')}</h2></div>
        <div class="panel-body form-grid">
          <TextField label={tc('c.name')} value={name} onValue={setName} hint={t('new.nameHint')} error={wrong('/name')}
            autocomplete="off" autofocus />
          <Select label={tc('c.project')} value={project} onValue={setProject} error={wrong('/project')}
            options={c.projects.map((p) => ({ value: p.path, label: p.path }))} />
          <TextField label={t('new.description')} optional value={description} onValue={setDescription}
            error={wrong('/description')} />
        </div>
      </section>
      <section class="panel">
        <div class="panel-head"><h2>{t('new.capacity')}</h2></div>
        <div class="panel-body form-grid">
          <NumberField label={tc('c.connections')} value={connections} onValue={setConnections} min={1}
            error={wrong('/spec/connections')}
            hint={t('new.connectionsHint', { free: num(free), all: num(c.pool.connections), largest: num(c.pool.largestCluster) })} />
          <NumberField label={tc('c.nodes')} value={nodes} onValue={setNodes} min={1} max={7} hint={t('new.nodesHint')}
            error={wrong('/spec/nodes')} />
          <Select label={t('new.size')} value={size} onValue={setSize} error={wrong('/spec/size')}
            options={c.sizes.map((s) => ({ value: s.name, label: t('new.sizeOf', {
              name: s.name, cpu: s.cpu.limit, memory: s.memory.limit, storage: s.storage.size }) }))} />
          <Select label={t('new.image')} value={image} onValue={setImage} error={wrong('/spec/image')}
            options={c.images.map((i) => ({ value: i.id,
              label: i.unverified ? t('new.unverified', { name: i.id }) : i.id }))} />
        </div>
      </section>
      <section class="panel">
        <div class="panel-head"><h2>{t('new.where')}</h2></div>
        <div class="panel-body form-grid">
          <Select label={t('new.network')} value={network} onValue={setNetwork} error={wrong('/spec/network/type')}
            options={networks.map((n) => ({ value: n, label: t(`new.${n}`) }))} />
          <Select label={t('new.target')} value={target} onValue={setTarget} error={wrong('/spec/target')}
            options={c.targets.map((x) => ({ value: x.name,
              label: x.health.reachable === 'True' ? x.name : t('new.targetDown', { name: x.name }) }))} />
          <TextField label={t('new.storage')} optional value={storage} onValue={setStorage} hint={t('new.storageHint')}
            error={wrong('/spec/storage')} spellcheck={false} />
        </div>
      </section>
      <Advanced network={network} problem={error} unread={unread} onPart={(name, p) => setParts((old) => ({ ...old, [name]: p }))} />
      {error && <ErrorBox problem={error} shown={shown} />}
      <div class="row end">
        <Button type="submit" kind="primary" busy={plan.busy}>{t('new.review')}</Button>
      </div>
      {review && (
        <Confirm wide title={t('new.planTitle', { name })} action={tc('c.create')} onConfirm={create}
          onClose={() => setReview(undefined)}
          onProblem={(p) => { if (p.errors.length > 0) { setReview(undefined); setSent(p); toFirstError(); } }}>
          <PlanView plan={review.plan} />
          <Asked spec={body().spec} />
        </Confirm>
      )}
    </Form>
  );
}

/** Asked shows all that is asked for. */
function Asked({ spec }: { spec: object }) {
  const all = new Map<string, string>();
  flatten(spec, '', all);
  return (
    <div class="note">
      <h3>{t('new.asked')}</h3>
      <dl class="facts">
        {[...all].map(([k, v]) => <div class="fact" key={k}><dt><code>{k}</code></dt><dd>{v}</dd></div>)}
      </dl>
    </div>
  );
}
