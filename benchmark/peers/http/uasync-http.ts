/** node:http over connections of uasync, by `toDuplex()`. `node uasync-http.js [port] [host]` */
import { createServer } from 'node:http';
import { type InetAddress, listen } from 'uasync/net';
import { hello } from './hello.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const http = createServer(hello);
const server = await listen({ port: Number(port), host });
const { address, port: bound } = server.address as InetAddress;
console.log(`listening on ${address}:${bound}`);
for await (const conn of server) http.emit('connection', conn.toDuplex());
