/** `node idle.js HOST PORT CONNS SIZE [REQUEST]`: see idle.c. */
import { type Connection, connect } from 'uasync/net';
import { pattern } from '../pattern.js';
import { Counts, GRACE } from './client.js';

const [host = '', ...rest] = process.argv.slice(2);
const [port = 0, conns = 1, size = 1] = rest.map(Number);
const request = rest[3];
const message = request === undefined ? pattern(size) : Buffer.from(request);

const counts = new Counts();
const open: Connection[] = [];
for (let i = 0; i < conns; i++) {
  const start = performance.now();
  const conn = await connect({ host, port });
  open.push(conn);
  await conn.write(message);
  const limits = { timeout: GRACE };
  const answer = await (request === undefined ? conn.readExactly(size, limits) : conn.read(limits));
  const right = request === undefined ? message.equals(answer!) : `${answer}`.startsWith('HTTP/1.1 200 ');
  if (right) counts.done(performance.now() - start);
  else counts.corrupt++;
}
await counts.print();
process.stdin.resume().once('end', async () => {
  for (const conn of open) await conn.reset();
});
