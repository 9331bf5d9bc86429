const TWO_32 = 2 ** 32;

/** One completion, as `copyCqes` returns it. */
export interface Cqe {
  /** The user_data of its submission: a number, or a bigint from 2^53 on. */
  userData: number | bigint;
  /** The operation's result: what the system call would return, or a negative errno. */
  res: number;
  /** CQE_F_ flags; the upper half is the buffer id if CQE_F_BUFFER is set. */
  flags: number;
  /** The two extra values of a 32-byte completion: SETUP_CQE32, or CQE_F_32 in a mixed ring. */
  bigCqe?: [number | bigint, number | bigint];
}

/** Joins the halves of user_data. */
export function joinUserData(low: number, high: number): number | bigint {
  if (high === 0) return low >>> 0;
  if (high > 0 && high < 0x200000) return high * TWO_32 + (low >>> 0);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** Receives completions one by one, without an object for each. */
export interface CqeSink {
  /** `low` and `high` are the halves of user_data, signed. The method may use the ring. */
  onCqe(low: number, high: number, res: number, flags: number): void;
}
