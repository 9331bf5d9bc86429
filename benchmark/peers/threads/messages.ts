/**
 * Messages between two threads, by a Channel of uasync or a MessagePort of Node, one way or there and back. `node
 * messages.js channel|port VALUE one-way|there-and-back`, where VALUE is a number of bytes or `object`.
 */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Channel, channelPair } from 'uasync';
import { serveRounds } from '../worker.js';

const [way = 'channel', what = '64', direction = 'one-way'] = process.argv.slice(2);
const answers = direction === 'there-and-back';
const value = what === 'object' ? { id: 1, name: 'x' } : new Uint8Array(Number(what));
/** A port is not bounded: after this many messages other work has its turn. */
const BATCH = 512;

const [mine, theirs] = channelPair();
const { port1, port2 } = new MessageChannel();
const worker = new Worker(new URL('answerer.js', import.meta.url), {
  workerData: { way, end: theirs, port: port2, answers },
  transferList: [theirs.port, port2],
});
const channel = new Channel(mine);

const send: (value: unknown) => unknown =
  way === 'channel' ? value => channel.send(value) : value => port1.postMessage(value);
const receive: () => Promise<unknown> =
  way === 'channel' ? () => channel.recv() : async () => (await once(port1, 'message'))[0];

await receive();
await serveRounds(async round => {
  if (answers) {
    await round.repeat(16, async () => {
      await send(value);
      await receive();
    });
    return;
  }
  do {
    for (let i = 0; i < BATCH; i++) await send(value);
    round.ops += BATCH;
    await new Promise(resolve => setImmediate(resolve));
  } while (!round.over);
  await send('all?');
  await receive();
});
await channel.close();
port1.close();
await worker.terminate();
