/** `util.inspect` of a connection. */
import type { InspectOptionsStylized } from 'node:util';
import { counted, shown } from '../../sys/inspect.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { placeOf } from '../address/addresses.js';
import type { Endpoint } from './endpoint.js';

interface Addresses {
  readonly localAddress: SocketAddress | undefined;
  readonly remoteAddress: SocketAddress | undefined;
}

/** The text that `util.inspect` shows for a connection. */
export function connectionText(
  connection: Addresses,
  endpoint: Endpoint,
  depth: number,
  options: InspectOptionsStylized,
): string {
  const { bytesRead, bytesWritten, bufferedAmount, waiting } = endpoint;
  return shown(connection, depth, options, endpoint.state, routeOf(connection, endpoint.direction), [
    `read ${bytesRead}`,
    `written ${bytesWritten}`,
    counted(waiting.bytes, 'byte unread', 'bytes unread'),
    counted(bufferedAmount, 'byte to send', 'bytes to send'),
    counted(waiting.readers, 'reader waiting', 'readers waiting'),
    !endpoint.referenced && 'unref',
  ]);
}

function routeOf({ localAddress, remoteAddress }: Addresses, direction: string): string {
  const local = localAddress === undefined ? '' : `${placeOf(localAddress)} `;
  return `${local}${direction} ${remoteAddress === undefined ? '?' : placeOf(remoteAddress)}`;
}
