/** The peer: node:net, each connection piped to itself. `node node-pipe.js [port] [host]` */
import { type AddressInfo, createServer } from 'node:net';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = createServer({ noDelay: true }, socket => {
  socket.pipe(socket);
  socket.on('error', () => {});
});

server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address() as AddressInfo;
  console.log(`listening on ${address}:${bound}`);
});
