/** Peers of connections that close: clients of Node's. */
import { once } from 'node:events';
import net from 'node:net';
import { type Listener, listen } from 'uasync/net';
import { scratchFolder } from '../harness.js';
import { HOST, pattern, portOf } from './sockets.js';

/** More than the kernel's buffers hold of it. */
export const ANSWER = pattern(4 << 20);
export const CHUNK = Buffer.alloc(16 * 1024, 'x');

const folder = scratchFolder();

/** Where both kinds of stream sockets listen. */
export const PLACES = [
  ['TCP', (): Promise<Listener> => listen({ port: 0, host: HOST })],
  ['Unix', (): Promise<Listener> => listen({ path: `${folder}/socket` })],
] as const;

export function connectTo(server: Listener | number, options: object = {}): net.Socket {
  if (typeof server === 'number') return net.connect({ port: server, host: HOST, ...options });
  const { address } = server;
  if ('path' in address) return net.connect({ path: address.path, ...options });
  return net.connect({ port: portOf(server), host: HOST, ...options });
}

/** A client of Node's that reads slowly. */
export class Client {
  readonly socket: net.Socket;
  readonly received: Buffer[] = [];
  /** How it ends: 'end', or the code of an error. */
  readonly ended: Promise<string>;
  #more = true;

  constructor(server: Listener | number) {
    this.socket = connectTo(server, { allowHalfOpen: true });
    const { socket } = this;
    socket.on('data', chunk => {
      this.received.push(chunk);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    this.ended = new Promise(resolve => {
      socket.on('end', () => resolve('end'));
      socket.on('error', error => resolve((error as NodeJS.ErrnoException).code!));
    });
    void this.ended.then(() => {
      this.#more = false;
      socket.destroy();
    });
  }

  /** Sends until its peer has ended. */
  async upload(): Promise<void> {
    while (this.#more) {
      if (!this.socket.write(CHUNK)) {
        await Promise.race([once(this.socket, 'drain').catch(() => {}), this.ended]);
      } else await new Promise(setImmediate);
    }
  }

  get answer(): Buffer {
    return Buffer.concat(this.received);
  }
}

/** A peer that goes on whatever happens; resolves to how its connection ends. */
export async function sendOn(
  socket: net.Socket,
  chunk: Buffer,
  pause: () => Promise<unknown>,
): Promise<string> {
  let end: string | null = null;
  socket.on('error', error => {
    end = (error as NodeJS.ErrnoException).code!;
  });
  while (end === null) {
    if (!socket.write(chunk)) {
      await new Promise<void>(resolve => {
        socket.once('drain', resolve);
        socket.once('close', resolve);
      });
    }
    await pause();
  }
  socket.destroy();
  return end;
}

export const atOnce = (): Promise<void> => new Promise(setImmediate);
export const slowly = (): Promise<unknown> => new Promise(resolve => setTimeout(resolve, 10));
