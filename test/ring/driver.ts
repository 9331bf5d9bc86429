/** Runs operations one by one on a ring of the test file's own. */
import t from 'tap';
import { type Cqe, probe, Ring, type Sqe } from 'uasync/ring';

export const ring = new Ring(64);
t.teardown(() => ring.close());

const { supports } = probe();

/** Runs one operation to its end. */
export function complete(fill: (sqe: Sqe) => unknown): Cqe {
  fill(ring.getSqe()!);
  ring.submit(1);
  return ring.copyCqes(1)[0]!;
}

/** The result of one operation. */
export function one(fill: (sqe: Sqe) => unknown): number {
  return complete(fill).res;
}

/** Submits some operations; the results by user_data, once `count` completions have come. */
export function several(count: number, ...fills: ((sqe: Sqe) => unknown)[]): Map<unknown, number> {
  for (const fill of fills) fill(ring.getSqe()!);
  ring.submit();
  const results = new Map<unknown, number>();
  for (let seen = 0; seen < count; ) {
    for (const cqe of ring.copyCqes(1)) {
      results.set(cqe.userData, cqe.res);
      seen++;
    }
  }
  return results;
}

/** The reason to skip a test of an operation that this kernel lacks. */
export function lacking(...ops: [name: string, op: number, since: string][]): string | false {
  const missing = ops.find(([, op]) => !supports(op));
  return missing === undefined ? false : `this kernel has no ${missing[0]}: it came with Linux ${missing[2]}`;
}
