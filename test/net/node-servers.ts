/** Node's own servers on connections of ours. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { type ConnectionDuplex, listen } from 'uasync/net';
import { scratchFolder } from '../harness.js';
import { HOST, portOf } from './sockets.js';

/** A key and a certificate of its own for 'localhost', as PEM. */
export interface Certificate {
  key: Buffer;
  cert: Buffer;
  /** Where the certificate is. */
  path: string;
}

/** Has one made by openssl; null where that is not installed. */
export function certificate(): Certificate | null {
  const folder = scratchFolder();
  const [keyPath, path] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  try {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        ...subject,
        '-keyout',
        keyPath,
        '-out',
        path,
      ],
      { stdio: 'ignore' },
    );
  } catch {
    return null;
  }
  return { key: readFileSync(keyPath), cert: readFileSync(path), path };
}

export interface Served {
  port: number;
  /** How many connections it has had. */
  connections: number;
}

interface Ending {
  teardown(end: () => Promise<void>): void;
}

/** An HTTP server of Node's on connections of ours, or with a key an HTTPS server. */
export async function httpServer(
  test: Ending,
  handler: http.RequestListener,
  options: https.ServerOptions = {},
): Promise<Served> {
  const server =
    options.key === undefined ? http.createServer(options, handler) : https.createServer(options, handler);
  const listener = await listen({ port: 0, host: HOST });
  const served: Served = { port: portOf(listener), connections: 0 };
  const open = new Set<ConnectionDuplex>();
  void (async () => {
    for await (const conn of listener) {
      served.connections++;
      const duplex = conn.toDuplex();
      open.add(duplex);
      duplex.once('close', () => open.delete(duplex));
      server.emit('connection', duplex);
    }
  })();
  test.teardown(async () => {
    for (const duplex of open) duplex.destroy();
    await listener.close();
  });
  return served;
}
