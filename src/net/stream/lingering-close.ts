/** Closes a connection whose peer has not ended its side. RFC 9112, 9.6 */
import { clearTimeout, now, setTimeout } from '../../loop/real-timers.js';
import { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, SHUT_RDWR, SHUT_WR } from '../../sys/abi/sockets.js';
import { libc } from '../../sys/libc/libc.js';
import { tcpInfo } from '../socket/tcp-info.js';
import type { Discard } from './ending.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';

/** The maximum number of bytes from the peer that are dropped before it is cut off. */
const DROP_MAX = 16 * 1024 * 1024;
/** Milliseconds without a byte in either direction after which a peer that has everything is cut off. */
const QUIET_MS = 1000;
/** The maximum time in milliseconds once everything is written, unless SO_LINGER says otherwise. */
const LINGER_MS = 30_000;
/** A peer that has sent nothing for this many milliseconds has nothing in transit. */
const RECENT_MS = 100;
/** Milliseconds before the first check of the peer's progress: TCP delays an acknowledgement by up to 40. */
const FIRST_LOOK_MS = 50;
const LOOK_MAX_MS = 500;
/** The maximum number of reads of unwanted data without a loop to wait with. */
const READS_MAX = 64;

let unwanted: Buffer | undefined;

/** As `LingeringClose`, without a loop: drops only data that has arrived already. */
export function endNow(fd: number): void {
  unwanted ??= Buffer.allocUnsafeSlow(65536);
  libc().shutdown(fd, SHUT_WR);
  for (let reads = 0; reads < READS_MAX; reads++) {
    // MSG_TRUNC: TCP drops the bytes without a copy. tcp(7)
    if (libc().recv(fd, unwanted, MSG_DONTWAIT | MSG_TRUNC) <= 0) return;
  }
}

/**
 * Sends written data, then the end. Drops the peer's data until it has ended too, has acknowledged everything and is
 * silent, or has used up its share of bytes and time. Closing the socket right away would reset the connection if the
 * peer has sent, or still sends, data that is not read; and a reset discards data that the peer has not read yet.
 */
export class LingeringClose implements Discard {
  readonly #fd: number;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #lingerMs: number;
  readonly #onDone: (sent: boolean) => void;
  /** Whether the peer has sent data that is not read. */
  #sending: boolean;
  #dropped = 0;
  /** The current limit of `#dropped`. */
  #dropMax = DROP_MAX;
  /** How much had been transferred at the last check, and when that had changed. */
  #moved = 0;
  #movedAt = 0;
  /** When the time limit ends. */
  #end = 0;
  #lookMs = FIRST_LOOK_MS;
  #timer: NodeJS.Timeout | undefined;
  /** Whether sending, and receiving, have ended. */
  #sent = false;
  #stopped = false;

  /**
   * @param linger SO_LINGER in seconds, or null.
   * @param onDone called when the descriptor may be closed, with whether all that was written was sent.
   */
  constructor(
    fd: number,
    receiver: Receiver,
    sender: Sender,
    linger: number | null,
    onDone: (sent: boolean) => void,
  ) {
    this.#fd = fd;
    this.#receiver = receiver;
    this.#sender = sender;
    this.#lingerMs = linger === null ? LINGER_MS : linger * 1000;
    this.#onDone = onDone;
    // A receive in flight would have taken what has arrived.
    this.#sending = receiver.unreadBytes !== 0 || (!receiver.armed && isUnread(fd));
    const idle = !this.#sending && sender.idle && isIdle(fd);
    receiver.discard(this, this.#onStopped);
    if (idle) {
      this.#sent = true;
      this.#cutOff();
    } else sender.whenDrained(this.#onSent);
  }

  dropped(length: number): boolean {
    this.#sending = true;
    this.#dropped += length;
    if (this.#dropped < this.#dropMax) return true;
    if (this.#sent) {
      this.#cutOff();
      return true;
    }
    // A peer that reads may continue to send: see `#look`.
    this.#moved = this.#sender.bytesWritten;
    this.#lookLater();
    return false;
  }

  /** Nothing is left to send, or it cannot be sent. */
  readonly #onSent = (): void => {
    this.#sent = true;
    if (this.#stopped || this.#sender.error !== null) {
      this.cut();
      return;
    }
    // If this fails, the connection has failed, and the receiver is notified.
    libc().shutdown(this.#fd, SHUT_WR);
    this.#movedAt = now();
    this.#end = this.#movedAt + this.#lingerMs;
    this.#moved = this.#dropped - libc().unacknowledged(this.#fd);
    this.#dropMax = this.#dropped + DROP_MAX;
    this.#receiver.dropMore();
    this.#lookMs = FIRST_LOOK_MS;
    this.#lookLater();
  };

  #lookLater(): void {
    clearTimeout(this.#timer);
    // The receive in flight keeps the process alive, if the connection does.
    this.#timer = setTimeout(this.#look, this.#lookMs).unref();
    this.#lookMs = Math.min(this.#lookMs * 2, LOOK_MAX_MS);
  }

  readonly #look = (): void => {
    if (!this.#sent) {
      if (this.#sender.bytesWritten === this.#moved) this.#lookLater();
      else {
        this.#dropMax = this.#dropped + DROP_MAX;
        this.#lookMs = FIRST_LOOK_MS;
        this.#receiver.dropMore();
      }
      return;
    }
    const left = libc().unacknowledged(this.#fd);
    const time = now();
    if (this.#dropped - left !== this.#moved) {
      this.#moved = this.#dropped - left;
      this.#movedAt = time;
    }
    // A silent peer that has acknowledged the end had nothing in transit.
    const quiet =
      (left <= 0 && !this.#sending) || (time - this.#movedAt >= QUIET_MS && !isLosable(this.#fd, left));
    if (quiet || time >= this.#end) this.#cutOff();
    else this.#lookLater();
  };

  /** Drops data that has arrived, then signals an end to the receiver; later data is answered by a reset. */
  #cutOff(): void {
    clearTimeout(this.#timer);
    this.#dropMax = Number.POSITIVE_INFINITY;
    libc().shutdown(this.#fd, SHUT_RDWR);
    this.#receiver.dropMore();
  }

  /** Stops waiting for the peer. The sender drops unsent data. */
  cut(): void {
    if (!this.#stopped) this.#receiver.stop(this.#onStopped);
    else this.#settle();
  }

  readonly #onStopped = (): void => {
    this.#stopped = true;
    this.#settle();
  };

  #settle(): void {
    if (!this.#sent || !this.#stopped) return;
    clearTimeout(this.#timer);
    this.#onDone(this.#sender.error === null);
  }
}

/**
 * Whether a reset would discard unacknowledged bytes: TCP still has them here. Those of a Unix socket are at the peer
 * already.
 */
function isLosable(fd: number, unacknowledged: number): boolean {
  return unacknowledged > 0 && tcpInfo(fd) !== null;
}

/** Whether the kernel has bytes that have not been received. */
function isUnread(fd: number): boolean {
  unwanted ??= Buffer.allocUnsafeSlow(65536);
  return libc().recv(fd, unwanted.subarray(0, 1), MSG_PEEK | MSG_DONTWAIT) > 0;
}

/** Whether the peer has everything that was sent, and has sent nothing recently. */
function isIdle(fd: number): boolean {
  if (libc().unacknowledged(fd) > 0) return false;
  const info = tcpInfo(fd);
  return info === null || info.bytesReceived === 0 || info.lastDataReceived > RECENT_MS;
}
