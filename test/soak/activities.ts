/**
 * What a soaked process does over and over, each of it in rounds that check every byte. A round that a lack of
 * descriptors ends has to leave nothing.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Channel, channelPair, nop, sleep } from 'uasync';
import * as fs from 'uasync/fs';
import { Response, type Server, serve } from 'uasync/http';
import { bind, type Connection, connect, type InetAddress, type Listener, listen } from 'uasync/net';
import { drops, echo } from '../churn.js';
import type { Kind } from '../fixtures/terminated-anytime.js';
import { built } from '../programs.js';

const LOCAL = '127.0.0.1';
const MIB = 2 ** 20;
/** What goes to and fro. Its first byte is not the `!` that has the server reset. */
const NOISE = Buffer.from(
  Uint8Array.from({ length: 2 * MIB }, (_, i) => 0x40 | ((i * 7919 + (i >> 8)) & 0x3f)),
);

/** What the rounds share. */
export class Soaked {
  readonly random: () => number;
  /** Files of this process. */
  readonly folder: string;
  /** A file system of a few MiB, if there is one. */
  readonly small: string | undefined;
  readonly server: Listener;
  readonly http: Server;
  readonly channel: Channel;
  readonly worker: Worker;
  #serving: Promise<void>;

  private constructor(
    { random, folder, small }: { random: () => number; folder: string; small: string | undefined },
    server: Listener,
    http: Server,
  ) {
    this.random = random;
    this.folder = folder;
    this.small = small;
    this.server = server;
    this.http = http;
    const [mine, theirs] = channelPair();
    this.worker = new Worker(built('test/fixtures/channel-peer.js'), {
      workerData: { mode: 'echo', end: theirs },
      transferList: [theirs.port],
    });
    this.channel = new Channel(mine);
    this.#serving = this.#serve();
  }

  static async start(random: () => number, folder: string, small: string | undefined): Promise<Soaked> {
    const server = await listen({ port: 0, host: '0.0.0.0', backlog: 1000 });
    const http = await serve(
      async request => {
        if (request.method === 'POST') return new Response(await request.arrayBuffer());
        return new Response(NOISE.subarray(0, Number(new URL(request.url).pathname.slice(1))));
      },
      // On a machine that is short of CPU time a client may be slower than any timeout.
      { port: 0, host: LOCAL, keepAliveTimeout: 0, idleTimeout: 0 },
    );
    return new Soaked({ random, folder, small }, server, http);
  }

  get port(): number {
    return (this.server.address as InetAddress).port;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** Short lengths are as likely as long ones. */
  some(limit: number): number {
    return 1 + this.below(limit ** this.random());
  }

  piece(limit: number): Buffer {
    const from = this.below(MIB);
    return NOISE.subarray(from, from + this.some(limit));
  }

  connect(): Promise<Connection> {
    return connect({ port: this.port, host: LOCAL });
  }

  async #serve(): Promise<void> {
    for await (const conn of this.server) echo(conn).catch(() => conn.reset());
  }

  async stop(): Promise<void> {
    await this.http.stop({ timeout: 5000 });
    await this.server.close();
    await this.#serving;
    const exited = once(this.worker, 'exit');
    await this.channel.close();
    await exited;
  }
}

/** Gives up soon. */
function impatient(soaked: Soaked): AbortSignal {
  const controller = new AbortController();
  if (soaked.random() < 0.3) queueMicrotask(() => controller.abort());
  else setTimeout(() => controller.abort(), soaked.random() * 5);
  return controller.signal;
}

async function givenUp(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, ({ code }: { code: string }) => code === 'ABORT_ERR' || code === 'ETIMEDOUT');
}

/** Reads as many bytes, which may be given up and begun again meanwhile: none is lost. */
async function readExactly(soaked: Soaked, conn: Connection, length: number): Promise<Buffer> {
  for (;;) {
    const signal = soaked.random() < 0.2 ? impatient(soaked) : undefined;
    try {
      return (await conn.readExactly(length, { signal })) as Buffer;
    } catch (error) {
      if ((error as { code: string }).code !== 'ABORT_ERR') throw error;
    }
  }
}

async function messages(soaked: Soaked): Promise<void> {
  await using conn = await soaked.connect();
  for (let left = soaked.some(100); left > 0; left--) {
    const sent = soaked.piece(20_000);
    conn.send(sent);
    assert.ok((await readExactly(soaked, conn, sent.length)).equals(sent), 'a message came back changed');
  }
}

async function churn(soaked: Soaked): Promise<void> {
  const conns = await Promise.allSettled(Array.from({ length: 30 }, () => soaked.connect()));
  const failures: unknown[] = [];
  await Promise.all(
    conns.map(async (result, i) => {
      if (result.status === 'rejected') failures.push(result.reason);
      else await drops[i % drops.length]!(result.value).catch(() => result.value.reset());
    }),
  );
  if (failures.length !== 0) throw failures[0];
}

async function bulk(soaked: Soaked): Promise<void> {
  await using conn = await soaked.connect();
  const pieces = Array.from({ length: 8 }, () => soaked.piece(MIB));
  const write = async (): Promise<void> => {
    for (const piece of pieces) await conn.write(piece);
  };
  const read = async (): Promise<void> => {
    for (const piece of pieces) {
      const found = await readExactly(soaked, conn, piece.length);
      assert.ok(found.equals(piece), `${piece.length} bytes came back changed`);
    }
  };
  await Promise.all([write(), read()]);
}

async function datagrams(soaked: Soaked): Promise<void> {
  await using one = await bind({ port: 0, host: LOCAL });
  await using other = await bind({ port: 0, host: LOCAL });
  const { port } = other.address as InetAddress;
  for (let round = soaked.some(20); round > 0; round--) {
    const sent = Array.from({ length: 16 }, (_, i) => Buffer.concat([Buffer.of(i), soaked.piece(1000)]));
    if (soaked.random() < 0.5) await one.sendMany(sent.map(data => ({ data, port, address: LOCAL })));
    else await Promise.all(sent.map(data => one.send(data, port, LOCAL)));
    const left = new Set(sent.keys());
    while (left.size > 0) {
      for (const { data } of await other.recvMany({ timeout: 60_000 })) {
        const number = data[0]!;
        assert.ok(left.delete(number), 'a datagram came twice');
        assert.ok(sent[number]!.equals(data as Buffer), 'a datagram came changed');
      }
    }
  }
}

/**
 * Removes a file or a tree, even if it has to wait for descriptors. Not by `rmSync`: from Node 24 on its EMFILE has no
 * code, and it does not wait for one.
 */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 50, retryDelay: 10 });
}

async function files(soaked: Soaked): Promise<void> {
  const path = join(soaked.folder, `file-${soaked.random()}`);
  try {
    const content = soaked.piece(300_000);
    await fs.writeFile(path, content);
    const more = soaked.piece(5000);
    await fs.appendFile(path, more);
    await fs.rename(path, `${path}-moved`);
    await fs.rename(`${path}-moved`, path);
    assert.ok((await fs.readFile(path)).equals(Buffer.concat([content, more])), 'a file has changed');
    await using handle = await fs.open(path, 'r+');
    const at = soaked.below(content.length);
    await handle.write(more, 0, more.length, at);
    const found = Buffer.alloc(more.length);
    for (let done = 0; done < found.length; ) {
      const { bytesRead } = await handle.read(found, done, found.length - done, at + done);
      assert.notEqual(bytesRead, 0);
      done += bytesRead;
    }
    assert.ok(found.equals(more), 'a part of a file has changed');
    if (soaked.random() < 0.1) await handle.datasync();
  } finally {
    await remove(path);
    await remove(`${path}-moved`);
  }
}

async function trees(soaked: Soaked): Promise<void> {
  const from = join(soaked.folder, `tree-${soaked.random()}`);
  try {
    await fs.mkdir(join(from, 'a', 'b'), { recursive: true });
    const names = ['a/1', 'a/2', 'a/b/3', 'a/b/4'];
    await Promise.all(names.map(name => fs.writeFile(join(from, name), name)));
    await fs.cp(from, `${from}-copy`, { recursive: true, filter: () => true });
    assert.equal((await fs.readdir(`${from}-copy`, { recursive: true })).length, 6);
    await Promise.all([from, `${from}-copy`].map(path => fs.rm(path, { recursive: true })));
  } finally {
    for (const path of [from, `${from}-copy`]) await remove(path);
  }
}

/** ENOSPC: what fits is written, the rest fails, and afterwards there is room again. */
async function full(soaked: Soaked): Promise<void> {
  if (soaked.small === undefined) return;
  const path = join(soaked.small, 'full');
  const handle = await fs.open(path, 'w');
  let written = 0;
  try {
    const content = NOISE.subarray(0, 300_000);
    const filling = async (): Promise<void> => {
      for (;;) written += (await handle.write(content)).bytesWritten;
    };
    await assert.rejects(filling(), { code: 'ENOSPC' });
    assert.ok(written > 0);
    assert.ok((await fs.stat(path)).size >= written);
  } finally {
    await handle.close();
    await remove(path);
  }
  await fs.writeFile(path, 'there is room again');
  await remove(path);
}

async function channels(soaked: Soaked): Promise<void> {
  const { channel } = soaked;
  for (let i = soaked.some(100); i > 0; i--) {
    const sent = new Uint8Array(soaked.piece(10_000));
    await channel.send(sent);
    assert.deepEqual(Buffer.from((await channel.recv()) as Uint8Array), Buffer.from(sent));
  }
}

async function requests(soaked: Soaked): Promise<void> {
  const { port } = new URL(soaked.http.url);
  await using conn = await connect({ port: Number(port), host: LOCAL });
  for (let left = soaked.some(30); left > 0; left--) {
    const body = soaked.piece(50_000);
    const posts = soaked.random() < 0.3;
    const sent = posts ? body : NOISE.subarray(0, body.length);
    const head = posts
      ? `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`
      : `GET /${sent.length} HTTP/1.1\r\nHost: a\r\n\r\n`;
    conn.send(head);
    if (posts) conn.send(body);
    const answer = String(await conn.readUntil('\r\n\r\n'));
    assert.match(answer, /^HTTP\/1.1 200 /);
    const length = Number(/^content-length: (\d+)\r$/im.exec(answer)![1]);
    assert.equal(length, sent.length);
    assert.ok((await readExactly(soaked, conn, length)).equals(sent), 'a body came back changed');
  }
}

/** Everything that waits is given up. */
async function cancellations(soaked: Soaked): Promise<void> {
  await using conn = await soaked.connect();
  await using quiet = await listen({ port: 0, host: LOCAL });
  await using socket = await bind({ port: 0, host: LOCAL });
  for (let left = soaked.some(100); left > 0; left--) {
    const signal = impatient(soaked);
    const waiting = [
      () => conn.read({ signal }),
      () => conn.readExactly(10, { timeout: soaked.random() * 5 }),
      () => quiet.accept({ signal }),
      () => socket.recv({ signal }),
      () => sleep(60_000, { signal }),
    ][soaked.below(5)]!;
    await givenUp(waiting());
    await nop();
  }
}

const KINDS: Kind[] = ['echo', 'files', 'channels', 'pinned', 'loops'];

/** A worker that is terminated at any moment. */
async function terminated(soaked: Soaked): Promise<void> {
  const folder = join(soaked.folder, `worker-${soaked.random()}`);
  mkdirSync(folder);
  const began = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(built('test/fixtures/terminated-anytime.js'), {
    workerData: { kind: KINDS[soaked.below(KINDS.length)], began, folder },
    stdout: true,
    stderr: true,
  });
  // Without descriptors it cannot load its modules.
  worker.on('error', () => {});
  const exited = new Promise(resolve => worker.once('exit', resolve));
  await Promise.race([exited, sleep(soaked.random() * 400)]);
  await worker.terminate();
  await exited;
  await remove(folder);
}

export interface Activity {
  round(soaked: Soaked): Promise<void>;
  /** The milliseconds that it rests after each round, at most. */
  rest: number;
  /** How many of it there are at a time. */
  times: number;
  /** About how many rounds there are in a whole run, at most. */
  most?: number;
}

export const ACTIVITIES: Record<string, Activity> = {
  messages: { round: messages, rest: 100, times: 5 },
  churn: { round: churn, rest: 500, times: 1 },
  bulk: { round: bulk, rest: 500, times: 1 },
  datagrams: { round: datagrams, rest: 200, times: 2 },
  files: { round: files, rest: 100, times: 3 },
  trees: { round: trees, rest: 500, times: 1 },
  full: { round: full, rest: 1000, times: 1 },
  channels: { round: channels, rest: 200, times: 1 },
  requests: { round: requests, rest: 200, times: 3 },
  cancellations: { round: cancellations, rest: 200, times: 2 },
  // Node keeps memory of each worker: growth.ts has how much.
  terminated: { round: terminated, rest: 600, times: 1, most: 2500 },
};
