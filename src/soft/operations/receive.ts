/** RECV, and RECVMSG of one message. */
import * as abi from '../../ring/abi/io-uring.js';
import { EAGAIN, EINVAL, ENOBUFS, EOPNOTSUPP } from '../../sys/abi/errno.js';
import {
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_WAITALL,
  SO_PROTOCOL,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../sys/abi/sockets.js';
import { type Entry, OTHER, RUNNING, TCP } from '../entry.js';
import type { Group } from '../groups.js';
import type { Host } from '../host.js';
import { TO_READ } from '../watch.js';

/** How often one receive continues before others have their turn. */
const RETRIES = 16;
/** The same for batches of messages. */
const BATCHES = 4;

export function receive(ring: Host, entry: Entry): void {
  if (entry.flags & abi.SQE_BUFFER_SELECT) receiveSelected(ring, entry);
  else if (ring.readiness.isBehind(entry, TO_READ)) park(ring, entry);
  else if (entry.ioprio & abi.RECV_MULTISHOT) ring.complete(entry, EINVAL);
  else receiveInPlace(ring, entry);
}

/** There is no data. */
function park(ring: Host, entry: Entry): void {
  const failed = entry.opFlags & MSG_DONTWAIT ? EAGAIN : ring.wait(entry, TO_READ);
  if (failed < 0) ring.complete(entry, entry.done > 0 ? entry.done : failed, entry.picked);
}

function receiveInPlace(ring: Host, entry: Entry): void {
  const { fd, len, opFlags } = entry;
  if (opFlags & MSG_WAITALL) entry.expected = len;
  for (;;) {
    const { done } = entry;
    const res = ring.calls.receive(fd, entry.addr + done, len - done, opFlags & ~MSG_WAITALL);
    if (res === EAGAIN) {
      park(ring, entry);
      return;
    }
    if (res > 0 && opFlags & MSG_WAITALL && done + res < len && goesOn(ring, entry)) {
      entry.done += res;
      continue;
    }
    ring.complete(entry, res >= 0 ? done + res : done > 0 ? done : res);
    return;
  }
}

const SOCK_SEQPACKET = 5;

/** Whether MSG_WAITALL continues after a short receive: on a stream, and on ordered packets. */
function goesOn(ring: Host, entry: Entry): boolean {
  const failed = ring.calls.option(entry.fd, SOL_SOCKET, SO_TYPE);
  return failed >= 0 && (ring.calls.value === SOCK_STREAM || ring.calls.value === SOCK_SEQPACKET);
}

/** Whether a socket is TCP: TCP or OTHER. */
export function kindOf({ readiness, calls }: Host, fd: number): number {
  const known = readiness.kindOf(fd);
  if (known !== 0) return known;
  const failed = calls.option(fd, SOL_SOCKET, SO_PROTOCOL);
  const kind = failed >= 0 && calls.value === IPPROTO_TCP ? TCP : OTHER;
  readiness.learn(fd, kind);
  return kind;
}

function receiveSelected(ring: Host, entry: Entry): void {
  const group = ring.groups.get(entry.group);
  // Like the kernel, which picks a buffer before it checks for data.
  if (group === undefined || (group.empty && entry.picked === 0)) ring.complete(entry, ENOBUFS);
  else if (ring.readiness.isBehind(entry, TO_READ)) park(ring, entry);
  else if (entry.ioprio & abi.RECV_MULTISHOT) receiveMany(ring, entry, group);
  else receiveOne(ring, entry, group);
}

function receiveOne(ring: Host, entry: Entry, group: Group): void {
  const { fd, opFlags, done } = entry;
  const all = (opFlags & MSG_WAITALL) !== 0;
  const room =
    entry.picked !== 0 ? entry.len : entry.len === 0 ? group.room : Math.min(entry.len, group.room);
  const address = entry.picked !== 0 ? entry.addr : group.address + group.start;
  if (all) entry.expected = room;
  const res = ring.calls.receive(fd, address + done, room - done, opFlags & ~MSG_WAITALL);
  if (res > 0 && all && done + res < room && goesOn(ring, entry)) {
    // It keeps this buffer until it is full.
    if (entry.picked === 0) {
      entry.len = room;
      entry.point(address);
      entry.picked = group.take(room);
    }
    entry.done += res;
    receiveOne(ring, entry, group);
  } else if (res === EAGAIN) park(ring, entry);
  else if (entry.picked !== 0)
    ring.complete(entry, done > 0 || res > 0 ? done + Math.max(res, 0) : res, entry.picked);
  else ring.complete(entry, res, res > 0 ? group.take(res) : 0);
}

function receiveMany(ring: Host, entry: Entry, group: Group): void {
  const { fd, len, opFlags } = entry;
  for (let tries = 0; tries < RETRIES; tries++) {
    if (group.empty) {
      ring.complete(entry, ENOBUFS);
      return;
    }
    const room = len === 0 ? group.room : Math.min(len, group.room);
    const res = ring.calls.receive(fd, group.address + group.start, room, opFlags);
    if (res === EAGAIN) {
      park(ring, entry);
      return;
    }
    if (res <= 0) {
      ring.complete(entry, res);
      return;
    }
    ring.post(entry, res, group.take(res));
    // On TCP a short read means that nothing is left.
    if (res < room && ring.readiness.isDrained(entry) && kindOf(ring, fd) === TCP) {
      park(ring, entry);
      return;
    }
  }
  goOnLater(ring, entry);
}

/** There may be more, but others have their turn first. */
export function goOnLater(ring: Host, entry: Entry): void {
  const failed = ring.wait(entry, TO_READ);
  if (failed < 0) ring.complete(entry, failed);
  else ring.readiness.goOn(entry);
}

/** RECVMSG: a multishot one into buffers of a group, see `MessageBatch`. */
export function receiveMessage(ring: Host, entry: Entry): void {
  if (entry.ioprio & abi.RECV_MULTISHOT) receiveMessages(ring, entry);
  else if (ring.readiness.isBehind(entry, TO_READ)) park(ring, entry);
  else if (entry.flags & abi.SQE_BUFFER_SELECT) ring.complete(entry, EOPNOTSUPP);
  else {
    const res = ring.calls.receiveMessage(entry.fd, entry.addr, entry.opFlags);
    if (res === EAGAIN) park(ring, entry);
    else ring.complete(entry, res);
  }
}

function receiveMessages(ring: Host, entry: Entry): void {
  const group = ring.groups.get(entry.group);
  // Its header may be gone by the time that it has waited for others.
  if (entry.place === RUNNING) ring.messages.begin(entry);
  if (group === undefined || !(entry.flags & abi.SQE_BUFFER_SELECT)) {
    ring.complete(entry, group === undefined ? ENOBUFS : EINVAL);
    return;
  }
  // Without a buffer it fails below, as the kernel picks one before it checks for data.
  if (!group.empty && ring.readiness.isBehind(entry, TO_READ)) {
    park(ring, entry);
    return;
  }
  for (let tries = 0; tries < BATCHES; tries++) {
    const res = ring.messages.receive(ring, entry, group);
    if (res === 0 || res === EAGAIN) park(ring, entry);
    else if (res < 0) ring.complete(entry, res);
    else continue;
    return;
  }
  goOnLater(ring, entry);
}
