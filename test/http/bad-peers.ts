/** A program: peers of an HTTP server that keep it waiting, each in one of four ways; prints how many have a request under way. `node bad-peers.js PORT COUNT` */
import { once } from 'node:events';
import net from 'node:net';

const LARGE = 'x'.repeat(300_000);

const KINDS = [
  // A head that does not end.
  'GET / HTTP/1.1\r\nHost: a\r\nX-Some: ',
  // A body that is not read.
  `POST /ignored HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n${LARGE}`,
  // A body that does not end.
  `POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n${LARGE.slice(0, 20_000)}`,
  // An answer that is not taken.
  'GET /endless HTTP/1.1\r\nHost: a\r\n\r\n',
];

/** Most are slow; those that fill the kernel's buffers are few. */
function kindOf(index: number): number {
  if (index % 40 === 0) return 3;
  if (index % 10 === 1) return 1;
  return index % 2 === 0 ? 0 : 2;
}

/** Fewer than the backlog: beyond that the kernel answers by SYN cookies, and resets some connections later. */
const AT_A_TIME = 200;
const COUNT = Number(process.argv[3]);

async function start(i: number): Promise<net.Socket> {
  const socket = net.connect(Number(process.argv[2]), '127.0.0.1');
  await once(socket, 'connect');
  socket.pause();
  socket.on('error', () => {});
  const kind = kindOf(i);
  const written = new Promise(resolve => socket.write(KINDS[kind]!, resolve));
  // What the server does not take stays here.
  if (kind !== 1) await written;
  return socket;
}

const sockets: net.Socket[] = [];
while (sockets.length < COUNT) {
  const length = Math.min(AT_A_TIME, COUNT - sockets.length);
  sockets.push(...(await Promise.all(Array.from({ length }, (_, i) => start(sockets.length + i)))));
}
console.log(sockets.filter((_, i) => kindOf(i) !== 0).length);
process.stdin.once('data', () => {
  for (const [i, socket] of sockets.entries()) {
    // A body that is not read would be sent still, and its end behind it.
    if (i % 3 === 0 || kindOf(i) === 1) socket.resetAndDestroy();
    else socket.destroy();
  }
  process.stdin.destroy();
});
