/** SEND and SENDMSG. */

import { EAGAIN } from '../../sys/abi/errno.js';
import { MSG_DONTWAIT, MSG_WAITALL } from '../../sys/abi/sockets.js';
import { MSGHDR } from '../../sys/abi/structs.js';
import type { Entry } from '../entry.js';
import type { Host } from '../host.js';
import { TO_WRITE } from '../watch.js';

/** The offset of an address in a cell: after the header of a message. */
const NAME_AT = 64;
const NAME_MAX = 128;
const TWO_32 = 2 ** 32;

export function send(ring: Host, entry: Entry): void {
  if (ring.readiness.isBehind(entry, TO_WRITE)) {
    parkSend(ring, entry);
    return;
  }
  const { fd, len, opFlags, done } = entry;
  if (opFlags & MSG_WAITALL) entry.expected = len;
  const nameLength = entry.file & 0xffff;
  const name = nameLength === 0 ? 0 : entry.cell < 0 ? entry.off : ring.cells.address(entry.cell) + NAME_AT;
  const left = len - done;
  const res = ring.calls.send(fd, entry.addr + done, left, opFlags & ~MSG_WAITALL, name, nameLength);
  if (res === EAGAIN) {
    parkSend(ring, entry);
    return;
  }
  if (res >= 0 && res < left && opFlags & MSG_WAITALL) {
    entry.done += res;
    // The socket's buffer is full.
    parkSend(ring, entry);
    return;
  }
  ring.complete(entry, res >= 0 ? done + res : done > 0 ? done : res);
}

function parkSend(ring: Host, entry: Entry): void {
  const nameLength = entry.file & 0xffff;
  if (nameLength !== 0 && entry.cell < 0 && !(entry.opFlags & MSG_DONTWAIT)) {
    entry.cell = ring.cells.take();
    ring.cells.fill(entry.cell, NAME_AT, entry.off, Math.min(nameLength, NAME_MAX));
  }
  park(ring, entry);
}

function park(ring: Host, entry: Entry): void {
  const failed = entry.opFlags & MSG_DONTWAIT ? EAGAIN : ring.wait(entry, TO_WRITE);
  if (failed < 0) ring.complete(entry, entry.done > 0 ? entry.done : failed);
}

export function sendMessage(ring: Host, entry: Entry): void {
  if (ring.readiness.isBehind(entry, TO_WRITE)) {
    parkMessage(ring, entry);
    return;
  }
  if (entry.done > 0) {
    sendRest(ring, entry);
    return;
  }
  const { fd, opFlags, cell } = entry;
  const header = cell < 0 ? entry.addr : ring.cells.address(cell);
  const res = ring.calls.sendMessage(fd, header, opFlags & ~MSG_WAITALL);
  if (res === EAGAIN) {
    parkMessage(ring, entry);
    return;
  }
  if (res > 0 && opFlags & MSG_WAITALL) {
    keepMessage(ring, entry);
    entry.done = res;
    entry.expected = lengthOf(ring, entry);
    sendRest(ring, entry);
    return;
  }
  ring.complete(entry, res);
}

/** Copies the header of a message and its address. Everything else that they point at is the caller's until the end. */
function keepMessage(ring: Host, entry: Entry): void {
  if (entry.cell >= 0) return;
  const { cells } = ring;
  const cell = cells.take();
  entry.cell = cell;
  cells.fill(cell, 0, entry.addr, MSGHDR.size);
  const words = cells.words(cell);
  const name = cells.wordOf(cell, MSGHDR.msg_name);
  const from = words[name + 1]! * TWO_32 + (words[name]! >>> 0);
  const length = words[cells.wordOf(cell, MSGHDR.msg_namelen)]!;
  if (from === 0 || length <= 0) return;
  const to = cells.address(cell) + NAME_AT;
  cells.fill(cell, NAME_AT, from, Math.min(length, NAME_MAX));
  words[name] = to;
  words[name + 1] = Math.floor(to / TWO_32);
}

function parkMessage(ring: Host, entry: Entry): void {
  if (!(entry.opFlags & MSG_DONTWAIT)) keepMessage(ring, entry);
  park(ring, entry);
}

/** The buffers of a kept message. */
function buffersOf({ cells }: Host, { cell }: Entry): { iov: number; count: number } {
  const words = cells.words(cell);
  const at = cells.wordOf(cell, MSGHDR.msg_iov);
  const iov = words[at + 1]! * TWO_32 + (words[at]! >>> 0);
  return { iov, count: words[cells.wordOf(cell, MSGHDR.msg_iovlen)]! };
}

function lengthOf(ring: Host, entry: Entry): number {
  const { iov, count } = buffersOf(ring, entry);
  let total = 0;
  for (let i = 0; i < count; i++) total += ring.calls.iovec(iov, i).length;
  return total;
}

/** With MSG_WAITALL a stream sends the rest of a message, buffer by buffer. */
function sendRest(ring: Host, entry: Entry): void {
  const { fd, opFlags } = entry;
  const { iov, count } = buffersOf(ring, entry);
  let skip = entry.done;
  for (let i = 0; i < count; i++) {
    const { base, length } = ring.calls.iovec(iov, i);
    if (skip >= length) {
      skip -= length;
      continue;
    }
    const left = length - skip;
    const res = ring.calls.send(fd, base + skip, left, opFlags & ~MSG_WAITALL, 0, 0);
    if (res >= 0) entry.done += res;
    if (res === left) {
      skip = 0;
      continue;
    }
    if (res === EAGAIN || res >= 0) park(ring, entry);
    else ring.complete(entry, entry.done);
    return;
  }
  ring.complete(entry, entry.done);
}
