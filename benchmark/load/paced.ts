/** `node paced.js tcp|udp HOST PORT CONNS SIZE RATE SECONDS`: see paced.c. */
import { bind, connect } from 'uasync/net';
import { pattern } from '../pattern.js';
import { Counts, established, GRACE, serverClosed } from './client.js';

const [protocol, host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1, rate = 1, seconds = 1] = numbers.map(Number);

/** If a message is sent this many milliseconds late, the generator or its core is the cause. */
const TARDY = 1;

const message = pattern(size);
const total = Math.floor(seconds * rate);
let counts = new Counts();
let sent = 0;
const send = await (protocol === 'udp' ? openDatagrams() : openStreams());
if (counts.lost === 0 && counts.corrupt === 0) {
  await established();
  counts = new Counts();
}

function due(nth: number): number {
  return counts.start + (nth * 1000) / rate;
}

function took(nth: number): void {
  counts.done(performance.now() - due(nth));
}

/** Opens the connections; returns a function that sends a message. */
async function openStreams(): Promise<(nth: number) => void> {
  const open = await Promise.all(Array.from({ length: conns }, () => connect({ host, port })));
  // The first message on each connection finds out that the server has it.
  for (const conn of open) {
    await conn.write(message);
    const first = await conn.readExactly(size, { timeout: GRACE }).catch(error => error);
    if (first.code === 'ETIMEDOUT') counts.lost++;
    else if (first instanceof Error) serverClosed();
    else if (!message.equals(first)) counts.corrupt++;
    if (counts.lost !== 0) break;
  }
  for (const [index, conn] of open.entries()) {
    // A stream returns messages in order, so their numbers are known.
    const receive = async (): Promise<void> => {
      for (let nth = index; ; nth += conns) {
        if (message.equals(await conn.readExactly(size))) took(nth);
        else counts.corrupt++;
      }
    };
    receive().catch(serverClosed);
  }
  return nth => open[nth % conns]!.send(message);
}

/** A datagram starts with its number. */
async function openDatagrams(): Promise<(nth: number) => void> {
  const open = await Promise.all(Array.from({ length: conns }, () => bind({ host })));
  for (const socket of open) {
    await socket.connect(port, host);
    const receive = async (): Promise<void> => {
      for await (const { data } of socket) {
        const nth = data.length === size ? Number(data.readBigUInt64LE()) : total;
        if (nth < sent && data.subarray(8).equals(message.subarray(8))) took(nth);
        else counts.corrupt++;
      }
    };
    receive().catch(serverClosed);
  }
  return nth => {
    message.writeBigUInt64LE(BigInt(nth));
    open[nth % conns]!.send(Buffer.from(message)).catch(() => {});
  };
}

const end = counts.start + seconds * 1000 + GRACE;
while (counts.ops < total && performance.now() < end && counts.corrupt === 0 && counts.lost === 0) {
  for (let now = performance.now(); sent < total && due(sent) <= now; sent++) {
    if (now - due(sent) > TARDY) counts.tardy++;
    send(sent);
  }
  await new Promise(resolve => setImmediate(resolve));
}
if (counts.corrupt === 0) counts.lost = total - counts.ops;
await counts.print();
process.exit();
