/** `listen`: a listener on a new or adopted socket. */
import { checkOptions } from '../../sys/check/options.js';
import type { InetAddress, UnixAddress } from '../../sys/socket/sockaddr.js';
import { closeOnDisconnect } from '../socket/cluster.js';
import { Listener } from './listener.js';
import { openListening } from './open.js';
import { LISTEN_OPTIONS, type ListenOptions } from './options.js';

/**
 * Listens for stream connections.
 * @throws (as a rejection) EADDRINUSE, EACCES and similar, with `address` and `port` or `path`; errors
 * of the name lookup; EBADF and ERR_INVALID_FD_TYPE for a wrong `fd`, which the caller still owns; AbortError;
 * TypeError and RangeError for wrong options.
 */
export function listen(options: ListenOptions & { path: string }): Promise<Listener<UnixAddress>>;
export function listen(
  options: ListenOptions & { path?: undefined; fd?: undefined },
): Promise<Listener<InetAddress>>;
export function listen(options: ListenOptions): Promise<Listener>;
export async function listen(options: ListenOptions): Promise<Listener> {
  checkOptions(options, LISTEN_OPTIONS);
  const { maxConnections, receiveFds } = options;
  return openListening(options, ({ loop, fd, file, path }, worker) => {
    const listener = new Listener(loop, fd, { file, path, maxConnections, receiveFds });
    if (worker !== undefined) {
      const { remains } = listener;
      remains.onClosed = closeOnDisconnect(worker, () => remains.close());
    }
    return listener;
  });
}
