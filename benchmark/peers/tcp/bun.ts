/** The peer in Bun: its own sockets, with callbacks. `bun bun-native.js [port] [host]` */

interface Socket {
  data: Uint8Array[];
  write(bytes: Uint8Array): number;
}
declare const Bun: {
  listen(options: {
    hostname: string;
    port: number;
    socket: Record<'open' | 'drain' | 'close' | 'error', (socket: Socket) => void> & {
      data(socket: Socket, bytes: Uint8Array): void;
    };
  }): { hostname: string; port: number };
};

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

const server = Bun.listen({
  hostname: host,
  port: Number(port),
  socket: {
    open(socket) {
      socket.data = [];
    },
    data(socket, bytes) {
      const sent = socket.data.length === 0 ? socket.write(bytes) : 0;
      // Bun no longer uses the bytes when this returns: unsent ones are kept.
      if (sent >= 0 && sent < bytes.length) socket.data.push(bytes.slice(sent));
    },
    drain(socket) {
      const queue = socket.data;
      while (queue.length !== 0) {
        const sent = socket.write(queue[0]!);
        if (sent < queue[0]!.length) {
          queue[0] = queue[0]!.subarray(Math.max(sent, 0));
          return;
        }
        queue.shift();
      }
    },
    close() {},
    error() {},
  },
});
console.log(`listening on ${server.hostname}:${server.port}`);
