/** `dgram.Socket` on the loop: its state is given another handle when the constructor sets it. */
import type { Socket } from 'node:dgram';
import { later } from './later.js';
import { nodeModule, symbolOf } from './natives.js';

/** What a socket keeps under a symbol of its own, as far as it is used here. */
export interface DatagramState {
  handle: object | null;
}

const load = later<typeof import('./datagram-handles.js')>('./datagram-handles.js', './datagram-handles.js');

let key: symbol | undefined;

/** The key of a socket's state; undefined where it has none. */
function stateKey(): symbol | undefined {
  if (key === undefined) {
    const sample = nodeModule<typeof import('node:dgram')>('dgram').createSocket('udp4');
    key = symbolOf(sample, 'state symbol');
    sample.close();
  }
  return key;
}

/** Has the sockets of a class, by its prototype, put on the loop when they are made. */
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
