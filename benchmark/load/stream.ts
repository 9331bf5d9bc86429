/**
 * The load of stream.c, in JavaScript on the ring, for machines without a C compiler.
 * `node stream.js HOST PORT CONNS SIZE DEPTH SECONDS`
 */
import { connect } from 'uasync/net';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1, depth = 1, seconds = 1] = numbers.map(Number);

/** A period that no message size divides: a message echoed in the wrong place shows. */
const period = ((1 << 20) | 1) + (size > 1 << 20 ? size * 2 : 0);
const pattern = Buffer.alloc(period * 2);
for (let i = 0, x = 12345; i < period; i++) {
  x = (Math.imul(x, 1103515245) + 12345) | 0;
  pattern[i] = x >>> 16;
}
pattern.copy(pattern, period, 0, period);

let ops = 0;
let corrupt = 0;
let lost = 0;

/** How long what is under way at the end may take to come back, in milliseconds. */
const GRACE = 1000;

async function drive(index: number, end: number): Promise<void> {
  await using conn = await connect({ host, port });
  let sentAt = (index * 7919) % period;
  let gotAt = sentAt;
  let got = 0;
  let underWay = depth;
  const send = (messages: number): Promise<void> => {
    const length = messages * size;
    const from = sentAt;
    sentAt = (sentAt + length) % period;
    return conn.write(pattern.subarray(from, from + length));
  };
  let sending = send(depth);
  // At the end nothing new is sent, and what is under way has to come back.
  const patience = setTimeout(() => conn.reset(), end + GRACE - performance.now());
  while (underWay !== 0 && corrupt === 0) {
    const chunk = await conn.read().catch(() => undefined);
    if (chunk === undefined) break;
    if (chunk === null) throw new Error('the server closed a connection');
    if (pattern.compare(chunk, 0, chunk.length, gotAt, gotAt + chunk.length) !== 0) corrupt++;
    gotAt = (gotAt + chunk.length) % period;
    got += chunk.length;
    const whole = Math.floor(got / size);
    got -= whole * size;
    ops += whole;
    if (performance.now() >= end) underWay -= whole;
    else if (whole !== 0) {
      await sending;
      sending = send(whole);
    }
  }
  clearTimeout(patience);
  lost += underWay;
  // What is unsent is dropped, and its write rejects.
  sending.catch(() => {});
  await conn.reset();
}

const start = performance.now();
await Promise.all(Array.from({ length: conns }, (_, i) => drive(i, start + seconds * 1000)));
const elapsed = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ ops, seconds: elapsed, cpu: (user + system) / 1e6, corrupt, lost }));
process.exitCode = corrupt === 0 && lost === 0 ? 0 : 1;
