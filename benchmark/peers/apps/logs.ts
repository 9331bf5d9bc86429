/**
 * A log shipper: reads a file of log lines, adds a host name to those that are not of level debug, and sends them to a
 * collector. An operation is a line of the file. `node logs.js uasync|node COLLECTOR_PORT FILE`
 */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect as connectNode } from 'node:net';
import { serveRounds } from '../worker.js';

const HOST = '127.0.0.1';
/** Lines leave together up to this size. */
const BATCH = 64 * 1024;
/** Where a line says its level, after the time. */
const LEVEL_AT = 25;

const [whose = 'uasync', port, file = ''] = process.argv.slice(2);

/** The collector: takes text, and resolves when more may follow. */
type Collector = (text: string) => Promise<void>;

async function collectorOfNode(): Promise<Collector> {
  const socket = connectNode(Number(port), HOST);
  await once(socket, 'connect');
  return async text => {
    if (!socket.write(text)) await once(socket, 'drain');
  };
}

async function collectorOfUasync(): Promise<Collector> {
  const { connect } = await import('uasync/net');
  const conn = await connect({ port: Number(port), host: HOST });
  return text => conn.write(text);
}

async function* chunksOfNode(): AsyncIterable<Buffer> {
  const handle = await open(file);
  yield* handle.createReadStream({ highWaterMark: BATCH }) as AsyncIterable<Buffer>;
}

async function* chunksOfUasync(): AsyncIterable<Buffer> {
  const { open } = await import('uasync/fs');
  const handle = await open(file);
  try {
    yield* handle.chunks({ size: BATCH, lease: true });
  } finally {
    await handle.close();
  }
}

const isNode = whose === 'node';
const send = await (isNode ? collectorOfNode() : collectorOfUasync());

await serveRounds(async round => {
  let batch = '';
  do {
    let rest = '';
    for await (const chunk of isNode ? chunksOfNode() : chunksOfUasync()) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        round.ops++;
        if (!line.startsWith('debug', LEVEL_AT)) batch += `host=web-1 ${line}\n`;
      }
      if (batch.length < BATCH) continue;
      await send(batch);
      batch = '';
    }
  } while (!round.over);
  await send(batch);
});
process.exit();
