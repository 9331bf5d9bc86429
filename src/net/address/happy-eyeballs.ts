/** Connecting to a name with several addresses, RFC 8305. */
import { clearTimeout, setTimeout } from '../../loop/real-timers.js';
import { isIPv6 } from '../../sys/socket/ip.js';
import type { InetAddress } from '../../sys/socket/sockaddr.js';

/** The delay before the next address is tried while earlier attempts are pending, in milliseconds. RFC 8305, 5 */
const ATTEMPT_DELAY_MS = 250;

/** Alternates the address families, starting with that of the first address. RFC 8305, 4 */
export function interleave(addresses: readonly InetAddress[]): InetAddress[] {
  const first = addresses.filter(({ address }) => isIPv6(address) === isIPv6(addresses[0]!.address));
  const second = addresses.filter(address => !first.includes(address));
  const mixed: InetAddress[] = [];
  for (let i = 0; i < addresses.length; i++) {
    if (i < first.length) mixed.push(first[i]!);
    if (i < second.length) mixed.push(second[i]!);
  }
  return mixed;
}

/**
 * Happy eyeballs: tries the addresses in order, the next one when an attempt has failed or has not finished for a
 * while, and returns the first that succeeds. The other attempts are aborted, and `discard` gets late results.
 * @throws (as a rejection) the error of the first address, when all have failed.
 */
export async function firstOf<A, T>(
  addresses: readonly A[],
  attempt: (address: A, signal: AbortSignal) => Promise<T>,
  discard: (late: T) => void,
): Promise<T> {
  const others = new AbortController();
  const pending = new Set<Promise<void>>();
  let won: { value: T } | undefined;
  let firstError: unknown;
  const start = (address: A): void => {
    const running: Promise<void> = attempt(address, others.signal)
      .then(
        value => {
          if (won !== undefined) discard(value);
          else won = { value };
        },
        error => {
          firstError ??= error;
        },
      )
      .finally(() => pending.delete(running));
    pending.add(running);
  };
  for (const [i, address] of addresses.entries()) {
    start(address);
    if (i < addresses.length - 1) await settledOrDelayed(pending);
    if (won !== undefined) break;
  }
  while (won === undefined && pending.size !== 0) await Promise.race(pending);
  others.abort();
  // No attempt is left when this resolves.
  await Promise.all(pending);
  if (won === undefined) throw firstError;
  return won.value;
}

/** Waits until one of them has settled, or the delay has passed. */
async function settledOrDelayed(pending: ReadonlySet<Promise<void>>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const delay = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ATTEMPT_DELAY_MS);
  });
  await Promise.race([...pending, delay]);
  clearTimeout(timer);
}
