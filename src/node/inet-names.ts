/** Addresses of IP sockets in the form of Node's native handles. */
import { inetAddress, SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../sys/socket/sockaddr.js';

/** The object that receives an address. */
export interface AddressOut {
  address?: string;
  family?: string;
  port?: number;
}

/** A socket address in bytes; null if it is invalid. */
export function inetName(address: string, port: number): Buffer | null {
  const bytes = Buffer.alloc(SOCKADDR_MAX);
  try {
    return bytes.subarray(0, writeSockaddr(bytes, 0, inetAddress(address, Number(port))));
  } catch {
    return null;
  }
}

/** Writes an address to an object; returns `failed` if there is none. */
export function putAddress(out: AddressOut, address: SocketAddress | undefined, failed: number): number {
  if (address === undefined || 'path' in address) return failed;
  out.address = address.address;
  out.family = address.family;
  out.port = address.port;
  return 0;
}
