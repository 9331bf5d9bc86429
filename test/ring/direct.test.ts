/** Descriptors that exist as registered files only, and data in registered buffers. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import t from 'tap';
import * as abi from 'uasync/ring';
import { inetAddress, Message, Ring } from 'uasync/ring';
import { localAddress } from '../../src/net/address/addresses.js';
import { scratchFolder } from '../harness.js';
import { lacking, one, ring, several } from './driver.js';

const { AF_INET, SOCK_STREAM, FILE_INDEX_ALLOC } = abi;

t.test('a server without one descriptor: sockets, connections and data by index', async t => {
  ring.registerFilesSparse(16);
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
  one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0)));
  one(sqe => sqe.listen(listener, 8));
  const address = localAddress(listener)!;
  t.equal(
    one(sqe => sqe.socketDirect(AF_INET, SOCK_STREAM, 0, 9)),
    0,
  );
  const chosen = one(sqe => sqe.socketDirectAlloc(AF_INET, SOCK_STREAM));
  t.ok(chosen >= 0 && chosen < 16 && chosen !== 9, `the kernel chose ${chosen}`);
  const first = several(
    2,
    sqe => sqe.acceptDirect(listener, 0, 12).userData(1),
    sqe => sqe.connect(9, address).fixedFile().userData(2),
  );
  t.strictSame([first.get(1), first.get(2)], [0, 0]);

  ring.getSqe()!.multishotAcceptDirect(listener).userData(1);
  const second = several(2, sqe => sqe.connect(chosen, address).fixedFile().userData(2));
  const accepted = second.get(1)!;
  t.ok(accepted >= 0 && accepted < 16, `the connection is file ${accepted}`);
  t.equal(second.get(2), 0);
  t.equal(
    one(sqe => sqe.send(accepted, Buffer.from('by index')).fixedFile()),
    8,
  );
  const buffer = Buffer.alloc(20);
  t.equal(
    one(sqe => sqe.recv(chosen, buffer).fixedFile()),
    8,
  );
  t.equal(buffer.toString('latin1', 0, 8), 'by index');
  const cancelled = several(2, sqe => sqe.cancel(1).userData(3));
  t.equal(cancelled.get(1), -125);

  const other = new Ring(4);
  other.registerFilesSparse(2);
  const given = one(sqe => sqe.msgRingFdAlloc(other.fd, chosen, 44));
  t.ok(given === 0 || given === 1, `the other ring has it as ${given}`);
  t.equal(other.copyCqes(1)[0]!.userData, 44);
  one(sqe => sqe.send(accepted, Buffer.from('again')).fixedFile());
  other.getSqe()!.recv(given, buffer).fixedFile();
  other.submit(1);
  t.equal(other.copyCqes()[0]!.res, 5);
  other.close();
  one(sqe => sqe.close(listener));
  ring.unregisterFiles();
});

t.test('a pipe of registered files', { skip: lacking(['PIPE', abi.OP_PIPE, '6.16']) }, async t => {
  ring.registerFilesSparse(4);
  const ends = new Int32Array(2);
  t.equal(
    one(sqe => sqe.pipeDirect(ends, 0, FILE_INDEX_ALLOC)),
    0,
  );
  const [reader, writer] = ends as unknown as [number, number];
  t.not(reader, writer);
  one(sqe => sqe.write(writer, Buffer.from('direct')).fixedFile());
  const buffer = Buffer.alloc(6);
  t.equal(
    one(sqe => sqe.read(reader, buffer).fixedFile()),
    6,
  );
  t.equal(String(buffer), 'direct');
  ring.unregisterFiles();
});

/** Two connected sockets, through the ring. */
function pair(): [number, number] {
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
  one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0)));
  one(sqe => sqe.listen(listener, 1));
  const client = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
  const address = localAddress(listener)!;
  const results = several(
    2,
    sqe => sqe.accept(listener).userData(1),
    sqe => sqe.connect(client, address).userData(2),
  );
  one(sqe => sqe.close(listener));
  return [client, results.get(1)!];
}

t.test('zero-copy sends from registered buffers', async t => {
  const registered = Buffer.from('sent from where it was registered');
  ring.registerBuffers([registered]);
  const [client, server] = pair();
  const received = Buffer.alloc(64);
  const sends: ((sqe: abi.Sqe) => unknown)[] = [
    sqe => sqe.sendZcFixed(client, registered.subarray(0, 4), 0, 0, 0).userData(1),
    sqe =>
      sqe.sendmsgZcFixed(client, new Message({ buffers: [registered.subarray(5, 9)] }), 0, 0).userData(1),
  ];
  for (const [i, send] of sends.entries()) {
    send(ring.getSqe()!);
    ring.submit();
    const cqes = ring.copyCqes(1);
    if (i === 1 && cqes[0]!.res === -22) {
      t.comment('sendmsgZcFixed came with Linux 6.15');
      continue;
    }
    ring.getSqe()!.recv(server, received).userData(2);
    ring.submit();
    while (cqes.length < 3) cqes.push(...ring.copyCqes(1));
    const [sent, notification] = cqes.filter(cqe => cqe.userData === 1);
    t.equal(sent!.res, 4);
    t.ok(sent!.flags & abi.CQE_F_MORE, 'the buffer is still in use');
    t.ok(notification!.flags & abi.CQE_F_NOTIF);
    t.equal(cqes.find(cqe => cqe.userData === 2)!.res, 4);
    t.equal(received.toString('latin1', 0, 4), ['sent', 'from'][i]);
  }
  ring.unregisterBuffers();
  one(sqe => sqe.close(client));
  one(sqe => sqe.close(server));
});

t.test(
  'several parts of a registered buffer are written',
  { skip: lacking(['WRITEV_FIXED', abi.OP_WRITEV_FIXED, '6.15']) },
  async t => {
    const path = join(scratchFolder(), 'parts');
    const fd = openSync(path, 'w+');
    const buffer = Buffer.from('0123456789');
    ring.registerBuffers([buffer]);
    t.equal(
      one(sqe => sqe.writevFixed(fd, [buffer.subarray(7), buffer.subarray(0, 2)], 0, 0, 0)),
      5,
    );
    t.equal(readFileSync(path, 'latin1'), '78901');
    ring.unregisterBuffers();
    closeSync(fd);
  },
);

t.test('an eventfd may be told to keep still', async t => {
  const fd = koffi.load(null).func('int eventfd(uint, int)')(0, 0o4000) as number;
  const quiet = new Ring(4);
  quiet.registerEventfd(fd);
  t.ok(quiet.cqEventfdEnabled);
  quiet.cqEventfdToggle(false);
  t.notOk(quiet.cqEventfdEnabled);
  quiet.getSqe();
  quiet.submit(1);
  t.throws(() => readSync(fd, Buffer.alloc(8)), { code: 'EAGAIN' }, 'it has counted nothing');
  quiet.cqEventfdToggle(true);
  quiet.getSqe();
  quiet.submit(1);
  t.equal(readSync(fd, Buffer.alloc(8)), 8);
  quiet.close();
  closeSync(fd);
});
