/** `net.Server.listen` on the loop: the server gets a bound handle before Node would create a native one. */
import type { Server } from 'node:net';
import type { Loop } from '../../loop/loop.js';
import { ReceiveBuffers } from '../../net/stream/receive-buffers.js';
import { availableLoop } from '../available.js';
import { nodeModule } from '../natives.js';
import { PipeHandle } from './pipe-handle.js';
import { TcpHandle } from './tcp-handle.js';

const ANY_IPV6 = '::';
const ANY_IPV4 = '0.0.0.0';

/** `net.Server.prototype._listen2`, which creates the handle and listens. */
export type Listen = (
  this: Server,
  address: string | null,
  port: number | null,
  addressType: number | null,
  backlog: number,
  fd: number | undefined,
  flags: number | undefined,
) => void;

interface PrivateServer {
  _handle: object | null;
}

/** The same method, giving servers handles on the loop. */
export function listenWithHandles(listen: Listen, enabled: () => boolean): Listen {
  return function (address, port, addressType, backlog, fd, flags) {
    const server = this as unknown as PrivateServer;
    const native = server._handle || typeof fd === 'number' || needsNative(this) || isSharing();
    const loop = native || !enabled() ? null : availableLoop(ReceiveBuffers);
    if (loop !== null) {
      const isPath = port === -1 && addressType === -1;
      if (!isPath && !address) {
        // Node tries IPv6 first as well, and names it in a failure.
        const handle = bound(loop, ANY_IPV6, port!, 6, flags);
        server._handle = handle ?? bound(loop, ANY_IPV4, port!, 4, flags);
        if (server._handle !== null) {
          listen.call(
            this,
            handle === null ? ANY_IPV4 : ANY_IPV6,
            port,
            handle === null ? 4 : 6,
            backlog,
            fd,
            flags,
          );
          return;
        }
      } else
        server._handle = isPath
          ? boundPath(loop, address!)
          : bound(loop, address!, port!, addressType!, flags);
    }
    // Node tries again what cannot be bound, and reports the error.
    listen.call(this, address, port, addressType, backlog, fd, flags);
  };
}

/** Whether it is a server of `node:tls` or `node:http2`, whose native parts read native sockets. */
export function needsNative(server: Server): boolean {
  return 'setSecureContext' in server || 'updateSettings' in server;
}

/** Whether the primary of a cluster may be listening for its workers, which get native handles. */
function isSharing(): boolean {
  const cluster = nodeModule<typeof import('node:cluster').default>('cluster');
  return cluster.isPrimary && Object.keys(cluster.workers ?? {}).length !== 0;
}

function bound(loop: Loop, address: string, port: number, addressType: number, flags = 0): TcpHandle | null {
  const handle = new TcpHandle(loop, true);
  const failed = addressType === 6 ? handle.bind6(address, port, flags) : handle.bind(address, port, flags);
  if (failed === 0) return handle;
  handle.close();
  return null;
}

function boundPath(loop: Loop, path: string): PipeHandle | null {
  const handle = new PipeHandle(loop, true);
  if (handle.bind(path) === 0) return handle;
  handle.close();
  return null;
}
