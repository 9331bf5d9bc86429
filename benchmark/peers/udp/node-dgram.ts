/** The peer: a stock node:dgram echo server. `node node-dgram.js [port]` */
import { createSocket } from 'node:dgram';

const [port = '7004'] = process.argv.slice(2);
const ROOM = 1 << 22;

const socket = createSocket({ type: 'udp4', recvBufferSize: ROOM, sendBufferSize: ROOM });
socket.on('message', (data, { port, address }) => socket.send(data, port, address));
// The error of an earlier datagram, for instance if the load has ended.
socket.on('error', () => {});
socket.bind(Number(port), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${socket.address().port}`);
});
