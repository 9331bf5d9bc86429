/** Listening sockets that stay open while threads that share them are replaced. */
import { closeSocket } from '../../loop/close.js';
import { loop as currentLoop } from '../../loop/current.js';

/** A listening socket, and who needs it. */
interface KeptSocket {
  readonly fd: Promise<number>;
  readonly holders: Set<object>;
}

/**
 * The listening sockets of one thread. They are the starter's, and the thread accepts from duplicates: so one that
 * takes its place finds the connections that wait there.
 */
export class KeptSockets {
  readonly #sockets = new Map<string, KeptSocket>();

  /** The socket of this name, made by `open` unless there is one. It stays until all its holders let it go. */
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

  /** The holder lets go of all that it holds. */
  releaseAll(holder: object): void {
    for (const [name, socket] of [...this.#sockets]) this.#release(name, socket, holder);
  }

  #release(name: string, socket: KeptSocket, holder: object): void {
    if (!socket.holders.delete(holder) || socket.holders.size !== 0) return;
    this.#sockets.delete(name);
    // One that could not be opened has been told of.
    socket.fd.then(
      fd => closeSocket(currentLoop(), fd),
      () => {},
    );
  }
}
