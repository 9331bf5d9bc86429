/** A listening TCP socket on loopback that no Listener accepts from. */
import { libc } from '../../src/sys/libc/libc.js';

const AF_INET = 2;
const SOCK_STREAM = 1;

/** Its descriptor, which the caller closes, and its port. */
export function rawListener(): { fd: number; port: number } {
  const fd = libc().socket(AF_INET, SOCK_STREAM, 0);
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  const failed = libc().bind(fd, address) || libc().listen(fd, 8);
  if (failed !== 0) throw new Error(`bind or listen: ${failed}`);
  libc().getsockname(fd, address, new Uint32Array([address.length]));
  return { fd, port: address[2]! * 256 + address[3]! };
}
