/** `node stream.js HOST PORT CONNS SIZE DEPTH SECONDS`: see stream.c. */
import { type Connection, connect } from 'uasync/net';
import { pattern } from '../pattern.js';
import { Counts, established, GRACE, patienceFor, serverClosed, together } from './client.js';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1, depth = 1, seconds = 1] = numbers.map(Number);

/** A period that no message size divides: a message at the wrong position is detected. */
const period = ((1 << 20) | 1) + (size > 1 << 20 ? size * 2 : 0);
const once = pattern(period);
const bytes = Buffer.concat([once, once]);

/** A connection that keeps messages in flight. */
class Stream {
  readonly #conn: Connection;
  #sentAt: number;
  #gotAt: number;
  #got = 0;

  constructor(conn: Connection, index: number) {
    this.#conn = conn;
    this.#sentAt = (index * 7919) % period;
    this.#gotAt = this.#sentAt;
  }

  /** Keeps messages in flight until `end`, then waits for those that are. */
  async drive(counts: Counts, end: number, grace: number): Promise<void> {
    let underWay = depth;
    const due: number[] = [];
    const send = (messages: number): Promise<void> => {
      const length = messages * size;
      const from = this.#sentAt;
      this.#sentAt = (from + length) % period;
      for (let i = 0; i < messages; i++) due.push(performance.now());
      return this.#conn.write(bytes.subarray(from, from + length));
    };
    let sending = send(depth);
    const patience = setTimeout(() => this.reset(), end + grace - performance.now());
    while (underWay !== 0 && counts.corrupt === 0) {
      const chunk = await this.#conn.read().catch(() => undefined);
      if (chunk === undefined) break;
      if (chunk === null) serverClosed();
      const gotAt = this.#gotAt;
      if (bytes.compare(chunk, 0, chunk.length, gotAt, gotAt + chunk.length) !== 0) counts.corrupt++;
      this.#gotAt = (gotAt + chunk.length) % period;
      this.#got += chunk.length;
      const now = performance.now();
      const whole = Math.floor(this.#got / size);
      this.#got -= whole * size;
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
  }

  async reset(): Promise<void> {
    await this.#conn.reset();
  }
}

const streams: Stream[] = [];
await together(conns, async index => {
  streams[index] = new Stream(await connect({ host, port }), index);
});

async function run(seconds: number, grace: number): Promise<Counts> {
  const counts = new Counts();
  await together(conns, index => streams[index]!.drive(counts, counts.start + seconds * 1000, grace));
  return counts;
}

// The first messages on each connection find out that the server has it.
let counts = await run(0, patienceFor(conns));
if (counts.lost === 0 && counts.corrupt === 0) {
  await established();
  counts = await run(seconds, GRACE);
}
await counts.print();
await together(conns, index => streams[index]!.reset());
