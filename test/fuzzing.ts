/** How long the fuzzers go on. */
import { loop } from 'uasync';

/**
 * Whether to go on, to be asked before each round: for `seconds`, or with UASYNC_FUZZ_OPERATIONS in the environment
 * until this thread's loop has completed that many operations, or with UASYNC_FUZZ_SECONDS for those.
 * @param share of that which is this test's.
 */
export function fuzzing(seconds: number, share = 1): () => boolean {
  const { UASYNC_FUZZ_OPERATIONS, UASYNC_FUZZ_SECONDS = seconds } = process.env;
  if (UASYNC_FUZZ_OPERATIONS !== undefined) {
    const enough = loop().stats().completed + Number(UASYNC_FUZZ_OPERATIONS) * share;
    return () => loop().stats().completed < enough;
  }
  const end = performance.now() + Number(UASYNC_FUZZ_SECONDS) * share * 1000;
  return () => performance.now() < end;
}

/** What to give a test that is `fuzzing` as its timeout, in milliseconds. */
export function fuzzTimeout(seconds: number): number {
  if (process.env.UASYNC_FUZZ_OPERATIONS !== undefined) return 3_600_000;
  return (Number(process.env.UASYNC_FUZZ_SECONDS ?? seconds) + 250) * 1000;
}
