/** The peer: an echo server on Bun's native UDP socket. `bun bun-udp.js [port]` */

/** The used part of Bun's API. */
interface Bun {
  udpSocket(options: {
    port: number;
    hostname: string;
    socket: { data(socket: UdpSocket, data: Uint8Array, port: number, address: string): void; error(): void };
  }): Promise<UdpSocket>;
}
interface UdpSocket {
  port: number;
  send(data: Uint8Array, port: number, address: string): boolean;
}

const [port = '7005'] = process.argv.slice(2);
const { Bun: bun } = globalThis as unknown as { Bun: Bun };

const server = await bun.udpSocket({
  port: Number(port),
  hostname: '127.0.0.1',
  socket: {
    data(socket, data, port, address) {
      // It throws the error of an earlier datagram, for instance if the load has ended.
      try {
        socket.send(data, port, address);
      } catch {}
    },
    error() {},
  },
});
console.log(`listening on 127.0.0.1:${server.port}`);
