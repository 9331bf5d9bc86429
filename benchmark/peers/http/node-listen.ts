import type { AddressInfo, Server } from 'node:net';

/** Lets a server of node:net or node:http listen on the port and host of the command line, and says where. */
export function listen(server: Server, skip = 0): void {
  const [port = '0', host = '127.0.0.1'] = process.argv.slice(2 + skip);
  server.listen(Number(port), host, () => {
    const { address, port: bound } = server.address() as AddressInfo;
    console.log(`listening on ${address}:${bound}`);
  });
}
