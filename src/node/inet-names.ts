/** Addresses of IP sockets, as Node's native handles take and give them. */
import { inetAddress, SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../ring/sockaddr.js';

/** Where an address is put. */
export interface AddressOut {
  address?: string;
  family?: string;
  port?: number;
}

/** A socket address as bytes; null for one that is none. */
export function inetName(address: string, port: number): Buffer | null {
  const bytes = Buffer.alloc(SOCKADDR_MAX);
  try {
    return bytes.subarray(0, writeSockaddr(bytes, 0, inetAddress(address, Number(port))));
  } catch {
    return null;
  }
}

/** Puts an address there; `failed` if there is none. */
export function putAddress(out: AddressOut, address: SocketAddress | undefined, failed: number): number {
  if (address === undefined || 'path' in address) return failed;
  out.address = address.address;
  out.family = address.family;
  out.port = address.port;
  return 0;
}
