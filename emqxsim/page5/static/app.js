// The front end keeps to what the one of EMQX 5 is known to do: every address is
// relative, so that it works below any prefix; the route is in the hash; what a
// login gave (a token, no password) stays in localStorage under uKV5 and goes
// with every call as Bearer; "#/login?login_meta=" hands such a login over.
'use strict';

const key = 'uKV5';
const home = '#/dashboard/overview';
const app = document.getElementById('app');
const menu = document.getElementById('menu');

function session() {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

async function call(method, path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const s = session();
  if (s) headers.Authorization = 'Bearer ' + s.token;
  const answer = await fetch('api/v5/' + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  let got = null;
  try {
    got = JSON.parse(text);
  } catch { /* not every answer has a body, or one of JSON */ }
  if (answer.ok) return got;
  if (answer.status === 401 && s) {
    localStorage.removeItem(key);
    location.hash = '#/login';
  }
  throw new Error((got && got.message) || 'The broker answers ' + answer.status + '.');
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

function problem(message) {
  const p = element('p', message);
  p.className = 'error';
  return p;
}

function login() {
  const form = element('form', null);
  const field = (name, type, autocomplete) => {
    const input = element('input', null);
    return Object.assign(input, { name, type, autocomplete, placeholder: name, required: true });
  };
  const error = problem('');
  form.append(field('username', 'text', 'username'), field('password', 'password', 'current-password'), element('button', 'Log in'), error);
  form.append(element('p', 'A simulated broker has the user admin with the password public.'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const username = form.username.value;
    try {
      const given = await call('POST', 'login', { username, password: form.password.value });
      localStorage.setItem(key, JSON.stringify({ username, ...given }));
      location.hash = home;
    } catch (e) {
      error.textContent = e.message;
    }
  });
  return form;
}

async function logout() {
  const s = session();
  if (s) await call('POST', 'logout', { username: s.username }).catch(() => null);
  localStorage.removeItem(key);
  location.hash = '#/login';
  return '';
}

const pages = {
  [home]: async () => table(['Node', 'Status', 'Role', 'Version', 'Connections'],
    (await call('GET', 'nodes')).map((n) => [n.node, n.node_status, n.role, n.version ?? '', n.live_connections ?? ''])),
  '#/clients': async () => table(['Client', 'User', 'Node', 'Connected'],
    (await call('GET', 'clients?page=1&limit=100')).data.map((c) => [c.clientid, c.username ?? '', c.node, c.connected])),
  '#/rule/rules': async () => table(['Rule', 'Enabled', 'SQL'],
    (await call('GET', 'rules?page=1&limit=100')).data.map((r) => [r.id, r.enable, r.sql])),
  '#/alarms': async () => table(['Node', 'Alarm', 'Message', 'Since'],
    (await call('GET', 'alarms?page=1&limit=100')).data.map((a) => [a.node, a.name, a.message, a.activate_at])),
  '#/login': async () => login(),
  '#/logout': logout,
};

function takeOver() {
  const handed = /[?&]login_meta=([^&]+)/.exec(location.hash);
  if (!handed) return;
  localStorage.setItem(key, atob(decodeURIComponent(handed[1])));
  location.hash = home;
}

async function show() {
  const route = session() ? location.hash || home : '#/login';
  menu.hidden = route === '#/login';
  try {
    app.replaceChildren(await (pages[route] || pages[home])());
  } catch (e) {
    app.replaceChildren(problem(e.message));
  }
}

window.addEventListener('hashchange', show);
takeOver();
show();
