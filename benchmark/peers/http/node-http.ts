/** The peer: stock node:http. `node node-http.js [port] [host]` */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hello } from './hello.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = createServer(hello);
server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address() as AddressInfo;
  console.log(`listening on ${address}:${bound}`);
});
