/**
 * Every function, constructor and method of uasync/ring with an odd value in the place of each argument, of
 * each element and of each property: what comes of it is a result, or an error with a code of Node's or the
 * kernel's. Then every method once more on what is closed.
 */
import { closeSync, openSync } from 'node:fs';
import t, { type Test } from 'tap';
import * as api from 'uasync/ring';
import { AddressBuffer, BufRing, inetAddress, Message, Ring, Slots, WaitRegion } from 'uasync/ring';
import { SqeRaw } from '../../src/ring/sqe/raw.js';
import '../patience.js';

function detached(): Uint8Array {
  const view = new Uint8Array(16);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const Resizable = ArrayBuffer as unknown as new (
  length: number,
  options: object,
) => ArrayBuffer & { resize(length: number): void };

function resizable(): Uint8Array {
  return new Uint8Array(new Resizable(64, { maxByteLength: 65536 }));
}

/** Its buffer has shrunk below it. */
function beyond(): Uint8Array {
  const buffer = new Resizable(64, { maxByteLength: 65536 });
  const view = new Uint8Array(buffer, 32);
  buffer.resize(16);
  return view;
}

/** Made anew for each call: a buffer is marked once it was used. */
const ODD: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-1': () => -1,
  '-3': () => -3,
  '1.5': () => 1.5,
  '2^31': () => 2 ** 31,
  '2^32': () => 2 ** 32,
  '2^53': () => 2 ** 53,
  '-2^63': () => -(2 ** 63),
  '0n': () => 0n,
  '-1n': () => -1n,
  '2n^63': () => 2n ** 63n,
  '2n^64': () => 2n ** 64n,
  "''": () => '',
  "'text'": () => 'text',
  "'a\\0b'": () => 'a\0b',
  symbol: () => Symbol('odd'),
  object: () => ({}),
  'no prototype': () => Object.create(null),
  array: () => [],
  'array of null': () => [null, null],
  hole: () => new Array(2),
  function: () => () => {},
  Date: () => new Date(),
  'detached view': detached,
  'empty view': () => new Uint8Array(0),
  'one byte': () => new Uint8Array(1),
  'shared view': () => new Uint8Array(new SharedArrayBuffer(64)),
  'resizable view': resizable,
  'view beyond its buffer': beyond,
  DataView: () => new DataView(new ArrayBuffer(64)),
  BigUint64Array: () => new BigUint64Array(8),
  ArrayBuffer: () => new ArrayBuffer(64),
  SharedArrayBuffer: () => new SharedArrayBuffer(64),
};

const fd = openSync('/dev/null', 'r+');
t.teardown(() => closeSync(fd));
const bytes = (): Uint8Array => new Uint8Array(256);
const address = inetAddress('127.0.0.1', 9);
const ints = (): Int32Array => new Int32Array(4);
const waiter = (): object => ({ futex: ints(), value: 0, flags: 130 });
const message = (): Message => new Message({ buffers: [bytes()], address, control: 64 });

type Arguments = Record<string, () => unknown[]>;

/** What each operation and modifier takes. */
const ENTRY: Arguments = {
  userData: () => [7],
  link: () => [],
  hardlink: () => [],
  drain: () => [],
  async: () => [],
  fixedFile: () => [],
  bufferSelect: () => [1],
  skipSuccess: () => [],
  personality: () => [1],
  setFlags: () => [0],
  inherit: () => [],
  raw: () => [
    {
      opcode: api.OP_READ,
      flags: 0,
      ioprio: 0,
      fd,
      off: 0,
      addr: bytes(),
      len: 16,
      opFlags: 0,
      userData: 1,
      bufIndex: 0,
      personality: 0,
      fileIndex: 0,
      addr3: 0,
      pad2: 0,
      keep: [bytes()],
    },
  ],
  nop: () => [api.NOP_INJECT_RESULT, 5, [1, 2]],
  nop128: () => [],
  read: () => [fd, bytes(), 0],
  write: () => [fd, bytes(), 0],
  close: () => [0x7ffffff0],
  closeDirect: () => [1],
  fsync: () => [fd, 0],
  syncFileRange: () => [fd, 10, 0, 0],
  readv: () => [fd, [bytes(), bytes()], 0, 0],
  writev: () => [fd, [bytes(), bytes()], 0, 0],
  readFixed: () => [fd, bytes(), 0, 0],
  writeFixed: () => [fd, bytes(), 0, 0],
  readvFixed: () => [fd, [bytes()], 0, 0, 0],
  writevFixed: () => [fd, [bytes()], 0, 0, 0],
  readMultishot: () => [fd, 0, 0, 1],
  fallocate: () => [fd, 0, 0, 1],
  fadvise: () => [fd, 0, 1, 0],
  madvise: () => [bytes(), 0],
  ftruncate: () => [fd, 0],
  splice: () => [fd, -1, fd, -1, 1, 0],
  tee: () => [fd, fd, 1, 0],
  pipe: () => [ints(), 0],
  pipeDirect: () => [ints(), 0, 0],
  fixedFdInstall: () => [0, 0],
  openat: () => [-100, '/', 0, 0],
  open: () => ['/', 0, 0],
  openatDirect: () => [-100, '/', 0, 0, 0],
  openDirect: () => ['/', 0, 0, 0],
  openat2: () => [-100, '/', { flags: 0, mode: 0, resolve: 0 }],
  openat2Direct: () => [-100, '/', { flags: 0 }, 0],
  statx: () => [-100, '/', 0, 0x7ff, bytes()],
  renameat: () => [-100, 'a', -100, 'b', 0],
  rename: () => ['a', 'b'],
  linkat: () => [-100, 'a', -100, 'b', 0],
  linkPath: () => ['a', 'b'],
  unlinkat: () => [-100, 'a', 0],
  unlink: () => ['a', 0],
  mkdirat: () => [-100, 'a', 0o777],
  mkdir: () => ['a', 0o777],
  symlinkat: () => ['a', -100, 'b'],
  symlink: () => ['a', 'b'],
  getxattr: () => ['/', 'user.x', bytes()],
  setxattr: () => ['/', 'user.x', bytes(), 0],
  fgetxattr: () => [fd, 'user.x', bytes()],
  fsetxattr: () => [fd, 'user.x', bytes(), 0],
  socket: () => [2, 1, 0],
  socketDirect: () => [2, 1, 0, 0],
  socketDirectAlloc: () => [2, 1, 0],
  bind: () => [fd, address],
  listen: () => [fd, 5],
  accept: () => [fd, 0, new AddressBuffer()],
  acceptDirect: () => [fd, 0, 0, new AddressBuffer()],
  multishotAccept: () => [fd, 0],
  multishotAcceptDirect: () => [fd, 0],
  connect: () => [fd, { path: '/tmp/x' }],
  recv: () => [fd, bytes(), 0],
  recvMultishot: () => [fd, 1, 0],
  send: () => [fd, bytes(), 0],
  sendto: () => [fd, bytes(), address, 0],
  sendSetAddr: () => [inetAddress('fe80::1%1', 9)],
  sendBundle: () => [fd, 1, 0, 0],
  sendZc: () => [fd, bytes(), 0, 0],
  sendZcFixed: () => [fd, bytes(), 0, 0, 0],
  shutdown: () => [fd, 1],
  bundle: () => [],
  pollFirst: () => [],
  dontWait: () => [],
  cmdSockQueue: () => [api.SOCKET_URING_OP_SIOCINQ, fd],
  cmdGetsockopt: () => [fd, 1, 4, ints()],
  cmdSetsockopt: () => [fd, 1, 4, ints()],
  cmdGetsockname: () => [fd, new AddressBuffer(), true],
  recvZc: () => [fd, 0, 0],
  epollCtl: () => [fd, 1, fd, 1, 0],
  epollWait: () => [fd, bytes(), 0],
  sendmsg: () => [fd, message(), 0],
  recvmsg: () => [fd, message(), 0],
  recvmsgMultishot: () => [fd, message(), 1, 0],
  sendmsgZc: () => [fd, message(), 0],
  sendmsgZcFixed: () => [fd, message(), 0, 0],
  timeout: () => [5, 0, 0],
  linkTimeout: () => [5, 0],
  cancel: () => [7, 0],
  cancelFd: () => [fd, 0],
  cancelOp: () => [1, 0],
  cancelAny: () => [0],
  timeoutRemove: () => [7, 0],
  timeoutUpdate: () => [7, 5, 0],
  pollAdd: () => [fd, 1],
  pollMultishot: () => [fd, 1, 0],
  pollRemove: () => [7],
  pollUpdate: () => [7, 8, 1, 0],
  msgRing: () => [fd, 0, 7, 0],
  msgRingCqeFlags: () => [fd, 0, 7, 0, 0],
  msgRingFd: () => [fd, 0, 0, 7, 0],
  msgRingFdAlloc: () => [fd, 0, 7, 0],
  provideBuffers: () => [bytes(), 64, 4, 1, 0],
  removeBuffers: () => [4, 1],
  filesUpdate: () => [ints(), 0],
  uringCmd: () => [fd, 1, bytes().subarray(0, 16), 0],
  uringCmd128: () => [fd, 1, bytes().subarray(0, 16), 0],
  cmdDiscard: () => [fd, 0, 512],
  waitid: () => [0, 0, bytes(), 4, 0],
  futexWait: () => [ints(), 0, 1, 130],
  futexWake: () => [ints(), 1, 1, 130],
  futexWaitv: () => [[waiter(), waiter()]],
};

/** What the registrations take; some fail on the ring of the test, by an error of the kernel. */
const REGISTRATION: Arguments = {
  register: () => [api.REGISTER_PROBE, Buffer.alloc(16 + 256 * 8), 256],
  registerBuffers: () => [
    [bytes(), null],
    [1, 2n],
  ],
  registerBuffersSparse: () => [4],
  updateBuffers: () => [0, [bytes()], [1]],
  unregisterBuffers: () => [],
  cloneBuffers: () => [other, 0, 0, 0, 0],
  registerFiles: () => [
    [fd, -1],
    [1, 2n],
  ],
  registerFilesSparse: () => [4],
  updateFiles: () => [0, [fd, -1], [1, 2n]],
  unregisterFiles: () => [],
  registerFileAllocRange: () => [0, 1],
  registerEventfd: () => [fd],
  registerEventfdAsync: () => [fd],
  unregisterEventfd: () => [],
  registerPersonality: () => [],
  unregisterPersonality: () => [1],
  registerRestrictions: () => [[{ kind: 0, value: 1 }]],
  enableRings: () => [],
  registerIowqAffinity: () => [[0]],
  unregisterIowqAffinity: () => [],
  registerIowqMaxWorkers: () => [0, 0],
  syncCancel: () => [{ userData: 7, fd, op: 1, flags: 0, timeout: 0 }],
  registerNapi: () => [10, true],
  unregisterNapi: () => [],
  registerClock: () => [1],
};

const RING: Arguments = {
  getSqe: () => [],
  getSqe128: () => [],
  submit: () => [0],
  submitAndGetEvents: () => [],
  submitAndWaitTimeout: () => [0, 0, 0],
  submitAndWaitReg: () => [0, 0],
  sqringWait: () => [],
  setIowait: () => [true],
  reap: () => [{ onCqe() {} }],
  forEachCqe: () => [() => {}],
  copyCqes: () => [[{ userData: 0, res: 0, flags: 0 }, {}], 0],
  cqEventfdToggle: () => [true],
  registerRingFd: () => [],
  unregisterRingFd: () => [],
  resize: () => [16, 32],
  close: () => [],
};

const other = new Ring(2);
t.teardown(() => other.close());

/** What is for the package itself. */
const INTERNAL = new Set(
  `constructor moveTo retire prep opFlags ioprio addIoprio opcode off bufIndex fileIndex userDataWords bytes path
  addr3 directSlot value64 iovecs timespec use widen assertWide lose data target inheritHow keepForever`.split(
    /\s+/,
  ),
);

/** The names of methods, or of getters. */
function membersOf(prototype: object, kind: 'value' | 'get'): string[] {
  const names = new Set<string>();
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (property[kind] !== undefined && !INTERNAL.has(name)) names.add(name);
    }
  }
  return [...names];
}

/** An odd value in each place: what it is called, and the arguments. */
function* variants(make: () => unknown[]): Generator<[string, unknown[]]> {
  const count = make().length;
  for (const [name, odd] of Object.entries(ODD)) {
    for (let i = 0; i < count; i++) {
      const replace = (change: (from: unknown) => unknown): unknown[] =>
        make().map((value, at) => (at === i ? change(value) : value));
      yield [`${name} as argument ${i}`, replace(odd)];
      const valid = make()[i];
      if (Array.isArray(valid)) {
        for (let element = 0; element < valid.length; element++) {
          yield [
            `${name} as argument ${i}[${element}]`,
            replace(from => (from as unknown[]).with(element, odd())),
          ];
        }
      }
      const inner = Array.isArray(valid) ? valid[0] : valid;
      if (inner === null || typeof inner !== 'object' || Object.getPrototypeOf(inner) !== Object.prototype) {
        continue;
      }
      for (const property of Object.keys(inner)) {
        const changed = { ...inner, [property]: odd() };
        yield [
          `${name} as ${property} of argument ${i}`,
          replace(from => (Array.isArray(from) ? from.with(0, changed) : changed)),
        ];
      }
    }
  }
}

const CLASSES: Record<string, new () => Error> = {
  ERR_INVALID_ARG_TYPE: TypeError,
  ERR_OUT_OF_RANGE: RangeError,
};
/** Whose argument is called so; elsewhere it is a Buffer method that complains. */
const NAMED_VALUE = /^(futex|Slots|registerRestrictions)/;

/** What it says, and where it was thrown. */
function shortened({ stack }: Error): string {
  return stack!.split('\n').slice(0, 3).join(' ').replaceAll(/\s+/g, ' ');
}

/** What is wrong with an error; undefined if it is as it should be. */
function fault(error: unknown, call: string): string | undefined {
  if (!(error instanceof Error)) return `not an Error: ${String(error)}`;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return `no code: ${shortened(error)}`;
  const shape = CLASSES[code];
  if (shape !== undefined && !((error as unknown) instanceof shape)) return `${error.name} with ${code}`;
  if (error.message.includes('"value" is out') && !NAMED_VALUE.test(call))
    return `internal: ${shortened(error)}`;
  return undefined;
}

/** Odd values that no number stands for. */
const NO_NUMBERS = /^(null|true|NaN|'text'|symbol|object|array|function|Date|one byte) as argument (\d)$/;
/** They take any value. */
const TAKES_ALL = /^(Slots|BufRing.idOf)/;

/** Calls with every variant; says how many were refused. */
function callAll(t: Test, name: string, make: () => unknown[], call: (args: unknown[]) => unknown): void {
  const faults: string[] = [];
  let refused = 0;
  let calls = 0;
  for (const [what, args] of variants(make)) {
    calls++;
    try {
      call(args);
      const [, , number] = NO_NUMBERS.exec(what) ?? [];
      if (number !== undefined && typeof make()[Number(number)] === 'number' && !TAKES_ALL.test(name)) {
        faults.push(`${name}, ${what}: taken for a number`);
      }
    } catch (error) {
      refused++;
      const wrong = fault(error, name);
      if (wrong !== undefined) faults.push(`${name}, ${what}: ${wrong}`);
    }
  }
  t.strictSame(faults, [], `${name}: ${refused} of ${calls} refused`);
}

type Calls = Record<string, (...args: unknown[]) => unknown>;

t.test('every operation and modifier', async t => {
  // Those of SqeTrusted are for the layers above, and check nothing.
  t.strictSame(membersOf(SqeRaw.prototype, 'value').sort(), Object.keys(ENTRY).sort(), 'all are listed');
  for (const [name, make] of Object.entries(ENTRY)) {
    // Nothing is submitted.
    const ring = new Ring(4096);
    const wide = name.endsWith('128');
    const call = (args: unknown[]): void => {
      const sqe = ring.getSqe()!;
      try {
        (sqe as unknown as Calls)[name]!(...args);
      } catch (error) {
        // It is submitted with the others all the same.
        if ((sqe.words[sqe.at]! & 0xff) !== api.OP_NOP) throw new Error(`half an entry: ${error}`);
        throw error;
      }
    };
    if (!wide && name !== 'inherit') t.doesNotThrow(() => call(make()), `${name} itself`);
    callAll(t, name, make, call);
    ring.close();
  }
});

/** Methods of the loop's, which trusts itself. */
const INTERNAL_OF_RING = new Set(['getEvents', 'installFile', 'reapQueue', 'submitClosing']);

t.test('every registration and method of a ring', async t => {
  const methods = [...membersOf(Ring.prototype, 'value')].filter(name => !INTERNAL_OF_RING.has(name)).sort();
  t.strictSame(methods, [...Object.keys(REGISTRATION), ...Object.keys(RING)].sort(), 'all are listed');
  for (const [name, make] of Object.entries({ ...REGISTRATION, ...RING })) {
    if (make().length === 0) continue;
    const ring = new Ring(4, { optionalFlags: api.SETUP_SINGLE_ISSUER | api.SETUP_DEFER_TASKRUN });
    callAll(t, name, make, args => {
      ring.getSqe();
      ring.submitAndGetEvents();
      const returned = (ring as unknown as Calls)[name]!(...args);
      ring.copyCqes();
      return returned;
    });
    ring.close();
  }
});

t.test('constructors, functions and the other classes', async t => {
  const ring = new Ring(8);
  const group = new BufRing(ring, { group: 1, entries: 4, bufferSize: 64 });
  const slots = new Slots<unknown>();
  const disabled = new Ring(2, { flags: api.SETUP_R_DISABLED });
  let groups = 0;
  const table: Record<string, [() => unknown[], (args: never[]) => unknown]> = {
    Ring: [
      () => [
        2,
        {
          flags: 0,
          optionalFlags: 0,
          cqEntries: 8,
          sqThreadCpu: 0,
          sqThreadIdle: 5,
          wqFd: ring.fd,
        },
      ],
      args => new Ring(...(args as unknown as [number])).close(),
    ],
    BufRing: [
      () => [ring, { group: 2 + groups++, entries: 4, bufferSize: 64, provided: 2, flags: 0 }],
      args => new BufRing(...(args as unknown as [Ring, { group: 1; entries: 4; bufferSize: 64 }])).close(),
    ],
    AddressBuffer: [() => [], () => new AddressBuffer()],
    addressOf: [() => [bytes()], ([view]) => api.addressOf(view!)],
    eventfd: [() => [], () => closeSync(api.eventfd())],
    getsockname: [() => [fd], ([one]) => api.getsockname(one!)],
    getpeername: [() => [fd], ([one]) => api.getpeername(one!)],
    'BufRing.recycle': [() => [0], ([id]) => group.recycle(id!)],
    'BufRing.idOf': [() => [0x10000], ([flags]) => BufRing.idOf(flags!)],
    WaitRegion: [() => [disabled, 1], args => new WaitRegion(...(args as unknown as [Ring, number]))],
    Message: [
      () => [{ buffers: [bytes()], address: true, control: bytes() }],
      ([options]) => new Message(options!),
    ],
    'Message.parse': [
      () => [Buffer.alloc(1000), 0, 500],
      args =>
        new Message({ address: true, control: 64 }).parse(...(args as unknown as [Buffer, number, number])),
    ],
    Slots: [() => [], () => new Slots()],
    'Slots.put': [() => [1], ([value]) => slots.put(value!)],
    'Slots.add': [() => [1], ([value]) => slots.add(value!)],
    'Slots.find': [() => [1], ([value]) => slots.find(value!)],
    'Slots.take': [() => [1], ([value]) => slots.take(value!)],
    'Slots.get': [() => [1, 1], ([index, generation]) => slots.get(index!, generation!)],
    'Slots.generation': [() => [1], ([index]) => slots.generation(index!)],
    'Slots.remove': [() => [1], ([index]) => slots.remove(index!)],
    inetAddress: [() => ['::1', 5], args => inetAddress(...(args as unknown as [string, number]))],
    probe: [() => [0], ([op]) => api.probe().supports(op!)],
    query: [() => [], () => api.query()],
    sendMessage: [
      () => [ring.fd, 0, 7],
      args => api.sendMessage(...(args as unknown as [number, number, number])),
    ],
  };
  for (const [name, value] of Object.entries(api)) {
    if (typeof value === 'function' && (name as string) !== 'UasyncError')
      t.ok(name in table, `${name} is listed`);
  }
  for (const [name, [make, call]] of Object.entries(table)) {
    callAll(t, name, make, args => call(args as never[]));
  }
  ring.forEachCqe(() => {});
  group.close();
  ring.close();
  disabled.close();
});

t.test('what is closed says so', async t => {
  const ring = new Ring(8, { optionalFlags: api.SETUP_SINGLE_ISSUER | api.SETUP_DEFER_TASKRUN });
  const group = new BufRing(ring, { group: 1, entries: 4, bufferSize: 64 });
  const cursor = ring.getSqe() as unknown as Calls;
  ring.close();
  const closed = { code: 'ERR_CLOSED' };
  for (const [name, make] of Object.entries({ ...REGISTRATION, ...RING })) {
    const call = (): unknown => (ring as unknown as Calls)[name]!(...make());
    if (name === 'close') t.doesNotThrow(call, 'closed twice');
    else t.throws(call, closed, name);
  }
  const plain = ['fd', 'closed', 'enters', 'sqEntries', 'cqEntries'];
  for (const name of membersOf(Ring.prototype, 'get')) {
    const read = (): unknown => ring[name as keyof Ring];
    if (plain.includes(name)) t.doesNotThrow(read, name);
    else t.throws(read, closed, name);
  }
  for (const [name, make] of Object.entries(ENTRY)) {
    // The cursor writes nowhere; what would need memory of the ring says so.
    try {
      cursor[name]!(...make());
    } catch (error) {
      t.match(error, closed, name);
    }
  }
  t.throws(() => group.available, closed);
  t.doesNotThrow(() => group.close());
  t.throws(() => group.recycle(0), closed);
  t.throws(() => group.publish(), closed);
  t.throws(() => new BufRing(ring, { group: 1, entries: 4, bufferSize: 64 }), closed);
  t.throws(() => new WaitRegion(ring, 1), closed);
  t.throws(() => other.cloneBuffers(ring), closed);
  t.throws(() => api.sendMessage(ring.fd, 0, 1), { code: 'ERR_OUT_OF_RANGE' });
});
