/** `node http.js HOST PORT CONNS BODY SECONDS [REQUEST [DEPTH]]`: see http.c. */
import { type Connection, connect } from 'uasync/net';
import { Counts, established, GRACE, patienceFor, serverClosed, together } from './client.js';

const NUMBER = '00000000';
const GET = `GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\nX-Request-Id: ${NUMBER}\r\n\r\n`;

const [host = '', port, conns, body = '', seconds, request = GET, depth = 1] = process.argv.slice(2);

let asked = 0;
const open: Connection[] = [];
await together(Number(conns), async index => {
  open[index] = await connect({ host, port: Number(port) });
});

/** The request with a number of its own. */
function numbered(): string {
  return request.replace(NUMBER, String(++asked % 1e8).padStart(NUMBER.length, '0'));
}

/** Keeps requests in flight on each connection for some seconds, then waits for the answers. */
async function run(seconds: number, grace: number): Promise<Counts> {
  const counts = new Counts();
  const end = counts.start + seconds * 1000;
  const patience = { timeout: seconds * 1000 + grace };
  await together(open.length, async index => {
    const conn = open[index]!;
    do {
      const start = performance.now();
      for (let i = 0; i < Number(depth); i++) conn.send(numbered());
      for (let i = 0; i < Number(depth) && counts.corrupt === 0; i++) {
        const head = await conn.readUntil('\r\n\r\n', patience).catch(serverClosed);
        const length = Number(/\r\ncontent-length:\s*(\d+)/i.exec(String(head))?.[1]);
        const right = String(head).startsWith('HTTP/1.1 200 ') && length === body.length;
        if (right && String(await conn.readExactly(length, patience)) === body) {
          counts.done(performance.now() - start);
        } else counts.corrupt++;
      }
    } while (performance.now() < end && counts.corrupt === 0);
  });
  return counts;
}

// The first request on each connection finds out that the server has it.
let counts = await run(0, patienceFor(open.length));
if (counts.corrupt === 0) {
  await established();
  counts = await run(Number(seconds), GRACE);
}
await counts.print();
await together(open.length, index => open[index]!.reset());
