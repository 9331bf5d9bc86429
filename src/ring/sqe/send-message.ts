import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { Scratch } from '../../sys/memory/scratch.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { Sqe } from './index.js';

let sqe: Sqe | undefined;

/**
 * Posts a completion on a ring from a thread without one: `result` becomes its `res`, `data` its user_data.
 * io_uring_register_sync_msg(3), 6.13
 * @throws UasyncError EBADFD if the ring is not enabled, EOVERFLOW if it has no room, EBADF.
 */
export function sendMessage(ringFd: number, result: number, data: number | bigint): void {
  const words = new Int32Array(SQE.size / 4);
  sqe ??= new Sqe(new Scratch());
  sqe.use(words, 4);
  sqe.moveTo(0);
  sqe.msgRing(ringFd, result, data);
  const bytes = new Uint8Array(words.buffer);
  const failed = libc().ioUringRegister(-1, abi.REGISTER_SEND_MSG_RING, bytes, 1);
  if (failed < 0) throw systemError(failed, 'io_uring_register');
}
