/**
 * A UDP echo server on the bare ring: one multishot receive into provided buffers, and a send from the same
 * buffer for each datagram. Linux 6.11. `node dist/examples/ring/udp-echo.js [port]`
 */
import {
  AF_INET,
  BufRing,
  CQE_F_BUFFER,
  CQE_F_MORE,
  inetAddress,
  Message,
  Ring,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  type Sqe,
} from 'uasync/ring';

const GROUP = 1;
/** user_data of the receive; for a send it is the buffer id. */
const RECEIVE = 2 ** 32;

const port = Number(process.argv[2] ?? 7000);
const ring = new Ring(256);

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

const fd = result(sqe => sqe.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC));
result(sqe => sqe.bind(fd, inetAddress('127.0.0.1', port)));
console.log(`listening on 127.0.0.1:${port}`);

// A buffer holds the kernel's header, the sender's address and the datagram.
const buffers = new BufRing(ring, { group: GROUP, entries: 256, bufferSize: 4096 });
const incoming = new Message({ address: true });

function receive(): void {
  entry().recvmsgMultishot(fd, incoming, GROUP).userData(RECEIVE);
}

receive();
for (;;) {
  ring.submit(1);
  ring.forEachCqe(({ userData, res, flags }) => {
    if (userData !== RECEIVE) {
      buffers.recycle(Number(userData));
      buffers.publish();
      return;
    }
    if (flags & CQE_F_BUFFER) {
      const id = BufRing.idOf(flags);
      const { payload, address } = incoming.parse(buffers.bytes, id * buffers.bufferSize, res);
      entry().sendto(fd, payload, address!).userData(id);
    }
    // It ends when there is no buffer left: sends return them.
    if (!(flags & CQE_F_MORE)) receive();
  });
}
