/** Datagrams sent and received by random calls, some of which give up: each arrives once, as it was sent. */
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import { bind, type DatagramSocket, type WaitOptions } from 'uasync/net';
import { fuzzing, fuzzTimeout } from '../fuzzing.js';
import { checkLeaks, scratchFolder, seededRandom, until } from '../harness.js';
import { HOST, portOf } from './sockets.js';

checkLeaks();

const MODES = [true, false, 'random'] as const;
const SECONDS = 2;
t.setTimeout(fuzzTimeout(SECONDS) * 2);
const folder = scratchFolder();
const random = seededRandom(t);
const below = (limit: number): number => Math.floor(random() * limit);

/** Bytes under way to one socket at most: half of what it has room for. */
const WINDOW = 64 * 1024;
/** What a datagram takes of a socket's room beside its bytes. */
const OVERHEAD = 1024;
const HEAD = 8;

/** A datagram of this number, of random length. */
function datagram(number: number): Buffer {
  const data = Buffer.alloc(HEAD + below(3000 ** random()), number & 0xff);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(data.length, 4);
  return data;
}

function patience(): WaitOptions {
  const choice = random();
  if (choice < 0.5) return {};
  if (choice < 0.7) return { timeout: random() * 3 };
  const controller = new AbortController();
  if (choice < 0.85) queueMicrotask(() => controller.abort());
  else setImmediate(() => controller.abort());
  return { signal: controller.signal };
}

/** Null if the call was given up. */
async function unlessGivenUp<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    const { code } = error as { code: string };
    if (code === 'ABORT_ERR' || code === 'ETIMEDOUT') return null;
    throw error;
  }
}

type To = { port: number; address: string } | { path: string };

/** One direction between two sockets. */
class Stream {
  /** How many times each datagram has arrived. */
  readonly arrived = new Map<number, number>();
  readonly wrong: string[] = [];
  /** Those that were given up: each may have been sent all the same, once. */
  readonly doubtful = new Set<number>();
  /** What those under way take at the receiver. */
  readonly #underWay = new Map<number, number>();
  #room = WINDOW;
  #sent = 0;

  get complete(): boolean {
    for (let number = 0; number < this.#sent; number++) {
      if (!this.arrived.has(number) && !this.doubtful.has(number)) return false;
    }
    return true;
  }

  get sent(): number {
    return this.#sent;
  }

  receive(data: Buffer): void {
    const number = data.readUInt32LE(0);
    const length = data.readUInt32LE(4);
    this.#settle(number);
    if (data.length !== length || data.subarray(HEAD).some(byte => byte !== (number & 0xff))) {
      this.wrong.push(`${number}: ${data.length} bytes instead of ${length}`);
    }
    this.arrived.set(number, (this.arrived.get(number) ?? 0) + 1);
  }

  /** It takes no room any more. */
  #settle(number: number): void {
    this.#room += this.#underWay.get(number) ?? 0;
    this.#underWay.delete(number);
  }

  async send(from: DatagramSocket, to: To): Promise<void> {
    if (this.#room < 0) await until(() => this.#room > 0);
    const count = random() < 0.3 ? 1 + below(8) : 1;
    const first = this.#sent;
    const list = Array.from({ length: count }, (_, i) => datagram(first + i));
    this.#sent += count;
    for (const [i, { length }] of list.entries()) {
      this.#underWay.set(first + i, length + OVERHEAD);
      this.#room -= length + OVERHEAD;
    }
    if (count > 1) {
      await from.sendMany(list.map(data => ({ data, ...to })));
      return;
    }
    const [data] = list as [Buffer];
    const call =
      'path' in to ? from.send(data, to.path, patience()) : from.send(data, to.port, to.address, patience());
    if ((await unlessGivenUp(call)) !== null) return;
    this.doubtful.add(first);
    this.#settle(first);
  }
}

async function hear(socket: DatagramSocket, stream: Stream): Promise<void> {
  for (;;) {
    try {
      if (random() < 0.5) {
        const got = await unlessGivenUp(socket.recv(patience()));
        if (got !== null) stream.receive(got.data as Buffer);
      } else {
        const many = await unlessGivenUp(socket.recvMany({ max: 1 + below(20), ...patience() }));
        for (const { data } of many ?? []) stream.receive(data as Buffer);
      }
    } catch (error) {
      if ((error as { code: string }).code === 'ERR_CLOSED') return;
      throw error;
    }
  }
}

for (const inline of MODES) {
  t.test(`datagrams between sockets, inline: ${inline}`, { timeout: fuzzTimeout(SECONDS) }, async t => {
    loop().close();
    loop({ inline });
    const goesOn = fuzzing(SECONDS, 1 / MODES.length);
    let all = 0;
    const converse = async (name: string, isUnix: boolean): Promise<void> => {
      const one = await bind(isUnix ? { path: join(folder, `${name}-1`) } : { port: 0, host: HOST });
      const other = await bind(isUnix ? { path: join(folder, `${name}-2`) } : { port: 0, host: HOST });
      const [there, here] = [new Stream(), new Stream()];
      const heard = [hear(other, there), hear(one, here)];
      const addressOf = (socket: DatagramSocket): To =>
        isUnix
          ? { path: (socket.address as { path: string }).path }
          : { port: portOf(socket), address: HOST };
      const talk = async (from: DatagramSocket, to: DatagramSocket, stream: Stream): Promise<void> => {
        for (let i = 0; i < 300 && goesOn(); i++) await stream.send(from, addressOf(to));
      };
      await Promise.all([talk(one, other, there), talk(one, other, there), talk(other, one, here)]);
      await until(() => there.complete && here.complete);
      await Promise.all([one.close(), other.close()]);
      await Promise.all(heard);
      for (const stream of [there, here]) {
        t.strictSame(stream.wrong, []);
        const twice = [...stream.arrived].filter(([, times]) => times !== 1);
        t.strictSame(twice, []);
        all += stream.sent;
      }
    };
    let names = 0;
    const forever = async (isUnix: boolean): Promise<void> => {
      do await converse(`${names++}`, isUnix);
      while (goesOn());
    };
    await Promise.all([forever(false), forever(false), forever(true)]);
    t.comment(`${all} datagrams`);
  });
}
