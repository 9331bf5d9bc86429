/** Datagrams that wait for room at a Unix peer. */
import { Hold } from '../../loop/operation/active.js';
import { clearTimeout, setTimeout } from '../../loop/real-timers.js';
import type { Destination } from './destination.js';
import type { DatagramSend } from './send-operation.js';

/** Milliseconds before peers without room are tried again. */
const RETRY_MS = 1;
/** How many peers are tried at a time, in turns. */
const RETRY_PEERS = 32;

/** A peer without room. */
class FullPeer {
  /** Waiting datagrams, in call order. */
  readonly sends: DatagramSend[] = [];
  /** The one that is being retried now. */
  trying: DatagramSend | null = null;

  add(send: DatagramSend): void {
    if (this.trying === send) this.trying = null;
    let at = this.sends.length;
    while (at > 0 && this.sends[at - 1]!.order > send.order) at--;
    this.sends.splice(at, 0, send);
  }

  get done(): boolean {
    return this.sends.length === 0 && this.trying === null;
  }
}

/**
 * Datagrams to Unix sockets without room, and those queued after them. Each peer has its own queue, which does not
 * delay other peers. Its first datagram is retried until it succeeds, and the others follow one by one.
 */
export class DatagramBacklog {
  #referenced = true;
  /** Keeps the process alive while datagrams wait. */
  readonly #hold: Hold;
  readonly #start: (send: DatagramSend) => boolean;
  /** By path; null is the peer of a connected socket. */
  readonly #peers = new Map<string | null, FullPeer>();
  #pause: NodeJS.Timeout | null = null;

  /**
   * @param start submits a datagram, or fails it; false if there is no memory for it now.
   * @param socket the program's object.
   */
  constructor(start: (send: DatagramSend) => boolean, socket: () => object | undefined) {
    this.#start = start;
    this.#hold = new Hold('DatagramSocket', 'room at the peer', socket);
  }

  /** Whether it keeps the process alive. */
  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    if (referenced) this.#pause?.ref();
    else this.#pause?.unref();
    this.#refer();
  }

  /** The number of datagrams that wait. */
  get length(): number {
    let length = 0;
    for (const { sends } of this.#peers.values()) length += sends.length;
    return length;
  }

  #refer(): void {
    if (this.#referenced && this.#peers.size !== 0) this.#hold.begin();
    else this.#hold.end();
  }

  /** Whether a datagram to this destination must queue. */
  has(destination: Destination | null): boolean {
    return this.#peers.size !== 0 && this.#peers.has(keyOf(destination));
  }

  /** Queues a datagram. */
  add(send: DatagramSend): void {
    const key = keyOf(send.destination);
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = new FullPeer();
      this.#peers.set(key, peer);
      this.#refer();
    }
    peer.add(send);
    this.#retryLater();
  }

  /** The kernel has taken or refused a datagram: if it was a retry, the next one follows. */
  completed(send: DatagramSend, destination: Destination | null): void {
    const key = keyOf(destination);
    const peer = this.#peers.get(key);
    if (peer?.trying !== send) return;
    peer.trying = null;
    this.#try(key, peer);
  }

  /** Removes a datagram that was abandoned. */
  remove(send: DatagramSend): void {
    const key = keyOf(send.destination);
    const peer = this.#peers.get(key)!;
    peer.sends.splice(peer.sends.indexOf(send), 1);
    if (peer.done) this.#delete(key);
  }

  /** Closes the queues; returns the datagrams that the kernel does not have. */
  close(): DatagramSend[] {
    if (this.#pause !== null) clearTimeout(this.#pause);
    const sends = [...this.#peers.values()].flatMap(peer => peer.sends);
    this.#peers.clear();
    this.#refer();
    return sends;
  }

  #delete(key: string | null): void {
    this.#peers.delete(key);
    this.#refer();
  }

  #retryLater(): void {
    if (this.#pause !== null) return;
    this.#pause = setTimeout(this.#retry, RETRY_MS);
    if (!this.#referenced) this.#pause.unref();
  }

  readonly #retry = (): void => {
    this.#pause = null;
    let left = Math.min(RETRY_PEERS, this.#peers.size);
    for (const [key, peer] of this.#peers) {
      if (left-- === 0) break;
      // To the end of the queue.
      this.#peers.delete(key);
      this.#peers.set(key, peer);
      if (peer.trying === null) this.#try(key, peer);
    }
    if (this.#peers.size !== 0) this.#retryLater();
  };

  /** Starts the first datagram that can be started. */
  #try(key: string | null, peer: FullPeer): void {
    for (let send = peer.sends.shift(); send !== undefined; send = peer.sends.shift()) {
      if (!this.#start(send)) {
        peer.add(send);
        this.#retryLater();
        return;
      }
      if (send.slot >= 0) {
        peer.trying = send;
        return;
      }
      // It failed by itself: its buffer was detached, or the loop is closing.
    }
    this.#delete(key);
  }
}

function keyOf(destination: Destination | null): string | null {
  return destination === null ? null : destination.address;
}
