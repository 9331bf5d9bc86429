import { checkInt } from '../../sys/check/check.js';
import { UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { addressOf } from '../../sys/memory/address.js';
import * as abi from '../abi/io-uring.js';
import { PROBE, PROBE_OP, QUERY_HDR, QUERY_OPCODE } from '../abi/structs.js';
import { Ring } from '../ring.js';
import { patiently } from './locked-memory.js';

/** The io_uring features of this machine. */
export interface Probe {
  /** Whether a ring can be created at all. */
  available: boolean;
  /** If not, the error with the likely cause and the fix. */
  reason?: UasyncError;
  /** FEAT_ flags; 0 when unavailable. */
  features: number;
  /** Whether the kernel has an opcode, by its OP_ value. */
  supports(op: number): boolean;
}

/**
 * Queries the kernel's features, io_uring_get_probe(3). It never throws: where io_uring is refused, `available` is
 * false and `reason` says why.
 */
export function probe(): Probe {
  let ring: Ring;
  try {
    ring = patiently(() => new Ring(2));
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

/** The kernel's description of itself, REGISTER_QUERY. Masks have 64 bits. */
export interface Query {
  /** The number of opcodes: the kernel knows those below. */
  opcodes: number;
  /** The number of registration opcodes. */
  registrations: number;
  /** FEAT_ flags. */
  features: bigint;
  /** SETUP_ flags. */
  setupFlags: bigint;
  /** ENTER_ flags. */
  enterFlags: bigint;
  /** SQE_ flags. */
  sqeFlags: bigint;
}

/**
 * Queries the kernel's features without a ring; null where it cannot answer, before 6.18 or where io_uring is refused.
 * io_uring_register_query(3)
 */
export function query(): Query | null {
  const answer = Buffer.alloc(QUERY_OPCODE.size);
  const header = Buffer.alloc(QUERY_HDR.size);
  header.writeBigUInt64LE(BigInt(addressOf(answer)), QUERY_HDR.query_data);
  header.writeUInt32LE(abi.QUERY_OPCODES, QUERY_HDR.query_op);
  header.writeUInt32LE(answer.length, QUERY_HDR.size_);
  const failed = libc().ioUringRegister(-1, abi.REGISTER_QUERY, header, 0);
  if (failed < 0 || header.readInt32LE(QUERY_HDR.result) < 0) return null;
  return {
    opcodes: answer.readUInt32LE(QUERY_OPCODE.nr_request_opcodes),
    registrations: answer.readUInt32LE(QUERY_OPCODE.nr_register_opcodes),
    features: answer.readBigUInt64LE(QUERY_OPCODE.feature_flags),
    setupFlags: answer.readBigUInt64LE(QUERY_OPCODE.ring_setup_flags),
    enterFlags: answer.readBigUInt64LE(QUERY_OPCODE.enter_flags),
    sqeFlags: answer.readBigUInt64LE(QUERY_OPCODE.sqe_flags),
  };
}

/** The opcodes that the ring's kernel supports. */
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
