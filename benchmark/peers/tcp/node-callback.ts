/** The peer: a stock node:net echo server with a `data` handler. `node node-net.js [port] [host]` */
import { type AddressInfo, createServer } from 'node:net';

const [port = '7001', host = '127.0.0.1'] = process.argv.slice(2);

const server = createServer({ noDelay: true }, socket => {
  socket.on('data', data => socket.write(data));
  socket.on('error', () => {});
});

server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address() as AddressInfo;
  console.log(`listening on ${address}:${bound}`);
});
