/** `node idle.js HOST PORT CONNS SIZE`: see idle.c. */
import { type Connection, connect } from 'uasync/net';
import { Counts, GRACE, pattern } from './client.js';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1] = numbers.map(Number);
const message = pattern(size);

const counts = new Counts();
const open: Connection[] = [];
for (let i = 0; i < conns; i++) {
  const start = performance.now();
  const conn = await connect({ host, port });
  open.push(conn);
  await conn.write(message);
  const answer = await conn.readExactly(size, { timeout: GRACE });
  if (message.equals(answer)) counts.done(performance.now() - start);
  else counts.corrupt++;
}
await counts.print();
process.stdin.resume().once('end', async () => {
  for (const conn of open) await conn.reset();
});
