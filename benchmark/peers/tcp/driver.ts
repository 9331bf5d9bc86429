/**
 * A client like a database driver, with DEPTH requests in flight on one connection to an echo server. Each request is
 * one write; answers are parsed, and settle the oldest waiting promise. Requests look like answers. `node driver.js
 * PORT uasync|node redis|pg DEPTH`
 */
import net from 'node:net';
import { connect } from 'uasync/net';
import { serveRounds } from '../worker.js';

const HOST = '127.0.0.1';

/** The format of requests, and the end of an answer. */
interface Protocol {
  request: string | Buffer;
  /** The end of the answer at `from`; -1 if it is incomplete. */
  endOf(bytes: Buffer, from: number): number;
}

const VALUE = 64;
const NEWLINE = 10;

/** Bulk strings, `$LENGTH\r\nBYTES\r\n`. */
const redis: Protocol = {
  request: `$${VALUE}\r\n${'x'.repeat(VALUE)}\r\n`,
  endOf(bytes, from) {
    const line = bytes.indexOf(NEWLINE, from);
    if (line < 0) return -1;
    const end = line + 1 + Number(bytes.toString('latin1', from + 1, line - 1)) + 2;
    return end <= bytes.length ? end : -1;
  },
};

const SYNC = 'S'.charCodeAt(0);

/** A message: its type, its length without the type, and `length` bytes. */
function message(type: string, length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, type);
  bytes.writeInt32BE(4 + length, 1);
  return bytes;
}

/** Bind, Execute, Sync; the answer ends with the last. */
const pg: Protocol = {
  request: Buffer.concat([message('B', VALUE), message('E', 5), message('S', 0)]),
  endOf(bytes, from) {
    for (let at = from; at + 5 <= bytes.length; ) {
      const end = at + 1 + bytes.readInt32BE(at + 1);
      if (end > bytes.length) return -1;
      if (bytes[at] === SYNC) return end;
      at = end;
    }
    return -1;
  },
};

const [port, whose, kind, depth] = process.argv.slice(2);
const protocol = kind === 'pg' ? pg : redis;

const waiting: (() => void)[] = [];
let rest: Buffer | null = null;

/** Settles complete answers; an incomplete rest waits for more. */
function arrived(chunk: Buffer): void {
  const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
  let at = 0;
  for (let end = protocol.endOf(bytes, at); end >= 0; end = protocol.endOf(bytes, at)) {
    at = end;
    waiting.shift()!();
    if (at === bytes.length) break;
  }
  rest = at === bytes.length ? null : bytes.subarray(at);
}

/** Connects; returns a function that sends. */
async function connected(): Promise<(data: string | Buffer) => void> {
  if (whose === 'node') {
    const socket = net.connect({ port: Number(port), host: HOST, noDelay: true });
    await new Promise<void>(resolve => socket.once('connect', resolve));
    socket.on('data', arrived);
    return data => void socket.write(data);
  }
  const conn = await connect({ port: Number(port), host: HOST });
  const listen = async (): Promise<void> => {
    for await (const chunk of conn) arrived(chunk);
  };
  void listen();
  return data => conn.send(data);
}

const send = await connected();
const request = (): Promise<void> =>
  new Promise(resolve => {
    waiting.push(resolve);
    send(protocol.request);
  });

await serveRounds(round => round.spread(Number(depth), 16, request));
process.exit();
