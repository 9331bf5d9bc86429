/**
 * A UDP echo server: `node dist/examples/udp-echo.js [port] [host]`.
 * It sends every datagram back to where it came from.
 */
import { bind } from 'uasync/net';

const [port = '7000', host = '127.0.0.1'] = process.argv.slice(2);
const ROOM = 1 << 22;

const socket = await bind({ port: Number(port), host, recvBufferSize: ROOM, sendBufferSize: ROOM });
const { address, port: bound } = socket.address;
console.log(`listening on ${address}:${bound}`);

for await (const { data, address, port } of socket) {
  // One that cannot be answered, perhaps for a firewall's sake, is no reason to end.
  await socket.send(data, port, address).catch(() => {});
}
