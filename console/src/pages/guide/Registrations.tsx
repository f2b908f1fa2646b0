import { useState } from 'preact/hooks';
import { api, ok } from '../../api';
import { Badge, Button, Confirm, Table, Time, type Column } from '../../components';
import { num } from '../../i18n';
import { validity, type Registration } from './diagnose';
import { t } from './words';

const names = { valid: 'guide.valid', expired: 'guide.isExpired', revoked: 'guide.isRevoked' } as const;

/** Registrations lists the tokens of a cluster; those that are valid can be revoked. */
export function Registrations({ id, list, onChange }: { id: string; list: Registration[]; onChange: () => void }) {
  const [revoke, setRevoke] = useState<Registration | undefined>(undefined);
  const columns: Column<Registration>[] = [
    { id: 'id', head: t('guide.token'), phone: true, cell: (r) => {
      const is = validity(r, Date.now());
      return (
        <div class="stack tight">
          <code>{r.id}</code>
          <span><Badge tone={is === 'valid' ? 'ok' : 'off'}>{t(names[is])}</Badge></span>
        </div>
      );
    } },
    { id: 'made', head: t('guide.made'), cell: (r) => <span title={r.createdBy}><Time at={r.createdAt} /></span> },
    { id: 'until', head: t('guide.until'), cell: (r) => <Time at={r.expiresAt} /> },
    { id: 'uses', head: t('guide.uses'), align: 'end', phone: true, cell: (r) => num(r.uses) },
    { id: 'do', head: '', align: 'end', phone: true, cell: (r) => validity(r, Date.now()) === 'valid' && (
      <Button small onClick={() => setRevoke(r)}>{t('guide.revoke')}</Button>
    ) },
  ];
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('guide.tokens')}</h2></div>
      <Table label={t('guide.tokens')} columns={columns} rows={list} rowKey={(r) => r.id} />
      {revoke && (
        <Confirm danger title={`${t('guide.revoke')} ${revoke.id}`} action={t('guide.revoke')} onClose={() => setRevoke(undefined)}
          onConfirm={async () => {
            await ok(api.DELETE('/api/v1/clusters/{id}/registrations/{token}', { params: { path: { id, token: revoke.id } } }));
            onChange();
          }}>
          <p>{t('guide.revokeText')}</p>
        </Confirm>
      )}
    </section>
  );
}
