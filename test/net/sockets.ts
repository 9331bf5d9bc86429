/** Sockets for tests. */
import { networkInterfaces } from 'node:os';
import {
  type Connection,
  type ConnectOptions,
  connect,
  type DatagramSocket,
  type InetAddress,
  type Listener,
  listen,
  type SocketAddress,
} from 'uasync/net';

export const HOST = '127.0.0.1';

const hasIPv6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1'),
);
/** Why tests of IPv6 are skipped, false if they are not. */
export const noIPv6 = hasIPv6 ? false : 'this machine has no IPv6';

/** The port of a listener or a datagram socket. */
export function portOf(server: { readonly address: SocketAddress }): number {
  return (server.address as InetAddress).port;
}

/** A test that ends. */
export interface Ending {
  teardown(end: () => Promise<void>): void;
}

type Pair = [client: Connection, server: Connection];

/** Two connections of ours with each other, closed with the test. */
export async function pair(test: Ending): Promise<Pair> {
  const listener = await listen({ port: 0, host: HOST });
  return connectTo(test, listener, { port: portOf(listener), host: HOST });
}

let unixPairs = 0;

/** The same, of Unix sockets. */
export async function unixPair(test: Ending): Promise<Pair> {
  const path = `\0uasync-pair-${process.pid}-${unixPairs++}`;
  return connectTo(test, await listen({ path }), { path });
}

export async function connectTo(test: Ending, listener: Listener, to: ConnectOptions): Promise<Pair> {
  const both = await Promise.all([connect(to), listener.accept()]);
  await listener.close();
  test.teardown(async () => {
    await Promise.all(both.map(conn => conn.reset()));
  });
  return both;
}

/** All that arrives until the peer ends. */
export async function readAll(conn: Connection): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let chunk = await conn.read(); chunk !== null; chunk = await conn.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The next `count` datagrams as text. */
export async function texts(socket: DatagramSocket, count: number): Promise<string[]> {
  const got: string[] = [];
  while (got.length < count) got.push(String((await socket.recv()).data));
  return got;
}

/** `length` bytes that are not all alike. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8)) & 0xff;
  return bytes;
}
