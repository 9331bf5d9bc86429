/** Sockets and servers on the loop that other processes share: Node's own handles and ours do the same. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import '../patience.js';
import { scratchFolder } from '../harness.js';
import { registered } from './registered.js';

const folder = scratchFolder();

/** What a program prints with everything on the loop must be what it prints with nothing on it. */
function same(name: string, program: string): void {
  t.test(name, async t => {
    const printed: string[] = [];
    for (const what of ['off', 'all']) {
      const own = join(folder, `${name.replace(/\W+/g, '-')}-${what}`);
      mkdirSync(own);
      const { stdout, stderr } = await registered(own)(program, { env: { UASYNC_REGISTER: what } });
      t.equal(stderr, '');
      printed.push(stdout);
    }
    t.not(printed[0], '');
    t.equal(printed[1], printed[0]);
  });
}

same(
  'a server that was sent to a child accepts in both processes',
  `
  import net from 'node:net';
  import { fork } from 'node:child_process';
  if (process.argv[2] === 'child') {
    process.on('message', (name, server) => {
      if (server === undefined) process.exit();
      server.on('connection', socket => socket.end('child'));
      process.send('ready');
    });
  } else {
    const child = fork(process.argv[1], ['child']);
    const server = net.createServer(socket => socket.end('parent')).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address();
    const answer = () => new Promise(resolve => {
      let text = '';
      net.connect(port, '127.0.0.1')
        .on('data', data => { text += data; })
        .on('error', error => { text = error.code; })
        .on('close', () => resolve(text));
    });
    child.send('server', server);
    await new Promise(resolve => child.once('message', resolve));
    const answers = new Set();
    while (!answers.has('parent') || !answers.has('child')) {
      for (const text of await Promise.all(Array.from({ length: 10 }, answer))) answers.add(text);
    }
    console.log([...answers].sort());
    server.close();
    await new Promise(resolve => server.once('close', resolve));
    console.log(await answer(), await answer());
    child.send('exit');
  }
`,
);

same(
  'a child whose standard streams are a socket gets what has come before, and the parent reads on after it',
  `
  import net from 'node:net';
  import { spawn } from 'node:child_process';
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    server.close();
    const child = spawn('/bin/sh', ['-c', 'read line; echo "child got $line"'], { stdio: [socket, socket, 'inherit'] });
    child.on('exit', code => {
      console.log(code, socket.isPaused());
      socket.on('data', data => {
        console.log('parent got', String(data));
        socket.end(Buffer.alloc(3_000_000));
      });
      socket.on('close', () => console.log('closed'));
      socket.resume();
      socket.write('next');
    });
  }).listen(0, '127.0.0.1', () => {
    let length = 0;
    let text = '';
    const client = net.connect(server.address().port, '127.0.0.1');
    client.write('line\\n');
    client.on('data', data => {
      length += data.length;
      if (length < 100) text += data;
      if (text === 'child got line\\nnext') {
        text = '';
        client.end('more');
      }
    });
    client.on('end', () => console.log(length));
  });
`,
);

same(
  'a socket that is kept open while a child has it too is read and written as before',
  `
  import net from 'node:net';
  import { fork } from 'node:child_process';
  if (process.argv[2] === 'child') {
    process.on('message', (name, socket) => {
      socket.destroy();
      socket.on('close', () => process.disconnect());
    });
  } else {
    const child = fork(process.argv[1], ['child']);
    const server = net.createServer({ pauseOnConnect: true }, socket => {
      server.close();
      child.send('socket', socket, { keepOpen: true });
      child.on('exit', () => {
        socket.on('data', data => {
          console.log('parent got', String(data));
          socket.end(Buffer.alloc(5_000_000), () => console.log('written'));
        });
        socket.resume();
        socket.write('ready');
      });
    }).listen(0, '127.0.0.1', () => {
      let length = 0;
      const client = net.connect(server.address().port, '127.0.0.1');
      client.once('data', () => client.write('bytes'));
      client.on('data', data => { length += data.length; });
      client.on('end', () => console.log(length));
    });
  }
`,
);

same(
  'a child that has the descriptor of a server accepts once the parent has closed its own',
  `
  import net from 'node:net';
  import { spawn } from 'node:child_process';
  if (process.argv[2] === 'child') {
    net.createServer(socket => socket.end('child')).listen({ fd: 3 }, () => console.log('listening'));
  } else {
    for (const streamOf of [server => server._handle, server => server._handle.fd]) {
      const server = net.createServer(socket => socket.end('parent')).listen(0, '127.0.0.1');
      await new Promise(resolve => server.once('listening', resolve));
      const { port } = server.address();
      const child = spawn(process.execPath, [process.argv[1], 'child'], {
        stdio: ['ignore', 'pipe', 'inherit', streamOf(server)],
      });
      await new Promise(resolve => child.stdout.once('data', resolve));
      await new Promise(resolve => server.close(resolve));
      console.log(await new Promise(resolve => {
        net.connect(port, '127.0.0.1').on('data', data => resolve(String(data))).on('error', resolve);
      }));
      child.kill();
      await new Promise(resolve => child.once('exit', resolve));
    }
  }
`,
);
