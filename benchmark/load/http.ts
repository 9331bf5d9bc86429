/** `node http.js HOST PORT CONNS BODY SECONDS [REQUEST]`: see http.c. */
import { connect } from 'uasync/net';
import { Counts, GRACE, serverClosed, together } from './client.js';

const NUMBER = '00000000';
const GET = `GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\nX-Request-Id: ${NUMBER}\r\n\r\n`;

const [host = '', port, conns, body = '', seconds, request = GET] = process.argv.slice(2);

const counts = new Counts();
let asked = 0;
const end = counts.start + Number(seconds) * 1000;

await together(Number(conns), async () => {
  const conn = await connect({ host, port: Number(port) });
  const patience = { timeout: Number(seconds) * 1000 + GRACE };
  do {
    const start = performance.now();
    conn.send(request.replace(NUMBER, String(++asked % 1e8).padStart(NUMBER.length, '0')));
    const head = await conn.readUntil('\r\n\r\n', patience).catch(serverClosed);
    const length = Number(/\r\ncontent-length:\s*(\d+)/i.exec(String(head))?.[1]);
    const right = String(head).startsWith('HTTP/1.1 200 ') && length === body.length;
    if (right && String(await conn.readExactly(length, patience)) === body) {
      counts.done(performance.now() - start);
    } else counts.corrupt++;
  } while (performance.now() < end && counts.corrupt === 0);
  await conn.reset();
});
await counts.print();
