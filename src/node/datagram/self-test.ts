/** Checks in the running Node the private parts that `dgram` on the loop needs. */
import dgram, { type Socket } from 'node:dgram';
import { bindings, ownerSymbol, symbolOf } from '../natives.js';
import type { DatagramState } from './state.js';
import { UdpHandle } from './udp-handle.js';

/**
 * The reason why sockets cannot be on the loop; null if they can. @param socket a new one. @param sample one whose handle
 * is replaced.
 */
export function faultOfDatagrams(socket: Socket, state: DatagramState, sample: Socket): string | null {
  const { UDP } = bindings();
  if (state.handle?.constructor !== UDP) return 'sockets have no native handle of the known class';
  if (ownerSymbol() === undefined) return 'handles do not name their owners';
  if (symbolOf(socket, 'async_id_symbol') === undefined) return 'sockets have no async id';
  for (const name of methodsOf(UDP.prototype)) {
    if (!(name in UdpHandle.prototype)) return `handles have ${name}`;
  }
  return probe(sample, symbolOf(sample, 'state symbol')!);
}

/** The same, with a socket of its own. */
export function faultOfDgram(): string | null {
  const socket = dgram.createSocket('udp4');
  const key = symbolOf(socket, 'state symbol');
  if (key === undefined) {
    socket.close();
    return 'sockets have no state';
  }
  const state = (socket as unknown as Record<symbol, DatagramState>)[key]!;
  try {
    return faultOfDatagrams(socket, state, socket);
  } catch (error) {
    return `it fails: ${(error as Error).message}`;
  } finally {
    // The test closes it.
    if (state.handle !== null) socket.close();
  }
}

/** Methods that every handle has, and that no socket calls. */
const OF_ALL_HANDLES = new Set(['asyncReset', 'getAsyncContextFrameForDebuggingOnly', 'constructor']);

function* methodsOf(prototype: object): Generator<string> {
  for (let at = prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && !OF_ALL_HANDLES.has(name)) yield name;
    }
  }
}

/** The calls that a socket must have made on its handle. */
const EXPECTED = 'bind 127.0.0.1,1,0; recvStart; send text 2,127.0.0.2,true; recvStop; close';

/** Lets a socket bind, receive and send with a handle that only records calls. */
function probe(socket: Socket, key: symbol): string | null {
  const state = (socket as unknown as Record<symbol, DatagramState>)[key]!;
  const native = state.handle as { close(): void };
  const notes = new Notes();
  let received = '';
  socket.on('error', () => {});
  socket.on('message', (bytes, { address, size }) => {
    received = `${bytes} ${address} ${size}`;
  });
  state.handle = Object.assign(notes, { [ownerSymbol()!]: socket });
  native.close();
  socket.bind(1, '127.0.0.1');
  notes.onmessage(4, notes, Buffer.from('text'), { address: '127.0.0.3', family: 'IPv4', port: 3 });
  socket.send('text', 2, '127.0.0.2', () => {});
  socket.close();
  if (notes.text.join('; ') !== EXPECTED) return 'sockets use their handles differently';
  return received === 'text 127.0.0.3 4' ? null : 'sockets do not receive by onmessage';
}

/** A handle with no socket behind it. */
class Notes {
  readonly text: string[] = [];
  onmessage: (length: number, handle: object, bytes: Buffer, sender: object) => void = () => {};

  lookup(address: string, done: (error: null, address: string) => void): void {
    done(null, address);
  }

  bind(...args: unknown[]): number {
    return this.#note(`bind ${args}`);
  }

  recvStart(): number {
    return this.#note('recvStart');
  }

  recvStop(): number {
    return this.#note('recvStop');
  }

  close(): void {
    this.#note('close');
  }

  /** The number of bytes, and 1, if they were sent at once. */
  send(_: object, list: Uint8Array[], count: number, ...rest: unknown[]): number {
    this.#note(`send ${list.slice(0, count)} ${rest}`);
    return list[0]!.length + 1;
  }

  #note(text: string): number {
    this.text.push(text);
    return 0;
  }
}
