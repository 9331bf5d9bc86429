/** File system types as statfs(2) reports them. */
export const EXT4 = 0xef53;
export const XFS = 0x58465342;
export const BTRFS = 0x9123683e;
export const TMPFS = 0x01021994;
export const RAMFS = 0x858458f6;
export const OVERLAYFS = 0x794c7630;
export const F2FS = 0xf2f52010;
const ZFS = 0x2fc12fc1;
const BCACHEFS = 0xca451a4e;
const SQUASHFS = 0x73717368;
const EROFS = 0xe0f5e1e2;

/** File systems whose attributes are in memory or in the cache of a local disk. Others may ask a server. */
export const LOCAL: ReadonlySet<number> = new Set([
  EXT4,
  XFS,
  BTRFS,
  TMPFS,
  RAMFS,
  OVERLAYFS,
  F2FS,
  ZFS,
  BCACHEFS,
  SQUASHFS,
  EROFS,
]);

/** Not regular files: sockets, pipes, eventfds and the like, /proc, /sys, terminals. */
export const NO_FILES: ReadonlySet<number> = new Set([
  0x534f434b, 0x50495045, 0x09041934, 0x9fa0, 0x62656572, 0x1cd1,
]);
