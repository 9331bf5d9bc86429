import { TCP_CLOSE, tcpInfo } from '../socket/tcp-info.js';

/** How sending has gone: an error, null or 0. */
type Outcome = Readonly<{ idle: boolean; error: Error | number | null }>;

/**
 * Whether the end of a connection is due to a reset. The kernel reports a reset once, and a send may have got the
 * report. If the peer had ended its side before, that end would count as one of the bytes received.
 * @param sender the other direction, if it has been used.
 */
export function wasReset(fd: number, sender: Outcome | null, bytesRead: number): boolean {
  if (sender === null || (sender.idle && !sender.error)) return false;
  const info = tcpInfo(fd);
  return info !== null && info.state === TCP_CLOSE && info.bytesReceived <= bytesRead;
}
