/** `dgram.Socket` on the loop: replaces the handle in a socket's state when the constructor sets it. */
import type { Socket } from 'node:dgram';
import { later } from '../later.js';
import { nodeModule, symbolOf } from '../natives.js';
import type { DatagramState } from './state.js';

const load = later<typeof import('./handles.js')>('./datagram/handles.js', './datagram-handles.js');

/** A socket for the self-test. One that is created later would be seen by the program's hooks and channels. */
let sample: Socket | undefined;

/** The key of a socket's state; undefined if it has none. */
function stateKey(): symbol | undefined {
  sample ??= closedSocket();
  return symbolOf(sample, 'state symbol');
}

/** A socket whose handle is closed. Its own `close` would emit an event later. */
function closedSocket(): Socket {
  const socket = nodeModule<typeof import('node:dgram')>('dgram').createSocket('udp4');
  const key = symbolOf(socket, 'state symbol');
  const state = key && (socket as unknown as Record<symbol, DatagramState>)[key];
  (state?.handle as { close?(): void } | null | undefined)?.close?.();
  return socket;
}

/** Puts the sockets of a class, given by its prototype, on the loop when they are created. */
export function putDatagramsOn(prototype: object, enabled: () => boolean): void {
  const state = stateKey();
  if (state === undefined) return;
  Object.defineProperty(prototype, state, {
    configurable: true,
    set(this: Socket, value: DatagramState) {
      Object.defineProperty(this, state, { value, enumerable: true, configurable: true, writable: true });
      if (enabled()) load()?.giveHandle(this, value, sample!);
    },
  });
}
