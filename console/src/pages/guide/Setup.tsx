import { useState } from 'preact/hooks';
import { api, ok } from '../../api';
import { newKey } from '../../change';
import { Button, Code, ErrorBox, Segments, Select, Time } from '../../components';
import { useAction } from '../../hooks';
import { label } from '../../i18n';
import type { Made } from './index';
import { t } from './words';

const methods = ['binary', 'container', 'kubernetes'] as const;
const archs = ['amd64', 'arm64', 'arm'] as const;
const lives = ['1', '24', '168', '720'] as const;
type Method = (typeof methods)[number];

/** Setup asks for what decides the steps, makes a token and shows the steps with it. */
export function Setup({ id, made, onMade }: { id: string; made: Made | undefined; onMade: (m: Made) => void }) {
  const [method, setMethod] = useState<Method>('binary');
  const [arch, setArch] = useState<(typeof archs)[number]>('amd64');
  const [life, setLife] = useState<string>('24');
  const act = useAction(async () => {
    const setup = await ok(api.POST('/api/v1/clusters/{id}/setup', {
      params: { path: { id }, header: { 'Idempotency-Key': newKey() } },
      body: { method, ...(method === 'kubernetes' ? {} : { arch }), life: `${life}h` },
    }));
    onMade({ setup, at: Date.now() });
  });
  const setup = made?.setup;
  const other = setup && (setup.method !== method || (method !== 'kubernetes' && setup.arch !== arch));
  return (
    <div class="stack">
      <section class="panel">
        <div class="panel-body">
          <div class="field">
            <span class="legend">{t('guide.method')}</span>
            <Segments label={t('guide.method')} value={method} onValue={(v) => setMethod(v as Method)}
              options={methods.map((m) => ({ value: m, label: t(`guide.${m}`) }))} />
            <p class="hint">{t(`guide.${method}Text`)}</p>
          </div>
          {method !== 'kubernetes' && (
            <div class="field">
              <span class="legend">{t('guide.arch')}</span>
              <Segments label={t('guide.arch')} value={arch} onValue={(v) => setArch(v as (typeof archs)[number])}
                options={archs.map((a) => ({ value: a, label: a.toUpperCase() }))} />
            </div>
          )}
          <div class="row wrap guide-make">
            <Select label={t('guide.life')} value={life} onValue={setLife}
              options={lives.map((h) => ({ value: h, label: t(`guide.h${h}`) }))} />
            <Button kind={made && !other ? 'plain' : 'primary'} busy={act.busy} onClick={() => void act.run()}>
              {made ? t('guide.makeNew') : t('guide.make')}
            </Button>
          </div>
          <p class="hint">{t('guide.makeHint')}</p>
          {other && <p class="note" role="status">{t('guide.changed')}</p>}
          {act.error && <ErrorBox problem={act.error} />}
        </div>
      </section>
      {setup && (
        <section class="panel">
          <div class="panel-body">
            <p class="row wrap small">
              <span class="faint">{t('guide.expires')}</span> <Time at={setup.expiresAt} />
              <span class="faint">{t('guide.address')}</span> <code>{setup.url}</code>
            </p>
            <ol class="guide-steps">
              {(setup.steps ?? []).map((s) => (
                <li key={s.number}>
                  <h2><span class="guide-number" aria-hidden="true">{s.number}</span>{label(s.title)}</h2>
                  <p class="guide-text">{label(s.text)}</p>
                  {s.command && <Code text={s.command} what={label(s.title)} />}
                </li>
              ))}
            </ol>
          </div>
        </section>
      )}
    </div>
  );
}
