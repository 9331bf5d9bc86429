/** A DNS forwarder on node:dgram. `node dns-node.js UPSTREAM_PORT [port] [host]` */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { Questions } from './dns.js';

const [upstream, port = '0', host = '127.0.0.1'] = process.argv.slice(2);
const ROOM = 1 << 22;
const options = { type: 'udp4', recvBufferSize: ROOM, sendBufferSize: ROOM } as const;

const questions = new Questions<RemoteInfo>();
const inner = createSocket(options);
const outer = createSocket(options);
inner.on('message', (message, client) => {
  questions.open(message, client);
  outer.send(message, Number(upstream), host);
});
outer.on('message', message => {
  const client = questions.close(message);
  if (client !== undefined) inner.send(message, client.port, client.address);
});
// The error of an earlier datagram, for example if the load has ended.
inner.on('error', () => {});
outer.on('error', () => {});
inner.bind(Number(port), host, () => {
  console.log(`listening on ${host}:${inner.address().port}`);
});
