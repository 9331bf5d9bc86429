/** The stream of a connection beside a net.Socket: the same events in the same order, and the same properties. */
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { type InetAddress, type Listener, listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { certificate } from './node-servers.js';
import { HOST, portOf } from './sockets.js';

checkLeaks();

/** A scenario's end of a connection, and its peer. */
type Scenario = (socket: net.Socket, peer: net.Socket, log: (line: string) => void) => unknown;

interface Options {
  allowHalfOpen?: boolean;
}

/** What can be asked of a socket at any time; ports are chosen by the system. */
function state(socket: net.Socket): string {
  const { readyState, pending, connecting, destroyed, allowHalfOpen, timeout } = socket;
  const { remoteAddress, remoteFamily, localAddress, localFamily, readableEnded, writableEnded } = socket;
  const { address, family } = socket.address() as net.AddressInfo;
  const ports = [socket.remotePort, socket.localPort].map(port => typeof port);
  return JSON.stringify({
    states: {
      readyState,
      pending,
      connecting,
      destroyed,
      allowHalfOpen,
      timeout,
      readableEnded,
      writableEnded,
    },
    counts: [socket.bytesRead, socket.bytesWritten],
    addresses: [remoteAddress, remoteFamily, localAddress, localFamily, address, family, ...ports],
  });
}

/** Runs a scenario; everything that is seen, in order. */
async function observe(
  accept: () => Promise<[net.Socket, net.Socket]>,
  scenario: Scenario,
): Promise<string[]> {
  const [socket, peer] = await accept();
  const seen: string[] = [];
  const log = (line: string): void => void seen.push(line);
  log(`at first ${state(socket)}`);
  for (const event of ['end', 'finish', 'timeout', 'ready', 'connect', 'error', 'close']) {
    socket.on(event, (...args: unknown[]) => {
      const told = args.map(arg => (arg instanceof Error ? (arg as { code?: string }).code : arg));
      log(`'${event}' with ${JSON.stringify(told)} ${state(socket)}`);
    });
  }
  peer.on('error', () => {});
  const closed = new Promise(resolve => socket.on('close', resolve));
  await scenario(socket, peer, log);
  await closed;
  // Not one event more.
  await new Promise(resolve => setTimeout(resolve, 20));
  peer.destroy();
  if (!peer.closed) await once(peer, 'close');
  log(`at last ${state(socket)}`);
  return seen;
}

/** Connections that net.Server accepts. */
async function ofNode(options: Options, scenario: Scenario): Promise<string[]> {
  const server = net.createServer(options);
  server.listen(0, HOST);
  await once(server, 'listening');
  const seen = await observe(async () => {
    const peer = net.connect({
      port: (server.address() as net.AddressInfo).port,
      host: HOST,
      allowHalfOpen: true,
    });
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    return [socket, peer];
  }, scenario);
  server.close();
  await once(server, 'close');
  return seen;
}

/** Connections of ours. */
async function ofOurs(options: Options, scenario: Scenario): Promise<string[]> {
  const server = await listen({ port: 0, host: HOST });
  const seen = await observe(async () => {
    const peer = net.connect({ port: portOf(server as Listener), host: HOST, allowHalfOpen: true });
    return [(await server.accept()).toDuplex(options) as unknown as net.Socket, peer];
  }, scenario);
  await server.close();
  return seen;
}

async function flow(socket: Duplex, log: (line: string) => void): Promise<void> {
  for await (const chunk of socket) log(`chunk ${chunk}`);
  log('the iteration has ended');
}

const SCENARIOS: Record<string, Scenario> = {
  'the peer ends': (socket, peer) => {
    peer.end('hello');
    peer.resume();
    socket.resume();
  },
  'the peer ends while the stream is not read': (socket, peer) => {
    socket.write('bye');
    peer.end();
    peer.resume();
  },
  'for await to the end': async (socket, peer, log) => {
    peer.end('hello');
    peer.resume();
    await flow(socket, log);
  },
  'for await, left': async (socket, peer, log) => {
    peer.write('hello');
    peer.resume();
    for await (const chunk of socket) {
      log(`chunk ${chunk}`);
      break;
    }
  },
  'it ends, then the peer does': async (socket, peer) => {
    socket.resume();
    socket.end('bye');
    peer.resume();
    await once(peer, 'end');
    peer.end();
  },
  destroyed: (socket, peer) => {
    peer.resume();
    socket.destroy();
    socket.destroy();
  },
  'destroyed, by an error': (socket, peer) => {
    peer.resume();
    socket.destroy(Object.assign(new Error('enough'), { code: 'E_ENOUGH' }));
  },
  'the peer resets': (socket, peer) => {
    socket.resume();
    peer.resetAndDestroy();
  },
  'it resets': (socket, peer) => {
    peer.resume();
    socket.resetAndDestroy();
    socket.resetAndDestroy();
  },
  destroySoon: (socket, peer) => {
    peer.resume();
    peer.once('end', () => peer.end());
    socket.resume();
    socket.write('more');
    socket.destroySoon();
  },
  'a timeout': async (socket, peer, log) => {
    peer.resume();
    // Its timer holds no process.
    const held = setInterval(() => {}, 1000);
    socket.setTimeout(10, () => log('called back'));
    await once(socket, 'timeout');
    clearInterval(held);
    socket.setTimeout(0);
    peer.end();
    socket.resume();
  },
  'a timeout after traffic': async (socket, peer) => {
    peer.resume();
    const held = setInterval(() => {}, 1000);
    socket.setTimeout(10);
    socket.write('x'.repeat(100_000));
    await once(socket, 'timeout');
    clearInterval(held);
    socket.setTimeout(0);
    peer.end();
    socket.resume();
  },
  options: (socket, peer, log) => {
    const results = [
      socket.setNoDelay(),
      socket.setNoDelay(false),
      socket.setKeepAlive(true, 1000),
      socket.ref(),
      socket.unref(),
      socket.ref(),
      socket.setTimeout(0),
    ];
    log(String(results.map(result => result === socket)));
    peer.end();
    peer.resume();
    socket.resume();
  },
  'bytes that wait are counted as written': async (socket, peer, log) => {
    socket.resume();
    socket.cork();
    socket.write('one');
    socket.write('two');
    log(state(socket));
    socket.uncork();
    await new Promise(resolve => socket.write('three', resolve));
    log(state(socket));
    peer.resume();
    socket.end();
    peer.end();
  },
};

for (const allowHalfOpen of [false, true]) {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    // Half open, it would end only by an end of its own.
    const ends: Scenario = allowHalfOpen
      ? (socket, peer, log) => {
          socket.once('end', () => socket.end('last words'));
          return scenario(socket, peer, log);
        }
      : scenario;
    t.test(`${name}${allowHalfOpen ? ', half open' : ''}`, async t => {
      const [node, ours] = await Promise.all([
        ofNode({ allowHalfOpen }, ends),
        ofOurs({ allowHalfOpen }, ends),
      ]);
      t.same(ours, node);
    });
  }
}

t.test('writing once the peer has ended and the stream has, too', async t => {
  const seen = [ofNode, ofOurs].map(of =>
    of({}, async (socket, peer, log) => {
      peer.end();
      peer.resume();
      socket.resume();
      await once(socket, 'finish');
      socket.write('late', error => log(`${(error as NodeJS.ErrnoException)?.code} ${error?.message}`));
    }),
  );
  const [node, ours] = await Promise.all(seen);
  t.same(ours, node);
});

const pems = certificate();
const noCertificate = pems === null ? 'there is no openssl here' : false;

t.test('behind TLS a request knows its client', { skip: noCertificate }, async t => {
  const { key, cert } = pems!;
  const server = https.createServer({ key, cert }, (request, response) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = request.socket;
    request.socket.setNoDelay(true);
    request.socket.setKeepAlive(true, 1000);
    response.end(JSON.stringify({ remoteAddress, remotePort, remoteFamily, localAddress, localPort }));
  });
  const listener = await listen({ port: 0, host: HOST });
  const port = (listener.address as InetAddress).port;
  for (let i = 0; i < 2; i++) {
    const agent = new https.Agent({ keepAlive: false });
    const request = https.get({ port, host: HOST, agent, rejectUnauthorized: false });
    const duplex = (await listener.accept()).toDuplex();
    server.emit('connection', duplex);
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    const told = JSON.parse(String(Buffer.concat(await response.toArray())));
    t.same(told, {
      remoteAddress: HOST,
      remotePort: told.remotePort,
      remoteFamily: 'IPv4',
      localAddress: HOST,
      localPort: port,
    });
    t.ok(told.remotePort > 0);
    if (!duplex.closed) await once(duplex, 'close');
  }
  await listener.close();
});
