/** Peers and networks that behave badly. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import t from 'tap';
import { sleep } from 'uasync';
import { connect, listen } from 'uasync/net';
import { churn } from '../churn.js';
import { checkLeaks, seededRandom, standstill } from '../harness.js';
import { built } from '../programs.js';
import { HOST, pair, pattern, portOf } from './sockets.js';

checkLeaks();

t.test('a peer that is stopped holds up its writer, which uses no memory for it, and goes on', async t => {
  const server = await listen({ port: 0, host: HOST });
  const child = spawn(process.execPath, [built('test/fixtures/reader.js'), `${portOf(server)}`]);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const conn = await server.accept();
  t.equal((await lines.next()).value, 'connected');
  child.kill('SIGSTOP');
  const data = pattern(30_000_000);
  const written = conn.write(data);
  await standstill(() => conn.bytesWritten);
  t.ok(conn.bytesWritten < data.length, `${conn.bytesWritten} bytes went out`);
  child.kill('SIGCONT');
  await written;
  await conn.close();
  t.equal((await lines.next()).value, createHash('sha256').update(data).digest('hex'));
  await server.close();
});

t.test('a peer that sends, and reads, one byte at a time', async t => {
  const [a, b] = await pair(t);
  const text = 'byte by byte, both ways';
  const reading = b.readExactly(text.length);
  for (const byte of Buffer.from(text)) await a.write(Buffer.of(byte));
  t.equal(String(await reading), text);
  b.setSendBufferSize(1);
  a.setRecvBufferSize(1);
  const data = pattern(20_000);
  const written = b.write(data);
  const one = Buffer.alloc(1);
  for (let i = 0; i < data.length; i++) {
    await a.readInto(one);
    if (one[0] !== data[i]) t.fail(`byte ${i}`);
  }
  await written;
});

t.test('a peer that resets in the middle of a write, again and again', async t => {
  const server = await listen({ port: 0, host: HOST });
  for (let i = 0; i < 30; i++) {
    const rude = net.connect(portOf(server), HOST).on('error', () => {});
    const conn = await server.accept();
    const writing = conn.write(Buffer.alloc(20_000_000)).then(
      () => 'written',
      error => error.code,
    );
    if (i % 3 === 1) await once(rude, 'data');
    else if (i % 3 === 2) await sleep(Math.random() * 5);
    rude.resetAndDestroy();
    t.match(await writing, /EPIPE|ECONNRESET/);
    await conn.close();
  }
  await server.close();
});

t.test('thousands of connections that are opened and dropped, in every way', async t => {
  t.equal(await churn(1200), 1200);
});

t.test('whatever is cancelled, whenever: no byte is lost, and nothing leaks', async t => {
  const random = seededRandom(t);
  const server = await listen({ port: 0, host: HOST });
  const soon = (): AbortSignal | undefined => {
    if (random() < 0.4) return undefined;
    const controller = new AbortController();
    if (random() < 0.5) setImmediate(() => controller.abort());
    else setTimeout(() => controller.abort(), random() * 4);
    return controller.signal;
  };
  const aborted = (error: { code: string }): null => {
    if (error.code !== 'ABORT_ERR') throw error;
    return null;
  };
  const echo = async (): Promise<void> => {
    for (;;) {
      const conn = await server.accept({ signal: soon() }).catch(aborted);
      if (conn === null) continue;
      conn.pipeTo(conn).then(
        () => conn.close(),
        () => conn.reset(),
      );
    }
  };
  const accepting = t.rejects(echo(), { code: 'ERR_CLOSED' });
  const talk = async (): Promise<void> => {
    const conn = await connect({ port: portOf(server), host: HOST, signal: soon() }).catch(aborted);
    if (conn === null) return;
    const data = pattern(Math.floor(random() * 60_000));
    const writing = conn.write(data).then(() => conn.shutdown());
    const parts: Buffer[] = [];
    for (;;) {
      const part = await conn.read({ signal: soon() }).catch(aborted);
      if (part === null && parts.reduce((sum, { length }) => sum + length, 0) === data.length) break;
      if (part !== null) parts.push(part);
    }
    await writing;
    if (!data.equals(Buffer.concat(parts))) t.fail('bytes were lost');
    await conn.close();
  };
  for (let round = 0; round < 15; round++) await Promise.all(Array.from({ length: 20 }, talk));
  await server.close();
  await accepting;
});

const ip = (...args: string[]): unknown => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** That of the network's only host. */
const ADDRESS = '10.99.0.1';

/** The bytes that went through a network of its own, and through what `weather` does to it meanwhile. */
async function transfer(
  name: string,
  weather: (namespace: string) => unknown,
): Promise<{ sent: number; received: number; totalRetransmits: number }> {
  const namespace = `uasync-${name}-${process.pid}`;
  ip('netns', 'add', namespace);
  try {
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    ip('-n', namespace, 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo');
    const fixture = built('test/fixtures/transfer.js');
    const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, fixture, ADDRESS]);
    child.stderr.pipe(process.stderr);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await lines.next();
    await weather(namespace);
    await sleep(500);
    child.stdin.end();
    return JSON.parse((await lines.next()).value);
  } finally {
    ip('netns', 'del', namespace);
  }
}

/** Why there can be no network of one's own, false if there can. */
function noNamespace(): string | false {
  const namespace = `uasync-try-${process.pid}`;
  try {
    ip('netns', 'add', namespace);
    ip('netns', 'del', namespace);
    return false;
  } catch (error) {
    return `no network namespace to be had: ${(error as Error).message.split('\n').join(' ')}`;
  }
}
const skip = noNamespace();

t.test('a network that goes away and comes back loses nothing', { skip }, async t => {
  const { sent, received, totalRetransmits } = await transfer('away', async namespace => {
    for (let i = 0; i < 3; i++) {
      await sleep(150);
      // Routes of its own addresses go with the link, and come back with it.
      ip('-n', namespace, 'link', 'set', 'lo', 'down');
      await sleep(80);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
  });
  t.equal(received, sent);
  t.ok(sent > 1_000_000, `${sent} bytes, ${totalRetransmits} retransmissions`);
});

t.test('an address that is taken away and given back', { skip }, async t => {
  const { sent, received } = await transfer('address', async namespace => {
    for (let i = 0; i < 3; i++) {
      await sleep(150);
      ip('-n', namespace, 'address', 'del', `${ADDRESS}/32`, 'dev', 'lo');
      await sleep(80);
      ip('-n', namespace, 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo');
    }
  });
  t.equal(received, sent);
  t.ok(sent > 1_000_000, `${sent} bytes`);
});

t.test('a network that loses packets, and is slow', { skip }, async t => {
  let how = 'netem';
  const { sent, received, totalRetransmits } = await transfer('slow', namespace => {
    const discipline = ['netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root'];
    try {
      ip(...discipline, 'netem', 'loss', '2%', 'delay', '3ms', '1ms');
    } catch {
      // A kernel without it: a narrow line, before which few packets find room.
      how = 'tbf';
      ip(...discipline, 'tbf', 'rate', '80mbit', 'burst', '100kb', 'limit', '150kb');
    }
  });
  t.equal(received, sent);
  t.ok(sent > 1_000_000, `${how}: ${sent} bytes, ${totalRetransmits} retransmissions`);
});
