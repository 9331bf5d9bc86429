/** Arguments of all kinds, most of them wrong, for calls that are made at random. */

export type Random = () => number;

/** What functions and objects of ours throw: it may come out anywhere, as it is. */
export class Thrown extends Error {
  readonly code = 'THROWN';
}

/** Names below the current directory: nothing else may be named. */
const NAMES = ['a', 'b', 'c', 'd/a', 'd/b', 'd', 'e/f', 'link', 'socket-1', 'socket-2', 'none/none'];
const TEXTS = [
  ...NAMES,
  '',
  'utf8',
  'hex',
  'buffer',
  'r+',
  'w',
  'a+',
  'wx',
  'x\0y',
  '\ud800',
  'é'.repeat(400),
];
const ODD = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, -0, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31)];
const KEYS = [
  'signal',
  'timeout',
  'encoding',
  'flag',
  'flags',
  'mode',
  'recursive',
  'withFileTypes',
  'bigint',
  'force',
  'length',
  'offset',
  'position',
  'buffer',
  'max',
  'start',
  'end',
  'data',
  'address',
  'port',
  'host',
  'path',
  'family',
  'backlog',
  'noDelay',
  'highWaterMark',
  'filter',
  'delay',
  'transfer',
];

/** Makes arguments. None of their numbers is of a descriptor, and none is so large that files of it would be a burden. */
export class Arguments {
  readonly #random: Random;
  /** Objects of the package that are in use. */
  readonly #objects: readonly object[];

  constructor(random: Random, objects: readonly object[]) {
    this.#random = random;
    this.#objects = objects;
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  get name(): string {
    return this.pick(NAMES);
  }

  get number(): number {
    return this.#random() < 0.3 ? this.pick(ODD) : 1000 + this.below(2 ** (this.#random() * 20));
  }

  get bytes(): unknown {
    const length = this.below(2 ** (this.#random() * 17));
    switch (this.below(9)) {
      case 0:
        return new Uint8Array(length);
      case 1:
        return new DataView(new ArrayBuffer(length + 8), 3, length);
      case 2:
        return new Float64Array(length >> 3);
      case 3:
        return new ArrayBuffer(length);
      case 4:
        return new SharedArrayBuffer(length);
      case 5:
        return new Uint8Array(new SharedArrayBuffer(length));
      case 6: {
        const detached = new Uint8Array(length);
        structuredClone(detached.buffer, { transfer: [detached.buffer] });
        return detached;
      }
      default:
        return Buffer.alloc(length, 'x');
    }
  }

  get signal(): AbortSignal {
    if (this.below(5) === 0) return AbortSignal.abort();
    const controller = new AbortController();
    const chance = this.below(3);
    if (chance === 0) queueMicrotask(() => controller.abort());
    else if (chance === 1) setImmediate(() => controller.abort(new Thrown('the reason')));
    else setTimeout(() => controller.abort(), this.below(5));
    return controller.signal;
  }

  get options(): object {
    const options: Record<string, unknown> = {};
    for (let count = this.below(4); count > 0; count--) {
      const key = this.pick(KEYS);
      if (this.below(3) === 0) options[key] = this.any(1);
      else if (key === 'signal') options[key] = this.signal;
      else if (key === 'timeout' || key === 'delay') options[key] = this.below(20);
      else if (key === 'path') options[key] = this.name;
      else if (key === 'host' || key === 'address') options[key] = '127.0.0.1';
      else if (key === 'encoding') options[key] = this.pick(['utf8', 'hex', 'latin1', 'buffer']);
      else if (/flag/.test(key)) options[key] = this.pick(['r', 'w', 'a', 'r+', 'wx']);
      else options[key] = this.pick([true, false, this.number, this.below(100)]);
    }
    return options;
  }

  /** Something. @param depth how deep it is in something else. */
  any(depth = 0): unknown {
    switch (this.below(depth < 2 ? 17 : 12)) {
      case 0:
        return undefined;
      case 1:
        return null;
      case 2:
        return this.below(2) === 0;
      case 3:
      case 4:
        return this.number;
      case 5:
      case 6:
        return this.pick(TEXTS);
      case 7:
      case 8:
        return this.bytes;
      case 9:
        return this.pick([Symbol('odd'), 5n, 2n ** 64n, new Date(0), /x/, new Map()]);
      case 10:
        return this.pick([() => true, (error: unknown) => error, throwing]);
      case 11:
        return this.pick(this.#objects);
      case 12:
        return Array.from({ length: this.below(5) }, () =>
          this.below(2) === 0 ? this.bytes : this.any(depth + 1),
        );
      case 13:
        return Object.create(THROWS);
      default:
        return this.options;
    }
  }

  /** From none to five of them. */
  list(): unknown[] {
    return Array.from({ length: this.below(5) }, () => this.any());
  }
}

function throwing(): never {
  throw new Thrown('a callback throws');
}

/** Every property of it throws. */
const THROWS = new Proxy(
  {},
  {
    get(): never {
      throw new Thrown('a property throws');
    },
  },
);
