/** The peer: node:net in the style of uasync, `for await` and an awaited write. `node node-await.js [port] [host]` */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, error => (error ? reject(error) : resolve()));
  });
}

async function echo(socket: Socket): Promise<void> {
  for await (const chunk of socket) await write(socket, chunk as Buffer);
}

const server = createServer({ noDelay: true }, socket => {
  echo(socket).catch(() => {});
});

server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address() as AddressInfo;
  console.log(`listening on ${address}:${bound}`);
});
