/** `node stream.js HOST PORT CONNS SIZE DEPTH SECONDS`: see stream.c. */
import { connect } from 'uasync/net';
import { Counts, GRACE, pattern, serverClosed, together } from './client.js';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1, depth = 1, seconds = 1] = numbers.map(Number);

/** A period that no message size divides: a message at the wrong position is detected. */
const period = ((1 << 20) | 1) + (size > 1 << 20 ? size * 2 : 0);
const once = pattern(period);
const bytes = Buffer.concat([once, once]);

const counts = new Counts();
const end = counts.start + seconds * 1000;

async function drive(index: number): Promise<void> {
  const conn = await connect({ host, port });
  let sentAt = (index * 7919) % period;
  let gotAt = sentAt;
  let got = 0;
  let underWay = depth;
  const due: number[] = [];
  const send = (messages: number): Promise<void> => {
    const length = messages * size;
    const from = sentAt;
    sentAt = (sentAt + length) % period;
    for (let i = 0; i < messages; i++) due.push(performance.now());
    return conn.write(bytes.subarray(from, from + length));
  };
  let sending = send(depth);
  // At the end nothing new is sent, and messages in flight must come back.
  const patience = setTimeout(() => conn.reset(), end + GRACE - performance.now());
  while (underWay !== 0 && counts.corrupt === 0) {
    const chunk = await conn.read().catch(() => undefined);
    if (chunk === undefined) break;
    if (chunk === null) serverClosed();
    if (bytes.compare(chunk, 0, chunk.length, gotAt, gotAt + chunk.length) !== 0) counts.corrupt++;
    gotAt = (gotAt + chunk.length) % period;
    got += chunk.length;
    const now = performance.now();
    const whole = Math.floor(got / size);
    got -= whole * size;
    for (let i = 0; i < whole; i++) counts.done(now - due.shift()!);
    if (now >= end) underWay -= whole;
    else if (whole !== 0) {
      await sending;
      sending = send(whole);
    }
  }
  clearTimeout(patience);
  if (counts.corrupt === 0) counts.lost += underWay;
  // What is unsent is dropped, and its write rejects.
  sending.catch(() => {});
  await conn.reset();
}

await together(conns, drive);
await counts.print();
