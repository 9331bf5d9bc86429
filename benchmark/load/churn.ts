/** `node churn.js HOST PORT CONNS SIZE SECONDS`: see churn.c. */
import { connect } from 'uasync/net';
import { pattern } from '../pattern.js';
import { Counts, GRACE, serverClosed, together } from './client.js';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1, seconds = 1] = numbers.map(Number);

/** Each connection starts at another position, so that an answer to another one is detected. */
const bytes = pattern(size + 4096);
let made = 0;

const counts = new Counts();
const end = counts.start + seconds * 1000;

async function one(): Promise<void> {
  const from = made++ % 4096;
  const message = bytes.subarray(from, from + size);
  const start = performance.now();
  const conn = await connect({ host, port });
  await conn.write(message).catch(serverClosed);
  const patience = { timeout: Math.max(1, end + GRACE - performance.now()) };
  const answer = await conn.readExactly(size, patience).catch(error => error);
  if (answer.code === 'ETIMEDOUT') counts.lost++;
  else if (answer instanceof Error) serverClosed();
  else if (message.equals(answer)) counts.done(performance.now() - start);
  else counts.corrupt++;
  // Leaves no socket in TIME_WAIT.
  await conn.reset();
}

await together(conns, async () => {
  do await one();
  while (performance.now() < end && counts.corrupt === 0);
});
await counts.print();
