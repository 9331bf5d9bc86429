/**
 * An HTTP request as one chain: connect, send and receive are submitted together, and each starts when the
 * one before it has succeeded. `node dist/examples/ring/http-get.js 127.0.0.1 8000 [/path]`
 */
import { getSystemErrorName } from 'node:util';
import { AF_INET, inetAddress, MSG_WAITALL, Ring, SOCK_CLOEXEC, SOCK_STREAM } from 'uasync/ring';

const [host = '127.0.0.1', port = '8000', path = '/'] = process.argv.slice(2);
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
const reply = Buffer.alloc(1 << 20);
const [SOCKET, CONNECT, SEND, RECEIVE] = [1, 2, 3, 4];

const ring = new Ring(8);
ring
  .getSqe()!
  .socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC)
  .userData(SOCKET);
ring.submit(1);
const fd = ring.copyCqes()[0]!.res;

ring
  .getSqe()!
  .connect(fd, inetAddress(host, Number(port)))
  .userData(CONNECT)
  .link();
ring.getSqe()!.linkTimeout(5000);
ring.getSqe()!.send(fd, request).userData(SEND).link();
// Receives until the server closes: a receive that ends early is still the last entry of the chain.
ring.getSqe()!.recv(fd, reply, MSG_WAITALL).userData(RECEIVE);
ring.submit();

const results = new Map<number | bigint, number>();
while (!results.has(RECEIVE)) ring.forEachCqe(cqe => results.set(cqe.userData, cqe.res)) || ring.submit(1);

const received = results.get(RECEIVE)!;
if (received >= 0) process.stdout.write(reply.subarray(0, received));
else {
  // The first failure is the reason; the entries linked after it are only cancelled.
  const failed = [CONNECT, SEND, RECEIVE].find(step => (results.get(step) ?? 0) < 0)!;
  process.stderr.write(
    `${['', '', 'connect', 'send', 'receive'][failed]}: ${getSystemErrorName(results.get(failed)!)}\n`,
  );
  process.exitCode = 1;
}
ring.getSqe()!.close(fd);
ring.submit(1);
ring.close();
