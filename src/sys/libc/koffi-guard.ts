/**
 * Keeps koffi from aborting the process while a worker is stopping.
 *
 * Once `worker.terminate()` has been called, Node refuses most Node-API calls of the worker's addons: all that create
 * or change an object, and napi_throw too. node-addon-api, which koffi is built with, throws when a call fails, and
 * treats a throw that fails as fatal: the process aborts. No `catch` helps. (It has a switch for this,
 * NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS, but only at compile time.)
 *
 * One virtual function of the addon's napi_env refuses: `can_call_into_js`. It guards calls that may run JavaScript,
 * but Node also asks it before calls that never do, and koffi makes only those. So koffi's napi_env gets a virtual
 * function table in which it always returns true; V8 itself still stops the worker at the next JavaScript function. The
 * environment is created while koffi loads, and must be protected by then. Therefore two of koffi's imports are
 * redirected: napi_create_function, the first one that it calls, replaces the table, and napi_run_script avoids running
 * a script. See koffi-guard-code.ts.
 *
 * This happens once per process, in the thread that loads koffi first, and is permanent: koffi is not unloaded any
 * more. Only koffi is changed, not Node, and not other addons. Where anything is unexpected (an unknown architecture, a
 * koffi without lazy binding, no executable memory), nothing is changed.
 */
import { CODE_AT, codeFor, STRINGS, VTABLE_AT, WORDS } from './koffi-guard-code.js';

type Koffi = typeof import('koffi');
type Lib = ReturnType<Koffi['load']>;

/** The redirected imports. */
const IMPORTS = ['napi_create_function', 'napi_run_script'] as const;
const VTABLE = '_ZTV15node_napi_env__';
const CAN_CALL_INTO_JS = '_ZNK15node_napi_env__16can_call_into_jsEv';
/** Words of a vtable before its first function, which objects point to: the offset to the top, and type_info. */
const VTABLE_HEADER = 2;
/** More than the table has. The words after it are copied too, but not used. */
const VTABLE_WORDS = 24;

const RTLD_LAZY = 1;
const RTLD_NOLOAD = 4;
const RTLD_NODELETE = 0x1000;
const RTLD_DI_LINKMAP = 2;
const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_NORESERVE = 0x4000;
const PAGE = 4096;
/** Unused pages take no memory. */
const SHARED_BYTES = 2 ** 20;

/** Words of struct link_map, <link.h>. */
const LINK_MAP = { base: 0, name: 1, dynamic: 2, next: 3, words: 4 } as const;
/** Tags of a dynamic section, elf(5). */
const DT = { null: 0, pltrelsz: 2, strtab: 5, symtab: 6, strsz: 10, jmprel: 23 } as const;
const RELA_WORDS = 3;
const SYMBOL_BYTES = 24;
/** More than koffi's code and data take. An import that was never called points into that range. */
const IMAGE_MAX = 2 ** 26;

/** Native memory. */
class Memory {
  readonly #koffi: Koffi;
  readonly #strlen: (address: number) => number;

  constructor(koffi: Koffi, lib: Lib) {
    this.#koffi = koffi;
    this.#strlen = lib.func('strlen', 'size_t', ['intptr_t']);
  }

  bytes(address: number, length: number): Buffer {
    return length === 0 ? Buffer.alloc(0) : Buffer.from(this.#koffi.view(BigInt(address), length));
  }

  words(address: number, count: number): BigUint64Array {
    return new BigUint64Array(this.#koffi.view(BigInt(address), count * 8));
  }

  string(address: number): string {
    return this.bytes(address, this.#strlen(address)).toString();
  }
}

/** A loaded shared library; addresses. */
interface Image {
  base: number;
  name: number;
  dynamic: number;
}

/** All copies of koffi in the dynamic linker's list. dlinfo(3) */
function findKoffi(lib: Lib, memory: Memory): Image[] {
  const first = new BigUint64Array(1);
  const self = lib.func('dlopen', 'intptr_t', ['intptr_t', 'int'])(0, RTLD_LAZY);
  if (lib.func('dlinfo', 'int', ['intptr_t', 'int', 'void *'])(self, RTLD_DI_LINKMAP, first) !== 0) return [];
  const found: Image[] = [];
  for (let at = Number(first[0]); at !== 0; ) {
    const map = memory.words(at, LINK_MAP.words);
    const name = Number(map[LINK_MAP.name]);
    if (memory.string(name).endsWith('koffi.node')) {
      found.push({ base: Number(map[LINK_MAP.base]), name, dynamic: Number(map[LINK_MAP.dynamic]) });
    }
    at = Number(map[LINK_MAP.next]);
  }
  return found;
}

/** The places where an image keeps the addresses of these imported functions. elf(5) */
function findSlots(memory: Memory, { base, dynamic }: Image, names: readonly string[]): BigUint64Array[] {
  const tags = new Map<number, number>();
  for (let at = dynamic; ; at += 16) {
    const [tag, value] = memory.words(at, 2);
    if (Number(tag) === DT.null) break;
    tags.set(Number(tag), Number(value));
  }
  // glibc has relocated them to addresses, musl leaves them as offsets.
  const pointer = (tag: number): number => {
    const value = tags.get(tag) ?? 0;
    return value < base ? base + value : value;
  };
  const count = (tags.get(DT.pltrelsz) ?? 0) / (RELA_WORDS * 8);
  if (count === 0) return [];
  const relocations = memory.words(pointer(DT.jmprel), count * RELA_WORDS);
  const symbolOf = (i: number): number => Number(relocations[i * RELA_WORDS + 1]! >> 32n);
  let last = 0;
  for (let i = 0; i < count; i++) last = Math.max(last, symbolOf(i));
  const symbols = memory.bytes(pointer(DT.symtab), (last + 1) * SYMBOL_BYTES);
  const strings = memory.bytes(pointer(DT.strtab), tags.get(DT.strsz) ?? 0);
  const slots: BigUint64Array[] = [];
  for (const name of names) {
    const wanted = Buffer.from(`${name}\0`);
    for (let i = 0; i < count; i++) {
      const start = symbols.readUInt32LE(symbolOf(i) * SYMBOL_BYTES);
      if (!strings.subarray(start, start + wanted.length).equals(wanted)) continue;
      slots.push(memory.words(base + Number(relocations[i * RELA_WORDS]), 1));
      break;
    }
  }
  return slots;
}

/** Creates the page with the code and its data; its address, or 0 if that is impossible. */
function makePage(lib: Lib, memory: Memory): number {
  const code = codeFor(process.arch);
  const vtable = addressOf(lib, VTABLE);
  const canCallIntoJs = BigInt(addressOf(lib, CAN_CALL_INTO_JS));
  if (code === null || vtable === 0 || canCallIntoJs === 0n) return 0;
  const table = memory.words(vtable, VTABLE_WORDS).slice();
  const place = table.indexOf(canCallIntoJs);
  if (place < VTABLE_HEADER) return 0;

  const mmap = lib.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const page = mmap(0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) as number;
  if (page === -1) return 0;
  table[place] = BigInt(page + CODE_AT.alwaysTrue);
  memory.words(page + VTABLE_AT, VTABLE_WORDS).set(table);
  const values: Record<(typeof WORDS)[number], number> = {
    createFunction: addressOf(lib, 'napi_create_function'),
    runScript: addressOf(lib, 'napi_run_script'),
    oldVtable: vtable + VTABLE_HEADER * 8,
    newVtable: page + VTABLE_AT + VTABLE_HEADER * 8,
    getString: addressOf(lib, 'napi_get_value_string_utf8'),
    getGlobal: addressOf(lib, 'napi_get_global'),
    getNamed: addressOf(lib, 'napi_get_named_property'),
    shared: mmap(0, SHARED_BYTES, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE, -1, 0),
  };
  memory.words(page, WORDS.length).set(WORDS.map(name => BigInt(values[name])));
  const bytes = memory.bytes(page, PAGE);
  for (const [at, text] of STRINGS) bytes.write(text, at, 'latin1');
  for (const name of Object.keys(CODE_AT) as (keyof typeof CODE_AT)[]) bytes.set(code[name], CODE_AT[name]);
  return lib.func('mprotect', 'int', ['intptr_t', 'size_t', 'int'])(page, PAGE, PROT_READ_EXEC) === 0
    ? page
    : 0;
}

/** 0 if there is no such function. dlsym(3) */
function addressOf(lib: Lib, name: string): number {
  try {
    return Number(lib.symbol(name));
  } catch {
    return 0;
  }
}

/** Protects koffi, unless it is protected. Returns whether it is protected now. */
export function guardKoffi(koffi: Koffi, lib: Lib): boolean {
  const vtable = addressOf(lib, VTABLE);
  if (vtable === 0) return false;
  const env = new BigUint64Array(koffi.view(koffi.node.env as unknown as bigint, 8));
  // Another thread did it before this one loaded koffi.
  if (Number(env[0]) !== vtable + VTABLE_HEADER * 8) return true;
  const memory = new Memory(koffi, lib);
  const images = findKoffi(lib, memory);
  let guarded = images.length !== 0;
  for (const image of images) guarded = guardImage(lib, memory, image) && guarded;
  return guarded;
}

/** The memory that threads share, found through a guarded environment; null in one that is not guarded. */
export function sharedMemory(koffi: Koffi, lib: Lib): ArrayBuffer | null {
  const words = (address: number | bigint, count: number): BigUint64Array =>
    new BigUint64Array(koffi.view(BigInt(address), count * 8));
  const vtable = Number(words(koffi.node.env as unknown as bigint, 1)[0]);
  if (
    vtable % PAGE !== VTABLE_AT + VTABLE_HEADER * 8 ||
    vtable === addressOf(lib, VTABLE) + VTABLE_HEADER * 8
  ) {
    return null;
  }
  const shared = Number(words(vtable - (vtable % PAGE), WORDS.length)[WORDS.indexOf('shared')]);
  return shared > 0 ? koffi.view(BigInt(shared), SHARED_BYTES) : null;
}

function guardImage(lib: Lib, memory: Memory, image: Image): boolean {
  const slots = findSlots(memory, image, IMPORTS);
  if (slots.length !== IMPORTS.length) return false;
  const redirected = slots.map((slot, i) => {
    const value = Number(slot[0]);
    const unresolved = value > image.base && value < image.base + IMAGE_MAX;
    return !unresolved && value !== addressOf(lib, IMPORTS[i]!);
  });
  // Another thread did it meanwhile.
  if (redirected.every(Boolean)) return true;
  const page = makePage(lib, memory);
  if (page === 0) return false;
  // If it were unloaded and loaded again, it would be unprotected.
  const dlopen = lib.func('dlopen', 'intptr_t', ['intptr_t', 'int']);
  if (dlopen(image.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) === 0) return false;
  Atomics.store(slots[1]!, 0, BigInt(page + CODE_AT.runScript));
  Atomics.store(slots[0]!, 0, BigInt(page + CODE_AT.createFunction));
  return true;
}
