import { useRef, useState } from 'preact/hooks';
import { send, type Cluster } from '../../api';
import { newKey } from '../../change';
import { Button, ErrorBox, Form, Select, tc, TextField } from '../../components';
import { useAction } from '../../hooks';
import { navigate } from '../../router';
import type { Choices } from './index';
import { firstProject, toFirstError } from './values';
import { t } from './words';

export function Adopted({ choices: c }: { choices: Choices }) {
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [project, setProject] = useState(firstProject(c));
  const [address, setAddress] = useState('');
  const key = useRef({ body: '', key: '' });
  const act = useAction(async () => {
    const body = { mode: 'adopted', name, description, project, spec: address.trim() ? { serviceAddress: address.trim() } : {} };
    const text = JSON.stringify(body);
    // The same form sent again, after an answer that was lost, makes no second cluster.
    if (key.current.body !== text) key.current = { body: text, key: newKey() };
    try {
      const made = await send<Cluster>('POST', 'clusters', { body, headers: { 'idempotency-key': key.current.key } });
      navigate(`/clusters/${made.id}/guide`);
    } catch (err) {
      toFirstError();
      throw err;
    }
  });
  const wrong = (p: string) => act.error?.field(p);
  return (
    <Form onSubmit={() => void act.run()} class="form new-form">
      <section class="panel">
        <div class="panel-head"><h2>{t('new.basics')}</h2></div>
        <div class="panel-body form-grid">
          <TextField label={tc('c.name')} value={name} onValue={setName} hint={t('new.nameHint')} error={wrong('/name')}
            autocomplete="off" autofocus />
          <Select label={tc('c.project')} value={project} onValue={setProject} error={wrong('/project')}
            options={c.projects.map((p) => ({ value: p.path, label: p.path }))} />
          <TextField label={t('new.service')} optional type="url" value={address} onValue={setAddress}
            hint={t('new.serviceHint')} error={wrong('/spec/serviceAddress')} spellcheck={false} />
          <TextField label={t('new.description')} optional value={description} onValue={setDescription}
            error={wrong('/description')} />
        </div>
      </section>
      {act.error && <ErrorBox problem={act.error} shown={['/name', '/project', '/description', '/spec/serviceAddress']} />}
      <div class="row end">
        <Button type="submit" kind="primary" busy={act.busy}>{t('new.next')}</Button>
      </div>
    </Form>
  );
}
