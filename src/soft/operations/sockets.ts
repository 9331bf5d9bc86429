/** ACCEPT, CONNECT, BIND and LISTEN. */
import * as abi from '../../ring/abi/io-uring.js';
import { EAGAIN, EINPROGRESS, EINVAL } from '../../sys/abi/errno.js';
import { POLLERR, POLLHUP, POLLOUT } from '../../sys/abi/flags.js';
import { NR_ACCEPT4, NR_BIND, NR_LISTEN } from '../../sys/abi/syscall-numbers.js';
import { libc } from '../../sys/libc/libc.js';
import { type Entry, PARKED, RUNNING, TIMED } from '../entry.js';
import type { Host } from '../host.js';
import { TO_READ, TO_WRITE } from '../watch.js';
import { goOnLater, kindOf } from './receive.js';

/** How many connections one accept takes before others have their turn. */
const BURST = 64;
/** The interval after which a connect to a full Unix socket is retried, in nanoseconds. */
const RETRY_NS = 5e6;

export function accept(ring: Host, entry: Entry): void {
  const { fd, ioprio, opFlags } = entry;
  const many = (ioprio & abi.ACCEPT_MULTISHOT) !== 0;
  if (entry.file !== 0 || (many && entry.addr !== 0)) {
    ring.complete(entry, EINVAL);
    return;
  }
  if (entry.place === RUNNING) {
    const failed = ring.calls.setNonBlocking(fd);
    if (failed < 0) {
      ring.complete(entry, failed);
      return;
    }
  }
  for (let i = 0; i < BURST; i++) {
    const res = libc().openFile(NR_ACCEPT4, fd, entry.addr, entry.off, opFlags);
    if (res === EAGAIN) {
      parkAccept(ring, entry);
      return;
    }
    // An accepted socket has the kind of its listener.
    if (res >= 0) ring.readiness.learn(res, kindOf(ring, fd));
    if (!many || res < 0) {
      ring.complete(entry, res);
      return;
    }
    ring.post(entry, res, 0);
  }
  goOnLater(ring, entry);
}

function parkAccept(ring: Host, entry: Entry): void {
  const failed = entry.ioprio & abi.ACCEPT_DONTWAIT ? EAGAIN : ring.wait(entry, TO_READ);
  ring.readiness.share(entry.fd);
  if (failed < 0) ring.complete(entry, failed);
}

export function connect(ring: Host, entry: Entry): void {
  if (entry.place === PARKED) {
    finishConnect(ring, entry);
    return;
  }
  const { fd, cell } = entry;
  const length = entry.offLow;
  const name = cell < 0 ? entry.addr : ring.cells.address(cell);
  const again = entry.place === TIMED;
  const res = ring.calls.connect(fd, name, length);
  if (res === EINPROGRESS) {
    if (again) ring.leave(entry);
    const failed = ring.wait(entry, TO_WRITE);
    if (failed < 0) ring.complete(entry, failed);
  } else if (res === EAGAIN) {
    // No event reports that a Unix socket's queue has room.
    if (cell < 0) {
      entry.cell = ring.cells.take();
      ring.cells.fill(entry.cell, 0, name, length);
    }
    entry.deadline = ring.timeouts.now() + RETRY_NS;
    if (again) ring.timeouts.add(entry);
    else {
      ring.waitUntil(entry);
      ring.retrying.push(entry);
    }
  } else {
    ring.complete(entry, res);
  }
}

/** A pending connect may have finished. */
function finishConnect(ring: Host, entry: Entry): void {
  if ((ring.calls.poll(entry.fd, POLLOUT) & (POLLOUT | POLLERR | POLLHUP)) === 0) {
    ring.wait(entry, TO_WRITE);
    return;
  }
  ring.complete(entry, ring.calls.socketError(entry.fd));
}

export function bind(ring: Host, entry: Entry): void {
  ring.complete(entry, libc().syscall(NR_BIND, entry.fd, entry.addr, entry.offLow, 0, 0, 0));
}

export function listen(ring: Host, entry: Entry): void {
  ring.complete(entry, libc().syscall(NR_LISTEN, entry.fd, entry.len, 0, 0, 0, 0));
}
