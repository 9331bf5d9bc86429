/**
 * A TCP echo server on the bare ring: no promise, and one system call per batch. `Slots` map operations to JavaScript
 * values. Linux 6.11. `node dist/examples/ring/tcp-echo.js [port]`
 */
import {
  AF_INET,
  CQE_F_MORE,
  type CqeSink,
  inetAddress,
  Ring,
  Slots,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  type Sqe,
} from 'uasync/ring';

/** One connection: it either receives, or sends what it received. */
interface Connection {
  fd: number;
  buffer: Buffer;
  /** The unsent rest; nothing while it receives. */
  unsent: Buffer | null;
}

const port = Number(process.argv[2] ?? 7000);
const ring = new Ring(1024);
/** Connections, and null for the listening socket. */
const slots = new Slots<Connection | 'listener'>();

function entry(): Sqe {
  for (let sqe = ring.getSqe(); ; sqe = ring.getSqe()) {
    if (sqe !== null) return sqe;
    ring.submit();
  }
}

function result(fill: (sqe: Sqe) => void): number {
  fill(entry());
  ring.submit(1);
  const [cqe] = ring.copyCqes();
  if (cqe!.res < 0) throw new Error(`it failed: ${cqe!.res}`);
  return cqe!.res;
}

function accept(): void {
  entry().multishotAccept(listener).userData(slots.put('listener'));
}

function receive(connection: Connection): void {
  connection.unsent = null;
  entry().recv(connection.fd, connection.buffer).userData(slots.put(connection));
}

function send(connection: Connection, data: Buffer): void {
  connection.unsent = data;
  entry().send(connection.fd, data).userData(slots.put(connection));
}

const sink: CqeSink = {
  onCqe(low, high, res, flags) {
    const value = slots.get(low, high);
    if (!(flags & CQE_F_MORE) && value !== undefined) slots.remove(low);
    if (value === 'listener') {
      if (res >= 0) receive({ fd: res, buffer: Buffer.alloc(65536), unsent: null });
      if (!(flags & CQE_F_MORE)) accept();
    } else if (value === undefined) {
      // A socket was closed.
    } else if (res <= 0) {
      entry()
        .close(value.fd)
        .userData(2 ** 53 - 1);
    } else if (value.unsent === null) {
      send(value, value.buffer.subarray(0, res));
    } else if (res < value.unsent.length) {
      send(value, value.unsent.subarray(res));
    } else {
      receive(value);
    }
  },
};

const listener = result(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
result(sqe => sqe.bind(listener, inetAddress('127.0.0.1', port)));
result(sqe => sqe.listen(listener, 511));
console.log(`listening on 127.0.0.1:${port}`);

accept();
for (;;) {
  ring.submit(1);
  ring.reap(sink);
}
