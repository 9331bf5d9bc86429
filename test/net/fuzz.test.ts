/**
 * Conversations of random calls, given up at random moments: every byte arrives once and in order, and
 * nothing is left; with what is small sent at once, through the ring, and by chance. UASYNC_FUZZ_SECONDS makes it
 * longer.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { type Connection, connect, type Listener, listen, type WaitOptions } from 'uasync/net';
import { fuzzing, fuzzTimeout } from '../fuzzing.js';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';
import { HOST, portOf } from './sockets.js';

checkLeaks();

/** As the loop's option `inline`. */
const MODES = [true, false, 'random'] as const;
const SECONDS = 3;
const timeout = fuzzTimeout(SECONDS);
t.setTimeout(timeout * 2);
const PERIOD = 65_536;
/** The stream repeats after a period; this is more of it than a read may have at once. */
const stream = Buffer.alloc(PERIOD * 32);
for (let i = 0; i < stream.length; i++) stream[i] = ((i % PERIOD) * 7 + ((i % PERIOD) >> 8) * 3) & 0xff;

function at(position: number, length: number): Buffer {
  const start = position % PERIOD;
  return stream.subarray(start, start + length);
}

const path = join(scratchFolder(), 'stream');
writeFileSync(path, stream);
const file = openSync(path, 'r');
t.teardown(() => closeSync(file));

const random = seededRandom(t);
const below = (limit: number): number => Math.floor(random() * limit);
/** Short lengths are as likely as long ones. */
const someLength = (limit: number): number => 1 + below(limit ** random());

/** Gives up at once, soon, after a while, or never. */
function patience(): WaitOptions {
  const choice = random();
  if (choice < 0.4) return {};
  if (choice < 0.6) return { timeout: random() * 3 };
  const controller = new AbortController();
  if (choice < 0.7) queueMicrotask(() => controller.abort());
  else if (choice < 0.85) setImmediate(() => controller.abort());
  else setTimeout(() => controller.abort(), random() * 3);
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

/** Sends `total` bytes of the stream in pieces of all kinds. */
async function talk(conn: Connection, total: number): Promise<void> {
  for (let sent = 0; sent < total; ) {
    const length = Math.min(someLength(PERIOD), total - sent);
    const piece = Buffer.from(at(sent, length));
    const cut = below(length);
    const kind = below(6);
    if (kind === 0) await unlessGivenUp(conn.write(piece, patience()));
    else if (kind === 1) await unlessGivenUp(conn.writev([piece.subarray(0, cut), piece.subarray(cut)]));
    else if (kind === 2) conn.write([piece.subarray(0, cut), piece.subarray(cut)]).catch(() => {});
    else if (kind === 3) await conn.sendFile(file, { offset: sent % PERIOD, length });
    else conn.send(piece);
    // One that was aborted before it began has not been written.
    sent += length;
    if (random() < 0.3) await unlessGivenUp(conn.drained(patience()));
  }
  for (;;) {
    const done = await unlessGivenUp(conn.shutdown(patience()).then(() => true));
    if (done) return;
  }
}

/** Reads to the end by calls of all kinds; resolves to the number of bytes, all of which were as they should be. */
async function hear(conn: Connection): Promise<number> {
  let heard = 0;
  const check = (bytes: Uint8Array, what: string): void => {
    const expected = at(heard, bytes.length);
    if (expected.length === bytes.length && expected.equals(bytes)) return;
    throw new Error(`${what} of ${bytes.length} bytes at ${heard} is not what was sent`);
  };
  for (;;) {
    const length = someLength(20_000);
    switch (below(6)) {
      case 0: {
        const chunk = await unlessGivenUp(conn.read(patience()));
        if (chunk === null) {
          const last = await conn.read();
          if (last === null) return heard;
          check(last, 'read');
          heard += last.length;
          break;
        }
        check(chunk, 'read');
        heard += chunk.length;
        if (random() < 0.2) {
          const back = Buffer.from(chunk.subarray(below(chunk.length)));
          heard -= back.length;
          conn.unread(back);
        }
        break;
      }
      case 1: {
        const target = Buffer.alloc(length);
        const count = (await unlessGivenUp(conn.readInto(target, patience()))) ?? 0;
        check(target.subarray(0, count), 'readInto');
        heard += count;
        break;
      }
      case 2: {
        const exact = await unlessGivenUp(conn.readExactly(length, patience())).catch(early);
        check(exact ?? Buffer.alloc(0), 'readExactly');
        heard += exact?.length ?? 0;
        break;
      }
      case 3: {
        const line = await unlessGivenUp(conn.readUntil(below(256), { ...patience(), max: 500 })).catch(
          early,
        );
        check(line ?? Buffer.alloc(0), 'readUntil');
        heard += line?.length ?? 0;
        break;
      }
      case 4: {
        const shown = await unlessGivenUp(conn.peek(length, patience()));
        check(shown ?? Buffer.alloc(0), 'peek');
        break;
      }
      case 5: {
        // Several wait at once, and some of them give up.
        const reads = await Promise.all(
          Array.from({ length: 3 }, () =>
            unlessGivenUp(conn.readExactly(someLength(300), patience())).catch(early),
          ),
        );
        for (const read of reads) {
          check(read ?? Buffer.alloc(0), 'readExactly among others');
          heard += read?.length ?? 0;
        }
      }
    }
  }
}

/** The end came first, or the delimiter did not: what came is unread. */
function early(error: { code: string }): null {
  if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ERR_DELIMITER_NOT_FOUND') return null;
  throw error;
}

/** Moves everything from one connection to another, however often it is interrupted. */
async function move(from: Connection, to: Connection): Promise<void> {
  for (;;) {
    const { signal } = patience();
    if ((await unlessGivenUp(from.pipeTo(to, { signal, end: false }))) !== null) break;
  }
  await to.shutdown();
}

async function pairOf(server: Listener): Promise<[Connection, Connection]> {
  for (;;) {
    const client = await unlessGivenUp(connect({ port: portOf(server), host: HOST, ...patience() }));
    if (client === null) continue;
    // Those that were given up may be there too: ours is the one with its port.
    for (;;) {
      const accepted = await unlessGivenUp(server.accept(patience()));
      if (JSON.stringify(accepted?.remoteAddress) === JSON.stringify(client.localAddress)) {
        return [client, accepted!];
      }
      await accepted?.reset();
    }
  }
}

/** A loop of its own for what follows. */
function withInline(inline: (typeof MODES)[number]): void {
  loop().close();
  loop({ inline });
}

for (const inline of MODES) {
  t.test(`conversations of random calls, inline: ${inline}`, { timeout }, async t => {
    withInline(inline);
    const goesOn = fuzzing(SECONDS, 1 / MODES.length);
    let bytes = 0;
    const converse = async (): Promise<void> => {
      const server = await listen({ port: 0, host: HOST });
      const [one, front] = await pairOf(server);
      const [back, other] = await pairOf(server);
      const conns = [one, front, back, other];
      for (const conn of conns) {
        if (random() < 0.3) conn.setRecvBufferSize(20_000 + below(100_000));
        if (random() < 0.3) conn.setSendBufferSize(20_000 + below(100_000));
        if (random() < 0.2) conn.setZeroCopy(someLength(20_000));
      }
      const [there, here] = [someLength(600_000), someLength(600_000)];
      const [heardThere, heardHere] = await Promise.all([
        hear(other),
        hear(one),
        talk(one, there),
        talk(other, here),
        move(front, back),
        move(back, front),
      ]);
      t.strictSame([heardThere, heardHere], [there, here]);
      bytes += there + here;
      await Promise.all(conns.map(conn => (random() < 0.5 ? conn.close() : conn.reset())));
      await server.close();
    };
    const forever = async (): Promise<void> => {
      while (goesOn()) await converse();
    };
    await Promise.all(Array.from({ length: 6 }, forever));
    t.comment(`${bytes} bytes`);
  });

  t.test(`connections that end in the middle of random calls, inline: ${inline}`, { timeout }, async t => {
    withInline(inline);
    const goesOn = fuzzing(SECONDS, 0.5 / MODES.length);
    let ended = 0;
    const converse = async (): Promise<void> => {
      const server = await listen({ port: 0, host: HOST });
      const conns = await pairOf(server);
      const [one, other] = conns;
      const working = Promise.allSettled([
        hear(other),
        hear(one),
        talk(one, someLength(3_000_000)),
        talk(other, someLength(3_000_000)),
      ]);
      await sleep(random() * 8);
      const first = conns[below(2)]!;
      if (random() < 0.5) await first.reset();
      else first.close();
      await sleep(random() * 2);
      await Promise.all(conns.map(conn => conn.reset()));
      for (const result of await working) {
        if (result.status === 'fulfilled') continue;
        t.match(result.reason.code, /^(ERR_CLOSED|EPIPE|ECONNRESET|ENOTCONN)$/);
      }
      await server.close();
      ended++;
    };
    const forever = async (): Promise<void> => {
      while (goesOn()) await converse();
    };
    await Promise.all(Array.from({ length: 6 }, forever));
    t.comment(`${ended} connections`);
  });
}
