/** The peer in Deno: its own datagram socket, awaited. `deno run --unstable-net --allow-net deno.js [port] [host]` */

interface Address {
  transport: 'udp';
  hostname: string;
  port: number;
}
declare const Deno: {
  args: string[];
  listenDatagram(options: Address): {
    addr: Address;
    receive(into: Uint8Array): Promise<[Uint8Array, Address]>;
    send(bytes: Uint8Array, to: Address): Promise<number>;
  };
};

const [port = '0', hostname = '127.0.0.1'] = Deno.args;

const socket = Deno.listenDatagram({ transport: 'udp', hostname, port: Number(port) });
console.log(`listening on ${socket.addr.hostname}:${socket.addr.port}`);
const buffer = new Uint8Array(65536);
for (;;) {
  const [bytes, from] = await socket.receive(buffer);
  await socket.send(bytes, from).catch(() => {});
}
