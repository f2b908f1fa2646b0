import { useState } from 'preact/hooks';
import { send, type Schemas } from '../../api';
import { Badge, Button, Code, Dialog, Confirm, tc, TextField, Time, toast } from '../../components';
import { texts } from '../../i18n';
import { may, type Grant } from '../../rights';
import { resource } from './resource';
import { Expiry } from './secrets';
import { roleName, t as ta } from './texts';

const t = texts({
  'mb.disabled': ['disabled', '已停用'],
  'mb.active': ['active', '正常'],
  'mb.noPassword': ['no password', '无密码'],
  'mb.unlock': ['Unlock', '解锁'],
  'mb.unlockTitle': ['Unlock {{name}}?', '解锁用户 {{name}}？'],
  'mb.unlockAbout': [
    'After too many failed attempts logins wait. The next login of this user is looked at at once.',
    '多次登录失败后，后续登录需要等待。解锁后，该用户的下一次登录将立即处理。',
  ],
  'mb.address': ['Address the user logs in from', '用户登录所用的地址'],
  'mb.addressHint': [
    'While somebody goes on guessing: for 30 days, what is guessed elsewhere does not touch logins from there.',
    '仍有人在尝试猜测密码时填写：30 天内，来自其他地址的失败尝试不影响该地址的登录。',
  ],
  'mb.unlocked': ['{{name}} can log in again', '{{name}} 可以重新登录'],
  'mb.tokenTitle': ['Token {{name}}', '令牌 {{name}}'],
  'mb.tokenOnce': [
    'This is the only time that the token is shown. Copy it now and keep it safe.',
    '令牌仅显示这一次。请立即复制并妥善保存。',
  ],
  'mb.tokenKept': ['I have kept it', '我已保存'],
});

function Grants({ of }: { of: readonly Grant[] }) {
  return (
    <span class="admin-tags">
      {of.map((g) => {
        const reach = g.project ?? g.org;
        return (
          <span key={`${g.role} ${reach ?? ''}`} class="tag admin-grant-tag">
            {roleName(g.role)}{reach && <strong> {reach}</strong>}
          </span>
        );
      })}
    </span>
  );
}

const members = () => may('members');

function Unlock({ name }: { name: string }) {
  const [open, setOpen] = useState(false);
  const [address, setAddress] = useState('');
  const close = () => setOpen(false);
  const unlock = async () => {
    const q = address.trim() ? `?address=${encodeURIComponent(address.trim())}` : '';
    await send('POST', `users/${encodeURIComponent(name)}/unlock${q}`);
    toast(t('mb.unlocked', { name }));
  };
  return (
    <>
      <Button small kind="quiet" aria-label={`${t('mb.unlock')}: ${name}`} onClick={() => setOpen(true)}>{t('mb.unlock')}</Button>
      {open && (
        <Confirm title={t('mb.unlockTitle', { name })} action={t('mb.unlock')} onConfirm={unlock} onClose={close}>
          <p>{t('mb.unlockAbout')}</p>
          <TextField label={t('mb.address')} hint={t('mb.addressHint')} optional value={address} onValue={setAddress}
            placeholder="192.0.2.7" autocomplete="off" />
        </Confirm>
      )}
    </>
  );
}

export const Users = resource<Schemas['User']>({
  title: ['Users', '用户'],
  one: ['user', '用户'],
  path: 'users',
  kinds: ['user'],
  id: (u) => u.name,
  search: (u) => `${u.name} ${u.displayName} ${u.grants.map((g) => g.project ?? g.org ?? '').join(' ')}`,
  columns: [
    {
      id: 'name', head: ['Name', '用户名'], by: (u) => u.name,
      cell: (u) => <span class="admin-two"><strong>{u.name}</strong><span class="faint small">{u.displayName}</span></span>,
    },
    { id: 'grants', head: ['Grants', '授权'], cell: (u) => <Grants of={u.grants} /> },
    {
      id: 'state', head: ['State', '状态'], by: (u) => String(u.disabled),
      cell: (u) => (u.disabled ? <Badge tone="off">{t('mb.disabled')}</Badge>
        : u.passwordSet ? <Badge tone="ok">{t('mb.active')}</Badge> : <Badge tone="off">{t('mb.noPassword')}</Badge>),
    },
    { id: 'created', head: ['Created', '创建时间'], by: (u) => u.createdAt, cell: (u) => <Time at={u.createdAt} /> },
  ],
  fields: [
    {
      path: '/name', type: 'text', fixed: true, label: ['Name', '用户名'],
      hint: ['What one signs in with.', '用于登录。'],
    },
    { path: '/displayName', type: 'text', optional: true, label: ['Full name', '显示名称'] },
    {
      path: '/grants', type: 'grants', label: ['Grants', '授权'],
      hint: ['What the user may do: the sum of these.', '用户的权限为以下授权之和。'],
    },
    {
      path: '/password', type: 'password', optional: true, label: ['Password', '密码'],
      hint: [
        'At least 10 characters. Nobody can sign in without one; a new one ends the user’s sessions.',
        '至少 10 个字符。没有密码无法登录；设置新密码会结束该用户的会话。',
      ],
    },
    {
      path: '/disabled', type: 'check', only: 'edit', label: ['Disabled', '停用'],
      hint: ['Ends the sessions of the user.', '将结束该用户的会话。'],
    },
  ],
  byName: true,
  mayCreate: members, mayEdit: members, mayDelete: members,
  actions: (u) => (u.disabled ? null : <Unlock name={u.name} />),
});

export const Tokens = resource<Schemas['Token']>({
  title: ['API tokens', 'API 令牌'],
  one: ['API token', 'API 令牌'],
  path: 'tokens',
  kinds: ['token'],
  id: (x) => x.name,
  address: (x) => encodeURIComponent(x.id),
  search: (x) => `${x.name} ${x.id} ${x.createdBy} ${x.project ?? x.org ?? ''}`,
  columns: [
    {
      id: 'name', head: ['Name', '名称'], by: (x) => x.name,
      cell: (x) => <span class="admin-two"><strong>{x.name}</strong><code class="faint">{x.id}</code></span>,
    },
    { id: 'grant', head: ['Grant', '授权'], cell: (x) => <Grants of={[x]} /> },
    { id: 'by', head: ['Created by', '创建者'], by: (x) => x.createdBy, cell: (x) => x.createdBy },
    { id: 'created', head: ['Created', '创建时间'], by: (x) => x.createdAt, cell: (x) => <Time at={x.createdAt} /> },
    { id: 'used', head: ['Last used', '上次使用'], by: (x) => x.lastUsed ?? '', cell: (x) => <Time at={x.lastUsed} /> },
    {
      id: 'expires', head: ['Expires', '到期时间'], by: (x) => x.expiresAt ?? '9',
      cell: (x) => (x.expiresAt ? <Expiry at={x.expiresAt} /> : ta('admin.never')),
    },
  ],
  fields: [
    {
      path: '/name', type: 'text', label: ['Name', '名称'],
      hint: ['Under which it acts, with “token:” before it.', '以“token:”加此名称作为操作者。'],
    },
    { path: '/grant', type: 'grant', label: ['Grant', '授权'] },
    {
      path: '/expiresAt', type: 'datetime', optional: true, label: ['Expires', '到期时间'],
      hint: ['Never when left out.', '留空则永不过期。'],
    },
  ],
  deleteNote: [
    'Whatever uses it is refused from now on. This cannot be undone.',
    '使用此令牌的程序将立即被拒绝。此操作无法撤销。',
  ],
  mayCreate: members, mayDelete: members,
  made: (x, close) => (
    <Dialog title={t('mb.tokenTitle', { name: x.name })} footer={
      <Button kind="primary" onClick={close}>{t('mb.tokenKept')}</Button>
    }>
      <p>{t('mb.tokenOnce')}</p>
      <Code text={x.token ?? ''} what={tc('c.name')} />
    </Dialog>
  ),
});
