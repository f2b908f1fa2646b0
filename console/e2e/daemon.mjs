// A daemon of a scenario's own, which it stops and starts, and a proxy before one.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const children = new Set();
process.on('exit', () => {
  for (const c of children) c.kill('SIGKILL');
});

/** start runs a program until it prints a line that begins with ready, and returns the rest of that line. */
export function start(program, args, ready, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  const ended = new Promise((done) => {
    child.once('exit', (code) => {
      children.delete(child);
      done(code);
    });
  });
  const printed = [];
  createInterface({ input: child.stderr }).on('line', (l) => printed.push(l));
  return new Promise((found, failed) => {
    createInterface({ input: child.stdout }).on('line', (l) => {
      printed.push(l);
      if (l.includes(ready)) found({ rest: l.slice(l.indexOf(ready) + ready.length).trim(), child, ended, printed });
    });
    child.once('error', failed);
    void ended.then((code) => failed(new Error(`${program} ended with ${code}:\n${printed.join('\n')}`)));
  });
}

/** dataDir makes a directory that is removed when the process ends. */
export async function dataDir() {
  const dir = await mkdtemp(join(tmpdir(), 'openecp-console-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** serve starts a daemon on a data directory and returns its address, its token and what stops it. */
export async function serve(dir, { listen = '127.0.0.1:0', args = [] } = {}) {
  const p = await start(process.env.CONSOLE_ECPD, ['serve', '--dev', '--listen', listen, '--data-dir', dir, ...args],
    'ecpd ready on ');
  const end = async (signal) => {
    p.child.kill(signal);
    await p.ended;
  };
  return {
    url: `${p.rest}/console/`,
    listen: new URL(p.rest).host,
    token: (await readFile(join(dir, 'token'), 'utf8')).trim(),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** proxyAt serves what is at target below a prefix, and nothing else, as a reverse proxy does. */
export async function proxyAt(prefix, target) {
  const server = http.createServer((req, res) => {
    if (!req.url.startsWith(prefix)) {
      res.writeHead(404).end('not below the prefix');
      return;
    }
    const to = new URL(target);
    const onward = http.request(
      { host: to.hostname, port: to.port, method: req.method, path: '/' + req.url.slice(prefix.length), headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode, answer.headers);
        answer.pipe(res);
      },
    );
    res.on('close', () => onward.destroy());
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
