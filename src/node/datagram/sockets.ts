/** `dgram.Socket` on the loop: replaces the handle in a socket's state when the constructor sets it. */
import type { Socket } from 'node:dgram';
import { later } from '../later.js';
import { nodeModule, symbolOf } from '../natives.js';
import type { DatagramState } from './state.js';

const load = later<typeof import('./handles.js')>('./datagram/handles.js', './datagram-handles.js');

let key: symbol | undefined;

/** The key of a socket's state; undefined if it has none. */
function stateKey(): symbol | undefined {
  if (key === undefined) {
    const sample = nodeModule<typeof import('node:dgram')>('dgram').createSocket('udp4');
    key = symbolOf(sample, 'state symbol');
    sample.close();
  }
  return key;
}

/** Puts the sockets of a class, given by its prototype, on the loop when they are created. */
export function putDatagramsOn(prototype: object, enabled: () => boolean): void {
  const state = stateKey();
  if (state === undefined) return;
  Object.defineProperty(prototype, state, {
    configurable: true,
    set(this: Socket, value: DatagramState) {
      Object.defineProperty(this, state, { value, enumerable: true, configurable: true, writable: true });
      if (enabled()) load()?.giveHandle(this, value);
    },
  });
}
