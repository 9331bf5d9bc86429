import * as abi from '../../ring/abi/io-uring.js';
import { BUF_REG } from '../../ring/abi/structs.js';
import { Ring } from '../../ring/ring.js';
import { patiently } from '../../ring/setup/locked-memory.js';
import { ENOMEM } from '../../sys/abi/errno.js';

/** A ring of these sizes takes two pages, which is the kernel's minimum. */
const ENTRIES_MIN = 64;
const CQ_ENTRIES_MIN = 128;

/**
 * A ring of at most these sizes, as large as the user's remaining locked memory allows: a size that does not fit is
 * halved. Small queues cost little: a full one is submitted earlier.
 * @throws UasyncError ERR_IO_URING_UNAVAILABLE if not even two pages are left.
 */
export function fittingRing(entries: number, cqEntries: number, optionalFlags: number): Ring {
  let sq = entries;
  let cq = cqEntries;
  return patiently(() => {
    for (;;) {
      const smallest = sq <= ENTRIES_MIN && cq <= CQ_ENTRIES_MIN;
      try {
        const ring = new Ring(sq, { cqEntries: cq, optionalFlags }, false);
        if (smallest || hasRoomFor(ring)) return ring;
        ring.close();
      } catch (error) {
        if (smallest || (error as { errno?: number }).errno !== ENOMEM) throw error;
      }
      sq = halved(sq, ENTRIES_MIN);
      cq = halved(cq, CQ_ENTRIES_MIN);
    }
  });
}

/** Halves a size, but not below `least`, unless it was smaller before. */
function halved(size: number, least: number): number {
  return size <= least ? size : Math.max(Math.ceil(size / 2), least);
}

/**
 * Eight pages: sockets register two with the ring, and the ring that Node makes for itself (from 22 on, when it first
 * waits) takes seven.
 */
const BUFFERS = 2048;

/** Whether enough memory is left for later registrations. */
function hasRoomFor(ring: Ring): boolean {
  const group = Buffer.alloc(BUF_REG.size);
  group.writeUInt32LE(BUFFERS, BUF_REG.ring_entries);
  group.writeUInt16LE(abi.PBUF_RING_MMAP, BUF_REG.flags);
  const failed = ring.register(abi.REGISTER_PBUF_RING, group, 1);
  // Unregistering takes no flags.
  group.writeUInt16LE(0, BUF_REG.flags);
  if (failed === 0) ring.register(abi.UNREGISTER_PBUF_RING, group, 1);
  // Kernels without such rings do not count them either.
  return failed !== ENOMEM;
}
