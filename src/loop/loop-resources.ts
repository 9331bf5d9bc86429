import { type OpName, opcodeOf } from '../ring/abi/op-names.js';
import type { Sqe } from '../ring/sqe/index.js';
import type { DirectCalls } from '../soft/faults/faulty-direct-calls.js';
import type { FileCalls } from '../sys/calls/file-calls.js';
import type { NameCalls } from '../sys/calls/name-calls.js';
import type { SocketCalls } from '../sys/calls/socket-calls.js';
import type { Scratch } from '../sys/memory/scratch.js';
import type { Backend, Queues } from './backend/backend.js';
import type { BackendKind } from './backend/choose-backend.js';
import type { ProvidedBuffers, ProvidedBuffersOptions } from './memory/provided-buffers.js';

/** Buffer group ids are allocated from here downwards. */
const GROUP_LAST = 0xffff;
/** How many of them belong to the runtime. */
const GROUPS = 2;

/** What a loop uses of its backend, and the plain calls of its thread. */
export abstract class LoopResources {
  /** @internal */
  protected readonly executor: Backend;
  /** @internal */
  protected readonly queues: Queues;
  /** The opcodes that its backend supports, by OP_ value. */
  readonly ops: ReadonlySet<number>;
  readonly #direct: DirectCalls;
  #calls: FileCalls | null = null;
  #nameCalls: NameCalls | null = null;
  #socketCalls: SocketCalls | null = null;
  /** The next buffer group id. */
  #group = GROUP_LAST;

  /** @internal */
  constructor(direct: DirectCalls, backend: Backend) {
    this.#direct = direct;
    this.executor = backend;
    this.queues = backend.queues;
    this.ops = backend.ops;
  }

  /** @internal Starts an entry whose completion is only counted. */
  abstract startUnowned(): Sqe;

  /** @internal The plain calls on files, created on first use. */
  get calls(): FileCalls {
    this.#calls ??= this.#direct.files();
    return this.#calls;
  }

  /** @internal The plain calls that change names, created on first use. */
  get nameCalls(): NameCalls {
    this.#nameCalls ??= this.#direct.names();
    return this.#nameCalls;
  }

  /** @internal The plain calls on sockets, created on first use. */
  get socketCalls(): SocketCalls {
    this.#socketCalls ??= this.#direct.sockets();
    return this.#socketCalls;
  }

  /** What executes its operations. */
  get backend(): BackendKind {
    return this.executor.kind;
  }

  /** @internal Whether the backend supports an operation. */
  supports(name: OpName): boolean {
    return this.ops.has(opcodeOf(name));
  }

  /** @internal Whether `count` entries fit into one submission. */
  canChain(count: number): boolean {
    return this.queues.sqEntries >= count;
  }

  /** @internal Submits the queued entries now, not at the end of the burst. */
  flush(): void {
    this.queues.submitAndGetEvents();
  }

  /** @internal As `flush`; one of the entries closes a descriptor that this worker would close at its end. */
  flushClosing(fd: number): void {
    this.queues.submitClosing(fd);
  }

  /** @internal Whether SEND accepts an address. */
  get sendsToAddress(): boolean {
    return this.executor.sendsToAddress;
  }

  /** @internal Whether `installFile` is available. */
  get installsFiles(): boolean {
    return this.executor.installsFiles;
  }

  /** @internal Closes a socket without an entry, or EAGAIN; see Backend. */
  closeSocket(fd: number): number {
    return this.executor.closeSocket(fd);
  }

  /** @internal Creates a table of `count` empty slots for registered files. */
  registerFiles(count: number): void {
    this.executor.registerFiles(count);
  }

  /** @internal At most `count` operations on files may block at once without delaying others. */
  allowWaiters(count: number): void {
    this.executor.allowWaiters(count);
  }

  /** @internal Buffers that receives pick from; undefined if the backend does not support these options. */
  provideBuffers(options: ProvidedBuffersOptions): ProvidedBuffers | undefined {
    const buffers = this.executor.provideBuffers(this.#group, options, () => this.startUnowned());
    if (buffers !== undefined) this.#group--;
    return buffers;
  }

  /** @internal Whether a group id is one that `provideBuffers` uses. */
  ownsGroup(group: number): boolean {
    return group > GROUP_LAST - GROUPS;
  }

  /** @internal Memory for the arguments of an entry that is prepared outside the queue, until `releaseScratch`. */
  holdScratch(): Scratch {
    const { scratch } = this.queues;
    scratch.holds++;
    return scratch;
  }

  /** @internal */
  releaseScratch(): void {
    this.queues.scratch.holds--;
  }

  /** @internal The kernel may write to these as long as the loop exists. */
  keepForever(buffers: readonly ArrayBufferView[]): void {
    this.queues.keepForever(buffers);
  }

  /** @internal The descriptor by which other threads' loops `notify` this one, or -1 if they cannot. */
  get mailbox(): number {
    return this.supports('msg_ring') ? this.queues.fd : -1;
  }

  /** The size of its submission queue: smaller than requested if the user may not lock enough memory. */
  get entries(): number {
    return this.queues.sqEntries;
  }

  /** The size of its completion queue, likewise. */
  get cqEntries(): number {
    return this.queues.cqEntries;
  }

  /** @internal A call after this gets memory of its own, instead of memory that is gone. */
  protected unmapCalls(): void {
    this.#calls?.unmap();
    this.#nameCalls?.unmap();
    this.#socketCalls?.unmap();
    this.#calls = null;
    this.#nameCalls = null;
    this.#socketCalls = null;
  }
}
