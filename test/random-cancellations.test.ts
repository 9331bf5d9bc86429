/**
 * Operations of all kinds that are cancelled at random moments: each settles once, and nothing stays in flight.
 * UASYNC_FUZZ_OPERATIONS says how many.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Channel, channelPair, loop, nop, sleep } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, connect, type InetAddress, listen, openPipe } from 'uasync/net';
import { fuzzing, fuzzTimeout } from './fuzzing.js';
import { checkLeaks, makeFifo, scratchFolder, seededRandom } from './harness.js';

checkLeaks();

const SECONDS = 2;
t.setTimeout(fuzzTimeout(SECONDS) * 2);
const HOST = '127.0.0.1';
const folder = scratchFolder();
const file = join(folder, 'file');
writeFileSync(file, Buffer.alloc(100_000, 'f'));

for (const inline of [true, false]) {
  t.test(`inline: ${inline}`, { timeout: fuzzTimeout(SECONDS) }, async t => {
    loop().close();
    loop({ inline });
    const random = seededRandom(t);
    const below = (limit: number): number => Math.floor(random() * limit);
    const server = await listen({ port: 0, host: HOST });
    const { port } = server.address as InetAddress;
    const client = await connect({ port, host: HOST });
    const conn = await server.accept();
    const quiet = await listen({ port: 0, host: HOST });
    const socket = await bind({ port: 0, host: HOST });
    const [mine, theirs] = channelPair();
    const ends = [new Channel(mine), new Channel(theirs)] as const;
    const input = await fs.open(makeFifo(folder, `fifo-${inline}`), 'r+');
    const pipe = openPipe(input.fd, { autoClose: false });
    const handle = await fs.open(file, 'r+');
    const bytes = Buffer.alloc(3000);
    const goesOn = fuzzing(SECONDS, 0.5);
    const settled = { done: 0, cancelled: 0 };

    const kinds: ((signal: AbortSignal) => Promise<unknown>)[] = [
      signal => sleep(below(3), { signal }),
      signal => sleep(10_000, { signal }),
      signal => client.read({ signal }),
      signal => client.readExactly(1 + below(10), { signal }),
      signal => conn.write(bytes.subarray(0, below(100)), { signal }),
      signal => quiet.accept({ signal }),
      signal => socket.recv({ signal }),
      signal => ends[0].recv({ signal }),
      signal => pipe.read({ signal }),
      signal => fs.readFile(file, { signal }),
      signal => loop().submit(sqe => sqe.read(handle.fd, Buffer.alloc(100), 0), { signal }),
      signal => loop().submit(sqe => sqe.timeout(below(20)), { signal }),
      signal => loop().submit(sqe => sqe.pollAdd(socket.fd, 1), { signal }),
      // Without a signal, and what others wait for.
      () => nop(),
      () => socket.send('x', (socket.address as InetAddress).port, HOST),
      () => ends[1].send(below(100)),
      () => pipe.write('x'),
    ];

    /** Cancels in this turn, in the next one, after a while, or when it may be done. */
    const cancelSometime = (controller: AbortController): void => {
      switch (below(5)) {
        case 0:
          controller.abort();
          break;
        case 1:
          queueMicrotask(() => controller.abort());
          break;
        case 2:
          process.nextTick(() => controller.abort());
          break;
        case 3:
          setImmediate(() => controller.abort());
          break;
        default:
          setTimeout(() => controller.abort(), below(4));
      }
    };

    const once = async (): Promise<void> => {
      const controller = new AbortController();
      const waiting = kinds[below(kinds.length)]!(controller.signal);
      cancelSometime(controller);
      try {
        await waiting;
        settled.done++;
      } catch (error) {
        const { code } = error as { code: string };
        // A wait that has run out is one that is done.
        if (code === 'ABORT_ERR') settled.cancelled++;
        else if (code === 'ETIME') settled.done++;
        else throw error;
      }
    };
    const forever = async (): Promise<void> => {
      do await Promise.all(Array.from({ length: 20 }, once));
      while (goesOn());
    };
    await Promise.all(Array.from({ length: 8 }, forever));
    t.comment(`${loop().stats().completed} operations, ${settled.done} done, ${settled.cancelled} cancelled`);
    t.ok(settled.done > 0 && settled.cancelled > 0);
    await Promise.all([client.reset(), conn.reset(), server.close(), quiet.close(), socket.close()]);
    await Promise.all([ends[0].close(), ends[1].close(), pipe.close()]);
    await Promise.all([input.close(), handle.close()]);
  });
}
