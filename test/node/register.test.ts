/** `node --import uasync/register`: programs that know nothing of uasync. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { scratchFolder, until } from '../harness.js';
import { ROOT } from '../programs.js';
import { registered } from './registered.js';

const folder = scratchFolder();
const run = registered(folder);

const KIND = `const kind = socket => socket._handle.constructor.name;`;
const ECHO = `
  import http from 'node:http';
  import net from 'node:net';
  ${KIND}
  const server = http.createServer((request, response) => {
    response.end(kind(request.socket));
  });
  server.listen(0, '127.0.0.1', async () => {
    const socket = net.connect(server.address().port, '127.0.0.1');
    socket.end('GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n');
    let answer = '';
    for await (const chunk of socket.setEncoding('utf8')) answer += chunk;
    console.log(kind(server), answer.split('\\r\\n\\r\\n')[1]);
    server.close();
  });
`;

t.test('http and net are on the loop', async t => {
  const { stdout, stderr } = await run(ECHO);
  t.equal(stdout, 'TcpHandle TcpHandle\n');
  t.equal(stderr, '');
});

t.test('UASYNC_REGISTER switches it off, or parts of it; by default only files are on the loop', async t => {
  t.equal((await run(ECHO, { env: { UASYNC_REGISTER: '' } })).stdout, 'TCP TCP\n');
  t.equal((await run(ECHO, { env: { UASYNC_REGISTER: 'off' } })).stdout, 'TCP TCP\n');
  t.equal((await run(ECHO, { env: { UASYNC_REGISTER: 'clients' } })).stdout, 'TCP TCP\n');
  t.equal((await run(ECHO, { env: { UASYNC_REGISTER: 'servers' } })).stdout, 'TcpHandle TcpHandle\n');
  const { stderr } = await run(ECHO, { env: { UASYNC_REGISTER: 'nets' } });
  t.match(stderr, "UASYNC_REGISTER does not know 'nets'");
});

t.test('register() by the program', async t => {
  const { stdout } = await run(
    `
    import { register } from 'uasync/register';
    import { createRequire } from 'node:module';
    ${KIND}
    const net = createRequire(import.meta.url)('node:net');
    console.log(JSON.stringify(register({ servers: false })));
    const server = net.createServer().listen(0, () => {
      const client = net.connect(server.address().port, () => {
        console.log(kind(server), kind(client));
        client.destroy();
        server.close();
      });
    });
    for (const wrong of [{ sockets: true }, { clients: false, fs: 'no' }, { dgram: 0 }, { fs: null }, [], 1, null, 'fs', () => {}]) {
      try { register(wrong); console.log('taken'); } catch (error) { console.log(error.name, error.code, error.message.split('.')[0]); }
    }
    console.log(JSON.stringify(register({ fs: undefined })));
  `.replaceAll("'uasync/register'", `'${ROOT}dist/bundle/register.js'`),
  );
  t.equal(
    stdout,
    [
      '{"servers":false,"clients":true,"dgram":true,"fs":true}',
      "TypeError ERR_INVALID_ARG_VALUE The property 'options",
      ...Array(3).fill('TypeError ERR_INVALID_ARG_TYPE The "options'),
      ...Array(5).fill('TypeError ERR_INVALID_ARG_TYPE The "options" argument must be an object'),
      '{"servers":false,"clients":true,"dgram":true,"fs":true}',
      'TCP TcpHandle',
      '',
    ].join('\n'),
  );
});

t.test('a Node that has changed keeps its own modules, and one warning says why', async t => {
  const change = join(folder, 'change.cjs');
  writeFileSync(change, 'process._tickCallback = 1;');
  const { stdout, stderr } = await run(
    "import net from 'node:net'; net.connect(1).on('error', () => console.log('runs'));",
    {
      args: ['--require', change],
    },
  );
  t.equal(stdout, 'runs\n');
  t.match(stderr, /node:net stays as it is: on Node v[\d.]+ process\._tickCallback is missing/);
  t.equal(stderr.match(/stays as it is/g)?.length, 1);
});

t.test('with --permission nothing changes', async t => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const net = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];
  const { stdout } = await run(ECHO, { args: [flag, '--allow-fs-read=*', ...net] });
  t.equal(stdout, 'TCP TCP\n');
});

t.test('workers too, also one that is terminated', async t => {
  const worker = join(folder, 'worker.cjs');
  writeFileSync(
    worker,
    `const net = require('node:net');
    const { parentPort } = require('node:worker_threads');
    const server = net.createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1', () => {
      parentPort.postMessage([server.address().port, server._handle.constructor.name]);
    });`,
  );
  const { stdout } = await run(`
    import net from 'node:net';
    import { Worker } from 'node:worker_threads';
    ${KIND}
    const worker = new Worker(${JSON.stringify(worker)});
    const [port, name] = await new Promise(resolve => worker.once('message', resolve));
    const client = net.connect(port, '127.0.0.1');
    client.write('there and back');
    const answer = await new Promise(resolve => client.once('data', resolve));
    console.log(name, kind(client), String(answer));
    const closed = new Promise(resolve => client.once('close', resolve));
    client.on('error', () => {}).resume();
    await worker.terminate();
    await closed;
    console.log('closed');
  `);
  t.equal(stdout, 'TcpHandle TcpHandle there and back\nclosed\n');
});

t.test('what was written leaves before process.exit(), and before an uncaught error', async t => {
  for (const end of ['process.exit()', "queueMicrotask(() => { throw new Error('expected'); })"]) {
    const { stdout } = await run(`
      import { execFile } from 'node:child_process';
      import net from 'node:net';
      if (process.argv[2] === undefined) {
        const server = net.createServer(socket => {
          let text = '';
          socket.on('data', data => { text += data; });
          socket.on('error', error => { text += error.code; });
          socket.on('close', () => { console.log(text); server.close(); });
        }).listen(0, '127.0.0.1', () => {
          const { port } = server.address();
          execFile(process.execPath, ['--import', 'uasync/register', process.argv[1], port], { cwd: ${JSON.stringify(ROOT)} }, () => {});
        });
      } else {
        const socket = net.connect(process.argv[2], '127.0.0.1', () => {
          socket.write('first ');
          setImmediate(() => {
            socket.write('last');
            ${end};
          });
        });
      }
    `);
    t.equal(stdout, 'first last\n', end);
  }
});

t.test('what was reported as written leaves after destroy(), before a process ends by itself', async t => {
  const server = net.createServer({ pauseOnConnect: true });
  t.teardown(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const ended = run(`
    import net from 'node:net';
    const socket = net.connect(${port}, '127.0.0.1');
    let told = 0;
    let quiet;
    const giveUp = () => {
      // Node calls back without an error what it gives up from here on.
      process.on('exit', () => console.log(told));
      socket.destroy();
      const note = net.connect(${port}, '127.0.0.1', () => note.destroy());
    };
    const write = () => {
      clearTimeout(quiet);
      if (told > 0) quiet = setTimeout(giveUp, 200);
      socket.write(Buffer.alloc(4000), () => {
        if (socket.destroyed) return;
        told += 4000;
        write();
      });
    };
    socket.on('connect', write);
  `);
  const sockets: net.Socket[] = [];
  server.on('connection', socket => sockets.push(socket));
  // The second one says that it has found that the peer takes no more.
  await until(() => sockets.length === 2);
  sockets[1]!.destroy();
  // It would have ended by then.
  await Promise.race([ended, delay(500)]);
  const [served] = sockets as [net.Socket];
  let got = 0;
  served.on('data', chunk => {
    got += chunk.length;
  });
  served.resume();
  await once(served, 'end');
  const told = Number((await ended).stdout);
  t.ok(told > 0);
  t.ok(got >= told, `${got} of ${told} bytes`);
});

t.test('what a worker has written leaves before its process.exit()', async t => {
  const { stdout } = await run(`
    import net from 'node:net';
    import { isMainThread, Worker, workerData } from 'node:worker_threads';
    if (isMainThread) {
      const server = net.createServer(socket => {
        let text = '';
        socket.on('data', data => { text += data; });
        socket.on('close', () => { console.log(text); server.close(); });
      }).listen(0, '127.0.0.1', () => {
        new Worker(new URL(import.meta.url), { workerData: server.address().port });
      });
    } else {
      const socket = net.connect(workerData, '127.0.0.1', () => {
        for (const text of ['one,', 'two,', 'three']) socket.write(text);
        process.exit();
      });
    }
  `);
  t.equal(stdout, 'one,two,three\n');
});

t.test('an error of a listener is an uncaught exception, and the others are served', async t => {
  const { stdout } = await run(`
    import net from 'node:net';
    process.on('uncaughtException', error => console.log(error.message));
    const server = net.createServer(socket => {
      socket.on('data', data => {
        socket.end(data);
        if (String(data) === 'bad') throw new Error('thrown by a listener');
      });
    }).listen(0, '127.0.0.1', async () => {
      const answers = await Promise.all(['bad', 'good', 'bad', 'good'].map(async text => {
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.write(text);
        let answer = '';
        for await (const chunk of socket) answer += chunk;
        return answer;
      }));
      console.log(answers.join());
      server.close();
    });
  `);
  t.equal(stdout, 'thrown by a listener\nthrown by a listener\nbad,good,bad,good\n');
});

t.test('unreferenced sockets and servers let the process end', async t => {
  const { stdout } = await run(`
    import net from 'node:net';
    const server = net.createServer(socket => socket.unref()).unref().listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1', () => {
        socket.unref();
        console.log('ends');
      });
    });
    setTimeout(() => console.log('stays'), 60_000).unref();
    server.ref();
    server.on('connection', () => server.unref());
  `);
  t.equal(stdout, 'ends\n');
});

t.test('sockets as standard streams of a child, and sent to one', async t => {
  const { stdout } = await run(`
    import { fork, spawn } from 'node:child_process';
    import net from 'node:net';
    ${KIND}
    if (process.argv[2] === 'child') {
      process.on('message', (name, handle) => {
        if (name === 'server') handle.on('connection', socket => { socket.end('of the child'); handle.close(); process.disconnect(); });
        else { handle.on('error', () => {}); handle.end('sent to the child'); }
      });
      process.send('ready');
    } else {
      const text = async socket => { let all = ''; for await (const chunk of socket) all += chunk; return all; };
      const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      await new Promise(resolve => server.once('listening', resolve));
      const { port } = server.address();
      const connected = () => new Promise(resolve => server.once('connection', resolve));
      const waiting = connected();
      const first = net.connect(port, '127.0.0.1');
      const socket = await waiting;
      const echo = spawn('echo', ['from echo'], { stdio: ['ignore', socket, 'inherit'] });
      echo.once('exit', () => socket.end());
      console.log(kind(first), (await text(first)).trim());
      const child = fork(process.argv[1], ['child']);
      await new Promise(resolve => child.once('message', resolve));
      const again = connected();
      const second = net.connect(port, '127.0.0.1');
      child.send('socket', await again);
      console.log(await text(second));
      server.removeAllListeners('connection');
      child.send('server', server, () => {
        server.close();
        const third = net.connect(port, '127.0.0.1');
        text(third).then(console.log);
      });
    }
  `);
  t.equal(stdout, 'TcpHandle from echo\nsent to the child\nof the child\n');
});

t.test('TLS over a socket on the loop', async t => {
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '2'],
    ...['-keyout', join(keys, 'key.pem'), '-out', join(keys, 'cert.pem')],
  ]);
  const { stdout } = await run(`
    import { readFileSync } from 'node:fs';
    import https from 'node:https';
    import net from 'node:net';
    import tls from 'node:tls';
    ${KIND}
    const key = readFileSync('${keys}/key.pem');
    const cert = readFileSync('${keys}/cert.pem');
    const server = net.createServer(raw => {
      raw.once('data', () => {
        raw.write('go');
        const secure = new tls.TLSSocket(raw, { isServer: true, key, cert });
        secure.on('data', data => secure.write(data));
        secure.on('end', () => secure.end());
      });
    }).listen(0, '127.0.0.1', () => {
      const raw = net.connect(server.address().port, '127.0.0.1');
      raw.write('starttls');
      raw.once('data', async () => {
        const secure = tls.connect({ socket: raw, ca: cert, servername: 'localhost' });
        secure.end(Buffer.alloc(300_000, 'x'));
        const address = secure.remoteAddress;
        let length = 0;
        for await (const chunk of secure) length += chunk.length;
        console.log(kind(server), length, secure.authorized, address);
        server.close();
      });
    });
    const web = https.createServer({ key, cert }, (request, response) => response.end('over https'));
    web.listen(0, '127.0.0.1', () => {
      https.get({ port: web.address().port, ca: cert, servername: 'localhost', agent: false }, async response => {
        let text = '';
        for await (const chunk of response) text += chunk;
        console.log(text);
        web.close();
      });
    });
  `);
  t.same(stdout.trim().split('\n').sort(), ['TcpHandle 300000 true 127.0.0.1', 'over https']);
});

t.test('TLS over a socket on the loop: what was written is sent before destroy()', async t => {
  const keys = join(folder, 'keys');
  const { stdout } = await run(`
    import { once } from 'node:events';
    import { readFileSync } from 'node:fs';
    import net from 'node:net';
    import tls from 'node:tls';
    const key = readFileSync('${keys}/key.pem');
    const cert = readFileSync('${keys}/cert.pem');
    for (const size of [100, 40_000]) {
      const server = net.createServer(raw => {
        const secure = new tls.TLSSocket(raw, { isServer: true, key, cert });
        let length = 0;
        secure.on('error', () => {});
        secure.on('data', data => { length += data.length; });
        secure.on('close', () => { console.log(length); server.close(); });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const raw = net.connect(server.address().port, '127.0.0.1');
      await once(raw, 'connect');
      const secure = tls.connect({ socket: raw, ca: cert, servername: 'localhost' });
      await once(secure, 'secureConnect');
      secure.write(Buffer.alloc(size));
      secure.destroy();
      await once(server, 'close');
    }
  `);
  t.equal(stdout, '100\n40000\n');
});

t.test('TLS over a socket on the loop: no error follows a proper end', async t => {
  const keys = join(folder, 'keys');
  const { stdout } = await run(`
    import { readFileSync } from 'node:fs';
    import net from 'node:net';
    import tls from 'node:tls';
    const key = readFileSync('${keys}/key.pem');
    const cert = readFileSync('${keys}/cert.pem');
    const secured = tls.createServer({ key, cert }, secure => {
      secure.on('error', error => console.log(error.name, error.message));
      secure.end('bye');
    });
    const server = net.createServer(raw => {
      raw.on('error', error => console.log('raw', error.name, error.message));
      raw.on('close', () => console.log('closed'));
      secured.emit('connection', raw);
    }).listen(0, '127.0.0.1', () => {
      const secure = tls.connect({ port: server.address().port, ca: cert, servername: 'localhost' });
      secure.on('data', data => console.log(String(data)));
      secure.on('close', () => server.close());
    });
  `);
  t.same(stdout.trim().split('\n').sort(), ['bye', 'closed']);
});

t.test('a cluster shares its port', async t => {
  const { stdout } = await run(`
    import cluster from 'node:cluster';
    import net from 'node:net';
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()];
      let ready = 0;
      for (const worker of workers) worker.on('listening', ({ port }) => {
        if (++ready < 2) return;
        const answers = [];
        let closed = 0;
        for (let i = 0; i < 4; i++) {
          const socket = net.connect(port, '127.0.0.1');
          socket.on('data', data => answers.push(String(data)));
          socket.on('close', () => {
            if (++closed !== 4) return;
            console.log(new Set(answers).size <= 2, answers.every(answer => answer.startsWith('worker')));
            for (const each of workers) each.disconnect();
          });
        }
      });
    } else net.createServer(socket => socket.end('worker ' + cluster.worker.id)).listen(0, '127.0.0.1');
  `);
  t.equal(stdout, 'true true\n');
});
