/** Listening sockets that stay open while threads that share them are replaced. */
import { closeSocket } from '../../loop/closing/close.js';
import { loop as currentLoop } from '../../loop/current.js';

/** A listening socket, and its holders. */
interface KeptSocket {
  readonly fd: Promise<number>;
  readonly holders: Set<object>;
}

/**
 * The listening sockets of one thread. The starter owns them, and the thread accepts from duplicates: a replacement
 * thread so finds the connections that wait there.
 */
export class KeptSockets {
  readonly #sockets = new Map<string, KeptSocket>();

  /** The socket with this name, opened by `open` if there is none. It stays until all its holders have released it. */
  async hold(name: string, holder: object, open: () => Promise<number>): Promise<number> {
    let socket = this.#sockets.get(name);
    if (socket === undefined) {
      socket = { fd: open(), holders: new Set() };
      this.#sockets.set(name, socket);
    }
    socket.holders.add(holder);
    try {
      return await socket.fd;
    } catch (error) {
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name);
      throw error;
    }
  }

  release(name: string, holder: object): void {
    const socket = this.#sockets.get(name);
    if (socket !== undefined) this.#release(name, socket, holder);
  }

  /** Releases everything that a holder has. */
  releaseAll(holder: object): void {
    for (const [name, socket] of [...this.#sockets]) this.#release(name, socket, holder);
  }

  #release(name: string, socket: KeptSocket, holder: object): void {
    if (!socket.holders.delete(holder) || socket.holders.size !== 0) return;
    this.#sockets.delete(name);
    // A failed open has been reported.
    socket.fd.then(
      fd => closeSocket(currentLoop(), fd),
      () => {},
    );
  }
}
