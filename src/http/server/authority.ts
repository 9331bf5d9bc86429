import { placeOf } from '../../net/address/addresses.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';

/** Host and port of a server for its URL. A Unix socket has none, and the address of all interfaces is 'localhost'. */
export function authorityOf(address: SocketAddress): string {
  if ('path' in address) return 'localhost';
  if (address.address === '::' || address.address === '0.0.0.0') return `localhost:${address.port}`;
  return placeOf(address);
}
