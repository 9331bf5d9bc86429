/** `openConnection`: adopts a connected socket. */
import { loop as currentLoop } from '../../loop/current.js';
import { ENOTCONN } from '../../sys/abi/errno.js';
import { IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY } from '../../sys/abi/sockets.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { systemError } from '../../sys/errors/errors.js';
import { AF_UNIX } from '../../sys/socket/sockaddr.js';
import { remoteAddress } from '../address/addresses.js';
import { adopt, checkNoFds, checkNotListening, checkSocket } from '../socket/adopt.js';
import { setOption } from '../socket/options.js';
import { Connection } from './connection.js';

/** Options for adopting a connected socket. */
export interface OpenConnectionOptions {
  /** TCP: sends small writes at once, TCP_NODELAY; default true. */
  noDelay?: boolean | undefined;
  /**
   * Unix sockets: accepts descriptors that the peer sends, for `recvFds`; default false, and the kernel closes them.
   * Such a connection receives with one system call per message, and does not read ahead.
   */
  receiveFds?: boolean | undefined;
}

const OPEN_OPTIONS = optionNames<OpenConnectionOptions>({ noDelay: true, receiveFds: true });

/**
 * Creates a Connection for a connected stream socket, TCP or Unix, that was inherited (such as standard input of an
 * inetd service) or received over a Unix socket. Unless the call throws, the connection owns the descriptor: child
 * processes do not inherit it, and `close()` closes it. Do not pass the descriptor of a `net.Socket` or of anything
 * else that still uses it.
 * @throws UasyncError EBADF, ENOTCONN; TypeError ERR_INVALID_FD_TYPE for any other kind of descriptor; TypeError and
 * RangeError for wrong arguments.
 */
export function openConnection(fd: number, options: OpenConnectionOptions = {}): Connection {
  checkOptions(options, OPEN_OPTIONS);
  const domain = checkSocket(fd, SOCK_STREAM);
  checkNotListening(fd);
  if (domain !== AF_UNIX) checkNoFds(options);
  if (remoteAddress(fd) === undefined) throw systemError(ENOTCONN, 'getpeername');
  const loop = currentLoop();
  return adopt(fd, () => {
    if (domain !== AF_UNIX && options.noDelay !== false) setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    const connection = new Connection(loop, fd);
    if (options.receiveFds) connection.remains.receiveFds();
    return connection;
  });
}
