/** A DNS forwarder on uasync. `node dns-uasync.js UPSTREAM_PORT [port] [host]` */
import { bind } from 'uasync/net';
import { Questions } from './dns.js';

const [upstream, port = '0', host = '127.0.0.1'] = process.argv.slice(2);
const ROOM = 1 << 22;
const options = { host, recvBufferSize: ROOM, sendBufferSize: ROOM };

const questions = new Questions<{ port: number; address: string }>();
const inner = await bind({ ...options, port: Number(port) });
const outer = await bind({ ...options, port: 0 });

async function forward(): Promise<void> {
  for await (const { data, port, address } of inner) {
    questions.open(data, { port, address });
    await outer.send(data, Number(upstream), host).catch(() => {});
  }
}

async function answer(): Promise<void> {
  for await (const { data } of outer) {
    const client = questions.close(data);
    // An answer that cannot be sent does not end the server.
    if (client !== undefined) await inner.send(data, client.port, client.address).catch(() => {});
  }
}

console.log(`listening on ${host}:${inner.address.port}`);
await Promise.all([forward(), answer()]);
