/**
 * A UDP echo server: `node dist/examples/udp-echo.js [port] [host]`.
 * It sends every datagram back to its sender.
 */
import { bind } from 'uasync/net';

const [port = '7000', host = '127.0.0.1'] = process.argv.slice(2);
const ROOM = 1 << 22;

const socket = await bind({ port: Number(port), host, recvBufferSize: ROOM, sendBufferSize: ROOM });
const { address, port: bound } = socket.address;
console.log(`listening on ${address}:${bound}`);

for await (const { data, address, port } of socket) {
  // An answer that cannot be sent, for example because of a firewall, does not end the server.
  await socket.send(data, port, address).catch(() => {});
}
