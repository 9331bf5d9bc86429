/** Servers and raw conversations for the tests of HTTP. */
import { once } from 'node:events';
import net from 'node:net';
import { type Handler, type HttpOptions, type Server, serve } from 'uasync/http';
import type { InetAddress, SocketAddress } from 'uasync/net';
import { turns } from '../harness.js';

export const HOST = '127.0.0.1';

/** A test that ends. */
export interface Ending {
  teardown(end: () => Promise<void>): void;
}

/** A server on a port of the system's choice, which stops with the test. */
export async function served(test: Ending, handler: Handler, options: HttpOptions = {}): Promise<Server> {
  const server = await serve(handler, { host: HOST, port: 0, ...options });
  test.teardown(async () => {
    await server.stop({ timeout: 0 });
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address as InetAddress).port;
}

/** A client that knows no HTTP. */
export class Peer {
  readonly socket: net.Socket;
  /** What has arrived, as latin1. */
  received = '';
  ended = false;
  error: NodeJS.ErrnoException | null = null;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', chunk => {
      this.received += chunk.toString('latin1');
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', error => {
      this.error = error;
    });
  }

  static async connect(server: { readonly address: SocketAddress }): Promise<Peer> {
    const { address } = server;
    const to = 'path' in address ? { path: address.path } : { port: address.port, host: HOST };
    const socket = net.connect({ ...to, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Peer(socket);
  }

  send(data: string | Uint8Array): void {
    if (typeof data === 'string') this.socket.write(data, 'latin1');
    else this.socket.write(data);
  }

  /** Each piece is received by itself. */
  async sendPieces(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      this.send(piece);
      await turns(2);
      if (this.ended || this.error !== null) return;
    }
  }

  /** Resolves when `condition` holds for what has arrived, or nothing more will. */
  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received) && !this.ended && this.error === null) {
      await new Promise<void>(resolve => {
        const done = (): void => {
          for (const event of ['data', 'end', 'error']) this.socket.off(event, done);
          resolve();
        };
        for (const event of ['data', 'end', 'error']) this.socket.on(event, done);
      });
    }
    return this.received;
  }

  /** All that arrives, to the end that the server makes. */
  whole(): Promise<string> {
    return this.until(() => false);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** An answer as it came. */
export interface RawAnswer {
  status: number;
  /** The head, to its empty line. */
  head: string;
  headers: Map<string, string>;
  body: string;
}

/** The last answer is cut off. */
export class CutOff extends Error {
  /** Those before it. */
  readonly answers: RawAnswer[];

  constructor(answers: RawAnswer[]) {
    super(`answer ${answers.length} is cut off`);
    this.answers = answers;
  }
}

/**
 * Takes responses apart, by their lengths and chunks; throws where the bytes are none.
 * @param methods of the requests; 'HEAD?' for one whose answer may have a body.
 */
export function answersIn(text: string, methods: readonly string[] = []): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) throw new Error(`no end of a head in ${JSON.stringify(rest)}`);
    const head = rest.slice(0, end + 4);
    rest = rest.slice(end + 4);
    const [line, ...lines] = head.trimEnd().split('\r\n');
    const [, digits] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*$/.exec(line!)!;
    const status = Number(digits);
    const headers = new Map(
      lines.map(text => {
        const [, name, value] = /^([^:\s]+): ?(.*)$/.exec(text)!;
        return [name!.toLowerCase(), value!];
      }),
    );
    let body = '';
    const method = methods[answers.filter(one => one.status >= 200).length];
    const isHead = method === 'HEAD' || (method === 'HEAD?' && rest === '');
    if (headers.get('transfer-encoding') === 'chunked') {
      for (;;) {
        if (/^[0-9a-f]*\r?$/.test(rest)) throw new CutOff(answers);
        const [whole, hex] = /^([0-9a-f]+)\r\n/.exec(rest)!;
        const size = Number.parseInt(hex!, 16);
        if (rest.length < whole!.length + size + 2) throw new CutOff(answers);
        body += rest.slice(whole!.length, whole!.length + size);
        if (rest.slice(whole!.length + size, whole!.length + size + 2) !== '\r\n')
          throw new Error('no end of a chunk');
        rest = rest.slice(whole!.length + size + 2);
        if (size === 0) break;
      }
    } else if (!isHead && status !== 304 && status !== 204 && status >= 200) {
      const length = headers.get('content-length');
      const size = length === undefined ? rest.length : Number(length);
      body = rest.slice(0, size);
      if (body.length !== size) throw new Error(`${body.length} bytes of ${size}`);
      rest = rest.slice(size);
    }
    answers.push({ status, head, headers, body });
  }
  return answers;
}

/** Sends, and takes what comes until the server closes. */
export async function talk(server: Server, pieces: readonly string[], end = false): Promise<string> {
  const peer = await Peer.connect(server);
  try {
    await peer.sendPieces(pieces);
    if (end) peer.socket.end();
    return await peer.whole();
  } finally {
    peer.close();
  }
}
