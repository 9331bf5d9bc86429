/** Servers on threads for tests, and connections to them. */
import { once } from 'node:events';
import net from 'node:net';
import { type InetAddress, type ServeOptions, serveOnThreads, type ThreadServer } from 'uasync/net';
import type { Data } from './fixtures/served.js';
import { built } from './programs.js';

export const MODULE = built('test/fixtures/served.js');

export function start(
  threads: number | undefined,
  data: Data,
  options: ServeOptions = {},
): Promise<ThreadServer> {
  return serveOnThreads(threads, MODULE, { ...options, data });
}

export function portOf(server: ThreadServer): number {
  return (server.address as InetAddress).port;
}

export async function open(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Sends a line, and resolves to the answer; rejects if there is none. */
export async function ask(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  const gone = once(socket, 'close').then(() => {
    throw new Error('closed instead of an answer');
  });
  const [reply] = await Promise.race([once(socket, 'data'), gone]);
  gone.catch(() => {});
  return String(reply);
}

export async function closed(socket: net.Socket): Promise<void> {
  if (socket.closed) return;
  socket.destroy();
  await once(socket, 'close');
}

/** Connects until each of these threads has answered, and returns a connection to each. */
export async function reachAll(port: number, ids: number[]): Promise<Map<number, net.Socket>> {
  const reached = new Map<number, net.Socket>();
  while (reached.size < ids.length) {
    const socket = await open(port).catch(() => null);
    if (socket === null) {
      // A thread that is started again does not listen yet.
      await new Promise(resolve => setTimeout(resolve, 5));
      continue;
    }
    // One that a dying thread had not taken yet is reset.
    const id = Number(await ask(socket, 'who').catch(() => -1));
    if (reached.has(id) || !ids.includes(id)) await closed(socket);
    else reached.set(id, socket);
  }
  return reached;
}
