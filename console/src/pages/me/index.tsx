import { useState } from 'preact/hooks';
import { api, ok, Problem } from '../../api';
import { Button, ErrorBox, Form, tc, TextField, toast } from '../../components';
import { useAction, useResource } from '../../hooks';
import { texts } from '../../i18n';
import { me, sessionEnded, signOut } from '../../store';

const t = texts({
  'me.title': ['My account', '我的账号'],
  'me.who': ['Signed in as', '当前登录'],
  'me.grants': ['Roles', '角色'],
  'me.everything': ['everything', '全部'],
  'me.password': ['Password', '密码'],
  'me.byToken': ['You are signed in with an API token, which has no password.', '当前使用 API 令牌登录，没有密码。'],
  'me.current': ['Current password', '当前密码'],
  'me.next': ['New password', '新密码'],
  'me.again': ['New password again', '再次输入新密码'],
  'me.differ': ['The two are not the same.', '两次输入不一致。'],
  'me.ends': ['All your sessions end with the change, this one too: sign in again with the new password.', '修改后所有会话（包括当前会话）都会结束，请使用新密码重新登录。'],
  'me.change': ['Change password', '修改密码'],
  'me.changed': ['The password was changed. Sign in with the new one.', '密码已修改，请使用新密码登录。'],
  'me.about': ['About', '关于'],
  'me.version': ['Version of the server', '服务器版本'],
  'me.licenses': ['Licenses of the libraries in this console', '本控制台所含第三方库的许可证'],
  'me.docs': ['Documentation', '文档'],
  'me.apiDocs': ['The API', 'API 文档'],
  'me.signOut': ['Sign out', '退出登录'],
});

function Password() {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const act = useAction(async () => {
    if (next !== again) throw new Problem(422, 'invalid', t('me.differ'), [{ pointer: '/again', detail: t('me.differ') }]);
    await ok(api.POST('/api/v1/me/password', { body: { currentPassword: current, password: next } }));
    toast(t('me.changed'));
    sessionEnded();
  });
  const wrong = (p: string) => act.error?.field(p);
  return (
    <Form onSubmit={() => void act.run()}>
      <input class="sr" type="text" name="username" autocomplete="username" value={me.value?.name} readOnly tabIndex={-1}
        aria-hidden="true" />
      <TextField label={t('me.current')} type="password" value={current} onValue={setCurrent} autocomplete="current-password"
        error={wrong('/currentPassword')} />
      <TextField label={t('me.next')} type="password" value={next} onValue={setNext} autocomplete="new-password"
        error={wrong('/password')} />
      <TextField label={t('me.again')} type="password" value={again} onValue={setAgain} autocomplete="new-password"
        error={wrong('/again')} />
      <p class="hint">{t('me.ends')}</p>
      {act.error && <ErrorBox problem={act.error} shown={['/currentPassword', '/password', '/again']} />}
      <div class="row end">
        <Button type="submit" kind="primary" busy={act.busy} disabled={!current || !next || !again}>{t('me.change')}</Button>
      </div>
    </Form>
  );
}

function About() {
  const version = useResource((signal) => ok(api.GET('/api/v1/version', { signal })), []);
  return (
    <section class="panel">
      <div class="panel-head"><h2>{t('me.about')}</h2></div>
      <div class="panel-body">
        <dl class="facts">
          <div class="fact"><dt>{t('me.version')}</dt><dd>{version.data?.version ?? '–'}</dd></div>
        </dl>
        <ul>
          <li><a href="../docs/">{t('me.docs')}</a></li>
          <li><a href="../docs/api">{t('me.apiDocs')}</a></li>
          <li><a href="./third-party-licenses.txt">{t('me.licenses')}</a></li>
        </ul>
      </div>
    </section>
  );
}

export default function Page() {
  const who = me.value;
  if (!who) return null;
  return (
    <>
      <div class="page-head">
        <h1>{t('me.title')}</h1>
        <div class="actions"><Button onClick={() => void signOut().catch((e: unknown) => toast(String(e), 'bad'))}>{t('me.signOut')}</Button></div>
      </div>
      <div class="columns">
        <section class="panel">
          <div class="panel-head"><h2>{t('me.who')}</h2></div>
          <div class="panel-body">
            <dl class="facts">
              <div class="fact"><dt>{tc('c.name')}</dt><dd>{who.name}</dd></div>
              <div class="fact">
                <dt>{t('me.grants')}</dt>
                <dd>
                  {who.grants.map((g) => (
                    <div key={`${g.role} ${g.org ?? ''} ${g.project ?? ''}`}>
                      <code>{g.role}</code> <span class="faint">{g.project ?? g.org ?? t('me.everything')}</span>
                    </div>
                  ))}
                </dd>
              </div>
            </dl>
          </div>
        </section>
        <section class="panel">
          <div class="panel-head"><h2>{t('me.password')}</h2></div>
          <div class="panel-body">{who.name.startsWith('token:') ? <p>{t('me.byToken')}</p> : <Password />}</div>
        </section>
        <About />
      </div>
    </>
  );
}
