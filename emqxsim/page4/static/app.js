// The front end keeps to what the one of EMQX 4.4 is known to do: every address
// is relative, so that it works below any prefix; the route is in the hash; and
// name and password of the user, not a token, stay in the browser under uK and
// go with every call as Basic.
'use strict';

const key = 'uK';
const app = document.getElementById('app');
const menu = document.getElementById('menu');

const stored = () => localStorage.getItem(key) || sessionStorage.getItem(key);
const forget = () => { localStorage.removeItem(key); sessionStorage.removeItem(key); };

function remember(user, keep) {
  (keep ? localStorage : sessionStorage).setItem(key, btoa(encodeURIComponent(JSON.stringify(user))));
}

function user() {
  try {
    return JSON.parse(decodeURIComponent(atob(stored())));
  } catch {
    return null;
  }
}

async function call(method, path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const u = user();
  if (u) headers.Authorization = 'Basic ' + btoa(u.username + ':' + u.password);
  const answer = await fetch('api/v4/' + path, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status === 401) {
    forget();
    location.hash = '#/login';
    throw new Error('Log in first.');
  }
  if (!answer.ok) throw new Error(await answer.text());
  const got = await answer.json();
  if (got.code !== 0) throw new Error(got.message || 'code ' + got.code);
  return got.data;
}

function element(name, text, ...children) {
  const e = document.createElement(name);
  if (text !== null) e.textContent = text;
  e.append(...children);
  return e;
}

function table(columns, rows) {
  const head = element('tr', null, ...columns.map((c) => element('th', c)));
  return element('table', null, head, ...rows.map((r) => element('tr', null, ...r.map((v) => element('td', String(v))))));
}

function login() {
  forget();
  const form = element('form', null);
  const field = (name, type) => {
    const input = element('input', null);
    Object.assign(input, { name, type, placeholder: name, required: type !== 'checkbox', autocomplete: type === 'password' ? 'current-password' : 'username' });
    return input;
  };
  const keep = field('remember', 'checkbox');
  const error = element('p', '');
  error.className = 'error';
  form.append(field('username', 'text'), field('password', 'password'), element('label', null, keep, ' remember me'), element('button', 'Log in'), error);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const u = { username: form.username.value, password: form.password.value };
    try {
      await call('POST', 'auth', u);
      remember(u, keep.checked);
      location.hash = '#/';
    } catch (e) {
      error.textContent = e.message;
    }
  });
  return form;
}

const pages = {
  '#/': async () => table(['Node', 'Status', 'Version', 'Uptime', 'Connections'],
    (await call('GET', 'nodes')).map((n) => [n.node, n.node_status, n.version, n.uptime, n.connections])),
  '#/clients': async () => table(['Client', 'User', 'Node', 'Connected'],
    (await call('GET', 'clients?_page=1&_limit=100')).map((c) => [c.clientid, c.username, c.node, c.connected])),
  '#/rules': async () => table(['Rule', 'Enabled', 'SQL'],
    (await call('GET', 'rules?_page=1&_limit=100')).map((r) => [r.id, r.enabled, r.rawsql])),
  '#/alarms': async () => table(['Node', 'Alarm', 'Message', 'Active'],
    (await call('GET', 'alarms')).flatMap((n) => n.alarms.map((a) => [n.node, a.name, a.message, a.activated]))),
  '#/login': async () => login(),
};

async function show() {
  const route = user() ? location.hash || '#/' : '#/login';
  menu.hidden = route === '#/login';
  try {
    app.replaceChildren(await (pages[route] || pages['#/'])());
  } catch (e) {
    const p = element('p', e.message);
    p.className = 'error';
    app.replaceChildren(p);
  }
}

window.addEventListener('hashchange', show);
show();
