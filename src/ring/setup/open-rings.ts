/**
 * Rings whose memory the kernel may write to: all open ones of this thread, and closed ones whose operations had
 * perhaps not ended. A ring that is dropped without `close()` must not be collected.
 */
const held = new Set<HeldRing>();

interface HeldRing {
  readonly fd: number;
  /** Its descriptor belongs to another ring now. */
  lose(): void;
}

/**
 * A ring was opened. If an older ring had the same descriptor, other code has closed that; it must not close the new
 * one.
 */
export function holdRing(ring: HeldRing): void {
  const { fd } = ring;
  if (fd >= 0) for (const other of held) if (other.fd === fd) other.lose();
  held.add(ring);
}

/** The kernel is done with a ring's memory. */
export function releaseRing(ring: HeldRing): void {
  held.delete(ring);
}
