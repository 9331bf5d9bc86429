import type { SecureContext, TLSSocket, TlsOptions } from 'node:tls';
import { allocateBuffer } from '../../loop/memory/buffer-memory.js';
import type { Connection } from '../../net/stream/connection.js';
import { type OptionNames, optionNames } from '../../sys/check/options.js';
import { UasyncError } from '../../sys/errors/errors.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { INPUT_SIZE, input } from '../input/llhttp.js';
import type { OpenFile } from './open-file.js';
import type { Data, Transport, TransportOwner } from './transport.js';
import type { Upgraded } from './upgrade.js';

/** Bytes up to this size are copied, to be encrypted together with the text around them. */
const JOIN_MAX = 64 * 1024;
/** How many bytes of a file are encrypted at a time. */
const FILE_PIECE = 64 * 1024;

/** The TLS options of `tls.createServer`. */
export type HttpTlsOptions = Pick<
  TlsOptions,
  | 'key'
  | 'cert'
  | 'pfx'
  | 'passphrase'
  | 'ca'
  | 'crl'
  | 'ciphers'
  | 'ecdhCurve'
  | 'dhparam'
  | 'sigalgs'
  | 'minVersion'
  | 'maxVersion'
  | 'honorCipherOrder'
  | 'secureOptions'
  | 'sessionIdContext'
  | 'ticketKeys'
  | 'SNICallback'
  | 'requestCert'
  | 'rejectUnauthorized'
>;

/** Their names. Others, of `tls.createServer`, have no effect here, and are refused. */
export const TLS_OPTIONS: OptionNames = optionNames<Required<HttpTlsOptions>>({
  key: true,
  cert: true,
  pfx: true,
  passphrase: true,
  ca: true,
  crl: true,
  ciphers: true,
  ecdhCurve: true,
  dhparam: true,
  sigalgs: true,
  minVersion: true,
  maxVersion: true,
  honorCipherOrder: true,
  secureOptions: true,
  sessionIdContext: true,
  ticketKeys: true,
  SNICallback: true,
  requestCert: true,
  rejectUnauthorized: true,
});

/** What all TLS connections of a server share. */
export interface TlsSetup {
  readonly options: HttpTlsOptions;
  readonly context: SecureContext;
}

/** @throws the errors of `tls.createSecureContext`, for a wrong key or an invalid certificate. */
export function tlsSetup(options: HttpTlsOptions): TlsSetup {
  return { options, context: process.getBuiltinModule('node:tls').createSecureContext(options) };
}

/** What Node's own server uses once a handshake is complete. */
interface Secured {
  /** From now on errors of TLS are emitted: until then Node's server reports those of the handshake. */
  _releaseControl?(): boolean;
  _handle?: { verifyError(): Error | null };
}

/** HTTP over TLS: Node's TLS on a stream over the connection. */
export class TlsTransport implements Transport {
  readonly connection: Connection;
  readonly secure = true;
  readonly #owner: TransportOwner;
  readonly #socket: TLSSocket;
  /** Received data that cannot be parsed yet. */
  #waiting: Buffer | null = null;
  #ended = false;

  constructor(connection: Connection, owner: TransportOwner, { options, context }: TlsSetup) {
    this.connection = connection;
    this.#owner = owner;
    const { requestCert = false, rejectUnauthorized = true, SNICallback } = options;
    const tls = process.getBuiltinModule('node:tls');
    // A peer that has ended its side still gets its answers.
    this.#socket = new tls.TLSSocket(connection.toDuplex({ allowHalfOpen: true }), {
      isServer: true,
      secureContext: context,
      requestCert,
      rejectUnauthorized,
      ALPNProtocols: ['http/1.1'],
      ...(SNICallback === undefined ? {} : { SNICallback }),
    });
    this.#socket.once('secure', () => this.#onSecure(requestCert && rejectUnauthorized));
  }

  /** As in Node's server: a peer without a valid certificate gets nothing. */
  #onSecure(verifies: boolean): void {
    const socket = this.#socket as unknown as Secured;
    socket._releaseControl?.();
    if (!verifies) return;
    const { _handle: handle } = socket;
    const error =
      handle === undefined ? new Error('The certificate cannot be verified') : handle.verifyError();
    if (error !== null) this.#owner.onFailure(error);
  }

  start(): void {
    this.#socket.on('data', this.#onData);
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('error', this.#onError);
    this.#socket.on('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#waiting = this.#waiting === null ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#feed();
  };

  #feed(): void {
    while (this.#waiting !== null && this.#owner.takes) {
      const waiting = this.#waiting;
      const { plain } = this.#owner;
      const length = Math.min(waiting.length, plain > 0 ? plain : INPUT_SIZE);
      this.#waiting = length === waiting.length ? null : waiting.subarray(length);
      const bytes = waiting.subarray(0, length);
      if (plain > 0) this.#owner.takeBody(bytes);
      else {
        input().set(bytes);
        this.#owner.parse(length);
      }
    }
    if (this.#waiting !== null) {
      this.#socket.pause();
      this.#owner.watch();
    } else {
      if (this.#socket.isPaused()) this.#socket.resume();
      if (this.#ended) this.#owner.onEnd();
    }
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#waiting === null) this.#owner.onEnd();
  };

  readonly #onError = (error: Error): void => {
    this.#owner.onFailure(error);
  };

  readonly #onClose = (): void => {
    this.#owner.onFailure(new UasyncError('ECONNRESET', 'The connection was closed'));
  };

  get remoteAddress(): SocketAddress | undefined {
    return this.connection.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  get moved(): number {
    return this.connection.remains.moved;
  }

  post(data: Data): void {
    if (data.length !== 0 && this.#socket.writable) this.#socket.write(data);
  }

  postJoined(before: string, bytes: Uint8Array, after: string): void {
    if (bytes.length <= JOIN_MAX) {
      this.post(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
      return;
    }
    this.post(before);
    this.post(bytes);
    this.post(after);
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.reject(new UasyncError('ECONNRESET', 'The connection was closed'));
    if (socket.writableLength === 0) return Promise.resolve();
    // Called when everything before it is written, or with the error that prevents it.
    return new Promise((resolve, reject) => {
      socket.write('', error => (error ? reject(error) : resolve()));
    });
  }

  resume(): void {
    if (!this.#socket.destroyed) this.#feed();
  }

  postFile(): boolean {
    return false;
  }

  /** Its bytes have to be encrypted. */
  sendFileNow(): number {
    return -1;
  }

  async sendFile(file: OpenFile, offset: number, length: number): Promise<number> {
    let sent = 0;
    while (sent < length) {
      const bytes = allocateBuffer(Math.min(FILE_PIECE, length - sent));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset + sent);
      if (bytesRead === 0) break;
      this.post(bytes.subarray(0, bytesRead));
      sent += bytesRead;
      await this.drained();
    }
    return sent;
  }

  async release(head: Buffer): Promise<Upgraded> {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    // Node emits an error of TLS, and then one of the connection below, unless the socket is destroyed in between.
    socket.on('error', () => socket.destroy());
    socket.allowHalfOpen = false;
    // As in Node: a listener for 'data' starts it again.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
    const all = this.#waiting === null ? head : Buffer.concat([head, this.#waiting]);
    this.#waiting = null;
    return { connection: this.connection, head: all, toDuplex: () => socket };
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return;
    // Further data from the peer is dropped.
    this.#waiting = null;
    socket.off('data', this.#onData);
    socket.resume();
    await new Promise<void>(resolve => {
      socket.once('close', () => resolve());
      socket.destroySoon();
    });
  }

  async reset(): Promise<void> {
    await this.connection.reset();
    this.#socket.destroy();
  }

  ref(): void {
    this.connection.ref();
  }

  unref(): void {
    this.connection.unref();
  }
}
