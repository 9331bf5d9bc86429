/** Descriptors over Unix sockets: SCM_RIGHTS, unix(7). */
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { Message } from '../../ring/sqe/message.js';
import { EAGAIN } from '../../sys/abi/errno.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { CMSGHDR } from '../../sys/abi/structs.js';
import { argTypeError, closedError, rangeError, stateError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { FDS_MAX } from '../socket/received-fds.js';
import { untilWritable } from '../socket/writable-wait.js';
import type { Endpoint } from './endpoint.js';
import { whileHeld } from './hold-limit.js';
import { descriptorOf, type SendableFile } from './send-file.js';
import { toBytes, type WritePart } from './write-data.js';

/** Sends bytes with descriptors, when earlier writes have been taken. */
export async function sendFds(
  endpoint: Endpoint,
  localAddress: SocketAddress | undefined,
  fds: readonly SendableFile[],
  data: WritePart,
  options: WaitOptions | undefined,
): Promise<void> {
  const bytes = checkSendFds(fds, data, options);
  const { loop, sender, fd: socket } = endpoint;
  if (sender.ended) throw closedError('The connection');
  if (localAddress === undefined || !('path' in localAddress)) {
    throw stateError('Descriptors can be sent over Unix sockets only');
  }
  const { length } = bytes;
  await whileHeld(sender, options ?? {}, async signal => {
    const control = controlOf(fds.map(descriptorOf));
    for (let sent = 0; sent < length; ) {
      if (bytes.length !== length) throw stateError('A buffer was detached while it was being sent');
      // By a system call: the kernel needs the memory only during the call, and owns its copies of the descriptors
      // after it.
      const message = new Message({ buffers: [bytes.subarray(sent)], control: sent === 0 ? control : 0 });
      const res = libc().sendmsg(socket, message.header, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (res >= 0) {
        sent += res;
        sender.bytesWritten += res;
      } else if (res === EAGAIN) await untilWritable(loop, socket, signal);
      else throw systemError(res, 'sendmsg');
    }
  });
}

/** Checks the arguments; returns the bytes. */
function checkSendFds(
  fds: readonly SendableFile[],
  data: WritePart,
  options: WaitOptions | undefined,
): Uint8Array {
  if (!Array.isArray(fds)) throw argTypeError('fds', 'an array', fds);
  if (fds.length === 0 || fds.length > FDS_MAX) {
    throw rangeError('fds.length', `>= 1 && <= ${FDS_MAX}`, fds.length);
  }
  for (const fd of fds) descriptorOf(fd);
  const bytes = toBytes(data);
  if (bytes.length === 0) throw rangeError('data.length', '>= 1', 0);
  checkWait(options);
  return bytes;
}

function controlOf(fds: readonly number[]): Buffer {
  const control = Buffer.alloc(CMSGHDR.size + fds.length * 4);
  control.writeUInt32LE(control.length, CMSGHDR.cmsg_len);
  control.writeInt32LE(SOL_SOCKET, CMSGHDR.cmsg_level);
  control.writeInt32LE(SCM_RIGHTS, CMSGHDR.cmsg_type);
  for (const [i, fd] of fds.entries()) control.writeInt32LE(fd, CMSGHDR.size + i * 4);
  return control;
}
