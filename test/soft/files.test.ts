/**
 * Operations on files: the software ring completes them as the kernel's does. The same random chains of entries run on
 * both, each in a folder of its own; results, flags, bytes and what is in the folders must be the same.
 */
import { closeSync, constants, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Queues } from '../../src/loop/backend/backend.js';
import { RingBackend } from '../../src/loop/backend/ring-backend.js';
import type { Sqe } from '../../src/ring/sqe/index.js';
import { SoftBackend } from '../../src/soft/soft-backend.js';
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from '../../src/sys/abi/flags.js';
import { STATX } from '../../src/sys/abi/structs.js';
import { openFds, scratchFolder, seededRandom } from '../harness.js';

const {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} = constants;
const CHAINS = 1500;
const NAMES = [
  'a',
  'b',
  'c',
  'folder',
  'folder/a',
  'folder/b',
  'link',
  'a/below',
  'none/below',
  'x'.repeat(300),
];
const OPENED = 100;
/** Flags of a completion that are compared: all of them. */
type Completion = [res: number, flags: number];

/** A ring, the folder that it works in, and what it has open. */
class Machine {
  readonly queues: Queues;
  readonly folder: string;
  readonly fds: number[] = [];

  constructor(queues: Queues, folder: string) {
    this.queues = queues;
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs linked entries; their completions in the order of the entries, none where none came. */
  async run(prepared: ((sqe: Sqe) => void)[], expected: number): Promise<(Completion | undefined)[]> {
    const found: (Completion | undefined)[] = prepared.map(() => undefined);
    const [{ queues }, sink] = [
      this,
      {
        onCqe: (low: number, high: number, res: number, flags: number): void => {
          if (high !== 7 || found[low] !== undefined) throw new Error(`unexpected completion of ${low}`);
          found[low] = [res, flags];
          expected--;
        },
      },
    ];
    for (const [i, prepare] of prepared.entries()) {
      const sqe = queues.getSqe()!;
      prepare(sqe);
      sqe.userDataWords(i, 7);
    }
    while (expected > 0 || queues.sqReady !== 0) {
      queues.submitAndGetEvents();
      queues.reapQueue(sink);
      await new Promise(resolve => setImmediate(resolve));
    }
    return found;
  }
}

/** An operation as it is made for one machine, and what it has left in memory. */
interface Step {
  prepare(sqe: Sqe): void;
  bytes?: () => unknown;
  opens?: boolean;
  closes?: number;
  /** Whether its failure ends a chain. Of others the kernel overlooks it, against its documentation (Linux 6.18). */
  breaks?: boolean;
}
type Operation = (machine: Machine) => Step;

/** Of a struct statx, what does not depend on when and where. */
function attributes(statx: Buffer): unknown {
  const mode = statx.readUInt16LE(STATX.stx_mode);
  const isFolder = (mode & constants.S_IFMT) === constants.S_IFDIR;
  return [mode, statx.readUInt32LE(STATX.stx_nlink), isFolder ? 0 : statx.readBigUInt64LE(STATX.stx_size)];
}

function operations(random: () => number): (isLast: boolean) => Operation {
  const below = (count: number): number => Math.floor(random() * count);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const offset = (): number => (random() < 0.3 ? -1 : below(10_000));
  const open = (): Operation => {
    const [name, mode] = [pick(NAMES), pick([0o600, 0o644])];
    let flags = pick([O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL]);
    for (const more of [O_APPEND, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK])
      if (random() < 0.1) flags |= more;
    const waits = random() < 0.5;
    return machine => ({
      prepare: sqe => {
        sqe.open(machine.path(name), flags, mode);
        if (waits) sqe.async();
      },
      breaks: true,
      opens: true,
    });
  };
  const onFile = (make: (sqe: Sqe, fd: number) => void): Operation => {
    const which = random();
    return ({ fds }) => {
      const fd = which < 0.05 ? 10_000 : (fds[Math.floor(which * fds.length)] ?? 10_001);
      return { prepare: sqe => make(sqe, fd) };
    };
  };
  const read = (): Operation => {
    const [which, length, at] = [random(), pick([0, 1, 100, 5000, 70_000]), offset()];
    return ({ fds }) => {
      const bytes = Buffer.alloc(length);
      return {
        breaks: true,
        prepare: sqe => sqe.read(fds[Math.floor(which * fds.length)] ?? 10_000, bytes, at),
        bytes: () => bytes.toString('latin1'),
      };
    };
  };
  const statx = (): Operation => {
    const [name, which] = [pick(NAMES), random()];
    const flags = pick([0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH]);
    return machine => {
      const bytes = Buffer.alloc(STATX.size);
      const fd = machine.fds[Math.floor(which * machine.fds.length)] ?? 10_000;
      return {
        prepare: sqe =>
          flags === AT_EMPTY_PATH
            ? sqe.statx(fd, '', flags, 0x7ff, bytes)
            : sqe.statx(AT_FDCWD, machine.path(name), flags, 0x7ff, bytes),
        bytes: () => attributes(bytes),
      };
    };
  };
  const paths = (make: (sqe: Sqe, one: string, other: string) => void): Operation => {
    const [one, other] = [pick(NAMES), pick(NAMES)];
    return machine => ({ prepare: sqe => make(sqe, machine.path(one), machine.path(other)) });
  };
  const getxattr = (): Operation => {
    const [name, size] = [pick(NAMES), pick([0, 2, 64])];
    return machine => {
      const bytes = Buffer.alloc(size);
      return {
        prepare: sqe => sqe.getxattr(machine.path(name), 'user.test', bytes),
        bytes: () => bytes.toString('latin1'),
      };
    };
  };
  const close = (): Operation => {
    const which = random();
    const slowly = random() < 0.3;
    return ({ fds }) => {
      const index = Math.floor(which * fds.length);
      return {
        prepare: sqe => {
          sqe.close(fds[index] ?? 10_000);
          if (slowly) sqe.async();
        },
        breaks: true,
        closes: index,
      };
    };
  };
  const data = (): Buffer => Buffer.alloc(pick([0, 1, 100, 5000, 70_000]), below(256));
  const kinds: [weight: number, make: () => Operation][] = [
    [10, open],
    [8, close],
    [8, read],
    [8, () => ((bytes, at) => onFile((sqe, fd) => sqe.write(fd, bytes, at)))(data(), offset())],
    [5, statx],
    [2, () => (flags => onFile((sqe, fd) => sqe.fsync(fd, flags)))(pick([0, 1, 2]))],
    [3, () => (length => onFile((sqe, fd) => sqe.ftruncate(fd, length)))(below(20_000))],
    [
      2,
      () =>
        ((mode, at) => onFile((sqe, fd) => sqe.fallocate(fd, mode, at, 1000)))(pick([0, 1, 99]), below(9000)),
    ],
    [
      2,
      () => (advice => onFile((sqe, fd) => sqe.fadvise(fd, 0, 4096, advice)))(pick([0, 1, 2, 3, 4, 5, 77])),
    ],
    [3, () => paths((sqe, one, other) => sqe.rename(one, other))],
    [2, () => paths((sqe, one, other) => sqe.renameat(AT_FDCWD, one, AT_FDCWD, other, 1))],
    [3, () => paths((sqe, one, other) => sqe.linkPath(one, other))],
    [3, () => (text => paths((sqe, one) => sqe.symlink(text, one)))(pick(['a', 'folder', 'nothing']))],
    [4, () => paths((sqe, one) => sqe.unlink(one))],
    [2, () => paths((sqe, one) => sqe.unlink(one, AT_REMOVEDIR))],
    [1, () => paths((sqe, one) => sqe.unlink(one, 1))],
    [3, () => paths((sqe, one) => sqe.mkdir(one, 0o755))],
    [
      2,
      () =>
        ((value, flags) => paths((sqe, one) => sqe.setxattr(one, 'user.test', value, flags)))(
          pick(['', 'value']),
          pick([0, 1, 2]),
        ),
    ],
    [2, getxattr],
    [1, () => onFile((sqe, fd) => sqe.fsetxattr(fd, 'user.test', 'of a file'))],
    [1, () => (bytes => onFile((sqe, fd) => sqe.fgetxattr(fd, 'user.test', bytes)))(Buffer.alloc(64))],
  ];
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  return isLast => {
    let at = random() * total;
    for (const [weight, make] of kinds) {
      // What comes behind it in a chain, the number may mean another file for, on one side only.
      if (make === close && !isLast) continue;
      at -= weight;
      if (at < 0) return make();
    }
    return open();
  };
}

/** All that is in a folder. */
function listed(folder: string): unknown[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map(name => {
      const path = join(folder, name);
      const { mode, nlink, size } = lstatSync(path);
      if ((mode & constants.S_IFMT) === constants.S_IFLNK) return [name, readlinkSync(path)];
      if ((mode & constants.S_IFMT) === constants.S_IFDIR) return [name, mode];
      return [name, mode, nlink, size, readFileSync(path, 'latin1')];
    });
}

async function agree(t: Test, machines: Machine[], random: () => number): Promise<void> {
  const next = operations(random);
  for (let i = 0; i < CHAINS; i++) {
    const length = random() < 0.6 ? 1 : 2 + Math.floor(random() * 3);
    const chain = Array.from({ length }, (_, at) => next(at === length - 1));
    const links = chain.map((_, at) => (at === chain.length - 1 ? 0 : random() < 0.3 ? 2 : 1));
    const results: unknown[] = [];
    for (const machine of machines) {
      const steps = chain.map(operation => operation(machine));
      const prepared = steps.map(({ prepare, breaks }, at) => (sqe: Sqe): void => {
        prepare(sqe);
        if (links[at] === 1 && breaks) sqe.link();
        else if (links[at] !== 0) sqe.hardlink();
      });
      const found = await machine.run(prepared, steps.length);
      results.push(
        found.map((completion, at) => {
          const [res, flags] = completion!;
          const { opens, bytes } = steps[at]!;
          if (!opens || res < 0) return [res, flags, bytes?.()];
          machine.fds.push(res);
          return ['opened', flags];
        }),
      );
      const closed = steps.map(({ closes }, at) => (found[at]![0] === 0 ? closes : undefined));
      for (const index of new Set(closed)) if (index !== undefined) machine.fds[index] = -1;
      machine.fds.splice(0, machine.fds.length, ...machine.fds.filter(fd => fd >= 0));
    }
    t.strictSame(results[1], results[0], `chain ${i}`);
    if (machines[0]!.fds.length > OPENED)
      for (const { fds } of machines) for (const fd of fds.splice(0)) closeSync(fd);
  }
}

const [ring, soft] = [new RingBackend(64, 256), new SoftBackend(64, 256)];
const skip =
  [...soft.ops].some(op => !ring.ops.has(op)) && 'this kernel’s ring lacks some of these operations';

t.test('random chains', { skip }, async t => {
  const random = seededRandom(t);
  const before = openFds();
  const machines = [ring, soft].map(({ queues }) => new Machine(queues, scratchFolder()));
  for (const machine of machines) mkdirSync(machine.path('folder'));
  // One result is enough where all are the same.
  const quiet = {
    strictSame: (found: unknown, wanted: unknown, name: string) =>
      JSON.stringify(found, big) === JSON.stringify(wanted, big) || t.strictSame(found, wanted, name),
  };
  await agree(quiet as unknown as Test, machines, random);
  const [one, other] = machines.map(({ folder }) => listed(folder));
  t.strictSame(other, one);
  for (const { fds } of machines) for (const fd of fds) closeSync(fd);
  t.equal(openFds(), before);
  ring.close();
  soft.close();
});

function big(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
