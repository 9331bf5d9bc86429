/**
 * Rings whose memory the kernel may write to: all open ones of this thread, and closed ones with operations that it was
 * not known to be done with. A ring that is dropped without `close()` must not be collected.
 */
const held = new Set<HeldRing>();

interface HeldRing {
  readonly fd: number;
  /** Its descriptor is another ring's. */
  lose(): void;
}

/** A ring is open. One that had its descriptor before was closed by other code, and must not close the new one. */
export function holdRing(ring: HeldRing): void {
  const { fd } = ring;
  if (fd >= 0) for (const other of held) if (other.fd === fd) other.lose();
  held.add(ring);
}

/** The kernel is done with a ring's memory. */
export function releaseRing(ring: HeldRing): void {
  held.delete(ring);
}
