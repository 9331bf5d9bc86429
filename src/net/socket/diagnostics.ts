/** Publishes events of sockets on channels of node:diagnostics_channel. */
import { type Channel, channel } from 'node:diagnostics_channel';
import { queueMicrotask } from '../../loop/real-timers.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { type Remains, userOf } from './forgotten.js';

const connects = channel('uasync:net:connect');
const accepts = channel('uasync:net:accept');
const closes = channel('uasync:net:close');
const errors = channel('uasync:net:error');
const datagramBinds = channel('uasync:datagram:bind');
const datagramConnects = channel('uasync:datagram:connect');
const datagramCloses = channel('uasync:datagram:close');
const datagramErrors = channel('uasync:datagram:error');

/**
 * Subscribers are the user's code, and events of sockets occur while the loop reaps. So they are called right after,
 * before callers that wait for the socket continue.
 */
function publish(to: Channel, message: object): void {
  queueMicrotask(() => to.publish(message));
}

/** The parts of a message about a connection: its peer, and the object while the program holds it. */
export interface ConnectionState extends Remains {
  readonly address: SocketAddress | undefined;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** A connection was made by `connect`. */
export function connected(connection: object, address: SocketAddress): void {
  if (connects.hasSubscribers) publish(connects, { connection, address });
}

/** A listener hands out an accepted connection. */
export function accepted(
  connection: { readonly remoteAddress: SocketAddress | undefined },
  listener: Remains,
): void {
  if (!accepts.hasSubscribers) return;
  publish(accepts, { connection, address: connection.remoteAddress, listener: userOf(listener) });
}

/** A connection is closed now. */
export function connectionClosed(state: ConnectionState): void {
  if (!closes.hasSubscribers) return;
  const { address, bytesRead, bytesWritten } = state;
  publish(closes, { connection: userOf(state), address, bytesRead, bytesWritten });
}

/** Receiving or sending has failed. */
export function failed(state: ConnectionState, error: Error): void {
  if (errors.hasSubscribers) publish(errors, { connection: userOf(state), address: state.address, error });
}

/** A connection attempt failed: the error has the address. */
export function notConnected(error: unknown): void {
  if (errors.hasSubscribers) publish(errors, { connection: undefined, address: undefined, error });
}

/** A datagram socket was created. */
export function bound(socket: { readonly address: SocketAddress }): void {
  if (datagramBinds.hasSubscribers) publish(datagramBinds, { socket, address: socket.address });
}

/** A datagram socket was connected to a peer. */
export function datagramConnected(socket: object, address: SocketAddress | undefined): void {
  if (datagramConnects.hasSubscribers) publish(datagramConnects, { socket, address });
}

/** A datagram socket is closed now. */
export function datagramClosed(state: Remains & { readonly dropped: number }): void {
  if (datagramCloses.hasSubscribers)
    publish(datagramCloses, { socket: userOf(state), dropped: state.dropped });
}

/** Receiving has failed, or the kernel has refused an earlier datagram. */
export function datagramFailed(state: Remains, error: Error): void {
  if (datagramErrors.hasSubscribers) publish(datagramErrors, { socket: userOf(state), error });
}
