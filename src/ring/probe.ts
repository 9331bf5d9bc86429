import * as abi from './abi.js';
import { checkInt } from './check.js';
import { UasyncError } from './errors.js';
import { Ring } from './ring.js';
import { PROBE, PROBE_OP } from './structs.js';

/** What io_uring offers here. */
export interface Probe {
  /** Whether a ring can be made at all. */
  available: boolean;
  /** Why not, if so, with the likely cause and the cure. */
  reason?: UasyncError;
  /** FEAT_ flags; 0 when unavailable. */
  features: number;
  /** Whether the kernel has an opcode, by its OP_ value. */
  supports(op: number): boolean;
}

/**
 * Asks the kernel what it offers, io_uring_get_probe(3). It never throws: where io_uring is refused,
 * `available` is false and `reason` says why.
 */
export function probe(): Probe {
  let ring: Ring;
  try {
    ring = new Ring(2);
  } catch (error) {
    if (!(error instanceof UasyncError)) throw error;
    return { available: false, reason: error, features: 0, supports: () => false };
  }
  try {
    const ops = probeOps(ring);
    return { available: true, features: ring.features, supports: op => ops.has(checkInt('op', op, 0, 255)) };
  } finally {
    ring.close();
  }
}

/** The opcodes that the ring's kernel has. */
export function probeOps(ring: Ring): ReadonlySet<number> {
  const bytes = Buffer.alloc(PROBE.size + 256 * PROBE_OP.size);
  const ops = new Set<number>();
  if (ring.register(abi.REGISTER_PROBE, bytes, 256) < 0) return ops;
  const count = bytes[PROBE.ops_len]!;
  for (let i = 0; i < count; i++) {
    const at = PROBE.ops + i * PROBE_OP.size;
    if (bytes.readUInt16LE(at + PROBE_OP.flags) & abi.OP_SUPPORTED) ops.add(bytes[at + PROBE_OP.op]!);
  }
  return ops;
}
