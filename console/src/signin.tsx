import { useState } from 'preact/hooks';
import { Button, ErrorBox } from './components/basic';
import { Dialog } from './components/Dialog';
import { Form, Segments, TextField } from './components/form';
import { useAction } from './hooks';
import { texts } from './i18n';
import { Brand, Switches } from './layout';
import { me, signIn, signOut } from './store';

const t = texts({
  's.title': ['Sign in', '登录'],
  's.how': ['How to sign in', '登录方式'],
  's.byName': ['Name and password', '用户名和密码'],
  's.byToken': ['Token', '令牌'],
  's.name': ['User name', '用户名'],
  's.password': ['Password', '密码'],
  's.token': ['API token', 'API 令牌'],
  's.tokenHint': ['As an administrator has given it to you.', '由管理员提供。'],
  's.submit': ['Sign in', '登录'],
  's.expired': ['Your session has ended', '会话已过期'],
  's.expiredText': ['Sign in again to go on. What you have typed is still there.', '请重新登录后继续。已输入的内容不会丢失。'],
  's.leave': ['Leave', '退出'],
});

function SignInForm({ name: known }: { name?: string | undefined }) {
  const [how, setHow] = useState(known?.startsWith('token:') ? 'token' : 'name');
  const [name, setName] = useState(known?.startsWith('token:') ? '' : (known ?? ''));
  const [password, setPassword] = useState('');
  const [token, setToken] = useState('');
  const act = useAction(() => signIn(how === 'token' ? { token: token.trim() } : { name, password }));
  const error = (p: string) => act.error?.field(p);
  return (
    <Form onSubmit={() => void act.run()}>
      <Segments label={t('s.how')} value={how} onValue={(v) => { setHow(v); act.clear(); }}
        options={[{ value: 'name', label: t('s.byName') }, { value: 'token', label: t('s.byToken') }]} />
      {how === 'name' ? (
        <>
          <TextField key="name" label={t('s.name')} value={name} onValue={setName} autocomplete="username" autofocus={!name}
            spellcheck={false} error={error('/name')} />
          <TextField key="password" label={t('s.password')} type="password" value={password} onValue={setPassword}
            autocomplete="current-password" autofocus={Boolean(name)} error={error('/password')} />
        </>
      ) : (
        <TextField key="token" label={t('s.token')} hint={t('s.tokenHint')} type="password" value={token} onValue={setToken}
          autocomplete="off" autofocus error={error('/token')} />
      )}
      {act.error && <ErrorBox problem={act.error} shown={['/name', '/password', '/token']} />}
      <Button type="submit" kind="primary" busy={act.busy} disabled={how === 'token' ? !token : !name || !password}>
        {t('s.submit')}
      </Button>
    </Form>
  );
}

export function SignInPage() {
  return (
    <main class="signin">
      <div class="panel">
        <div class="row between">
          <Brand />
          <span class="row"><Switches /></span>
        </div>
        <h1>{t('s.title')}</h1>
        <SignInForm />
      </div>
    </main>
  );
}

/** SessionExpired lies over the page, which keeps what was typed into it. */
export function SessionExpired() {
  return (
    <Dialog title={t('s.expired')} footer={<Button onClick={() => void signOut()}>{t('s.leave')}</Button>}>
      <p>{t('s.expiredText')}</p>
      <SignInForm name={me.value?.name} />
    </Dialog>
  );
}
