/** What befalls a soaked process from outside. What the machine does not allow is left out, with a reason. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { built } from '../programs.js';

const INSIDE = '10.213.7.1';
const OUTSIDE = '10.213.7.2';
const SMALL_SIZE = '4m';
/** Bytes that a soaked process may have, with its files' pages and its sockets' buffers. */
const MEMORY = 600 * 2 ** 20;

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

/** Two network namespaces and a link between them. */
class Link {
  readonly #inside: string;
  readonly #outside: string;

  constructor(name: string) {
    this.#inside = `${name}-in`;
    this.#outside = `${name}-out`;
    const [inside, outside] = [this.#inside, this.#outside];
    for (const namespace of [inside, outside]) run('ip', 'netns', 'add', namespace);
    try {
      const ends = ['link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', outside];
      run('ip', '-n', inside, ...ends);
      for (const [namespace, end, address] of [
        [inside, 'near', INSIDE],
        [outside, 'far', OUTSIDE],
      ] as const) {
        run('ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', end);
        run('ip', '-n', namespace, 'link', 'set', end, 'up');
        run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  within(outside: boolean): string[] {
    return ['ip', 'netns', 'exec', outside ? this.#outside : this.#inside];
  }

  set(up: boolean): void {
    run('ip', '-n', this.#inside, 'link', 'set', 'near', up ? 'up' : 'down');
  }

  remove(): void {
    for (const namespace of [this.#inside, this.#outside]) run('ip', 'netns', 'del', namespace);
  }
}

/** A control group with a limit of memory, of either version. cgroups(7) */
class Group {
  readonly #path: string;

  constructor(name: string) {
    const first = '/sys/fs/cgroup/memory';
    const isFirst = existsSync(first);
    this.#path = join(isFirst ? first : '/sys/fs/cgroup', name);
    mkdirSync(this.#path);
    try {
      writeFileSync(join(this.#path, isFirst ? 'memory.limit_in_bytes' : 'memory.max'), String(MEMORY));
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  add(pid: number): void {
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid));
  }

  remove(): void {
    try {
      rmdirSync(this.#path);
    } catch (error) {
      // A process that was killed a moment ago is in it still.
      if ((error as { code: string }).code !== 'EBUSY') throw error;
    }
  }
}

/**
 * How many descriptors a process has, but for modules: Node leaves those that it is reading when a worker is terminated
 * during its imports.
 */
export function descriptorsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter(fd => {
    try {
      return !/\.[cm]?js$/.test(readlinkSync(join(folder, fd)));
    } catch {
      return false;
    }
  }).length;
}

/** The weather of one soaked process. */
export class Weather {
  /** What is left out, and why. */
  readonly missing: string[] = [];
  /** How often each thing has happened. */
  readonly counts: Record<string, number> = {};
  readonly #link: Link | undefined;
  readonly #group: Group | undefined;
  readonly #small: string | undefined;
  readonly #random: () => number;
  readonly #ended = new AbortController();
  #outsider: ChildProcess | undefined;
  #pid = 0;
  #port = 0;
  /** Why an outsider has ended by itself. */
  failure: string | undefined;

  constructor(name: string, folder: string, random: () => number) {
    this.#random = random;
    this.#link = this.#try('no link goes down', () => new Link(name));
    this.#group = this.#try('no limit of memory', () => new Group(name));
    const small = join(folder, 'small');
    this.#small = this.#try('no file system gets full', () => {
      mkdirSync(small);
      run('mount', '-t', 'tmpfs', '-o', `size=${SMALL_SIZE}`, 'none', small);
      return small;
    });
  }

  #try<T>(without: string, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      this.missing.push(`${without}: ${(error as Error).message.trim().split('\n').at(-1)}`);
      return undefined;
    }
  }

  /** What the soaked process is started with. */
  get prefix(): string[] {
    return this.#link?.within(false) ?? [];
  }

  get small(): string[] {
    return this.#small === undefined ? [] : [this.#small];
  }

  confine(pid: number): void {
    this.#group?.add(pid);
    this.#pid = pid;
  }

  /** Until `end`. */
  async begin(port: number): Promise<void> {
    this.#port = port;
    this.#startOutsider();
    const kinds = [() => this.#stop(), () => this.#kill(), () => this.#denyDescriptors(), () => this.#cut()];
    try {
      while (await this.#rest(500 + this.#random() * 3000)) {
        await kinds[Math.floor(this.#random() * kinds.length)]!();
      }
    } catch (error) {
      // Of a process that has ended nothing can be changed; that it has is a failure by itself.
      if (existsSync(`/proc/${this.#pid}/limits`)) throw error;
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Whether it goes on. */
  async #rest(ms: number): Promise<boolean> {
    await sleep(ms, undefined, { signal: this.#ended.signal }).catch(() => {});
    return !this.#ended.signal.aborted;
  }

  #startOutsider(): void {
    const host = this.#link === undefined ? '127.0.0.1' : INSIDE;
    const seed = String(Math.floor(this.#random() * 2 ** 32));
    const node = [process.execPath, built('test/soak/outsider.js'), host, String(this.#port), seed];
    const [program, ...args] = [...(this.#link?.within(true) ?? []), ...node];
    const outsider = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    outsider.once('exit', code => {
      if (code !== null && code !== 0) this.failure = `an outsider ended with ${code}`;
    });
    this.#outsider = outsider;
  }

  /** A peer that stands still, and what is under way to it with it. */
  async #stop(): Promise<void> {
    this.#count('stopped peers');
    this.#outsider!.kill('SIGSTOP');
    await this.#rest(100 + this.#random() * 2000);
    this.#outsider!.kill('SIGCONT');
  }

  async #kill(): Promise<void> {
    this.#count('killed peers');
    const exited = once(this.#outsider!, 'exit');
    this.#outsider!.kill('SIGKILL');
    await exited;
    if (!this.#ended.signal.aborted) this.#startOutsider();
  }

  /** EMFILE: none but a few more. */
  async #denyDescriptors(): Promise<void> {
    const limits = readFileSync(`/proc/${this.#pid}/limits`, 'latin1');
    const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits)!;
    const some = descriptorsOf(this.#pid) + Math.floor(this.#random() * 20);
    try {
      run('prlimit', '--pid', String(this.#pid), `--nofile=${some}:${hard}`);
    } catch (error) {
      this.missing.push(`no lack of descriptors: ${(error as Error).message.trim()}`);
      return;
    }
    this.#count('lacks of descriptors');
    await this.#rest(50 + this.#random() * 500);
    run('prlimit', '--pid', String(this.#pid), `--nofile=${soft}:${hard}`);
  }

  async #cut(): Promise<void> {
    if (this.#link === undefined) return;
    this.#count('cuts of the link');
    this.#link.set(false);
    await this.#rest(100 + this.#random() * 2000);
    this.#link.set(true);
  }

  /** No more of it. */
  async end(): Promise<void> {
    this.#ended.abort();
    const outsider = this.#outsider;
    if (outsider === undefined || outsider.exitCode !== null || outsider.signalCode !== null) return;
    const exited = once(outsider, 'exit');
    outsider.kill('SIGCONT');
    // One that was killed a moment ago has no channel any more.
    if (outsider.connected) outsider.disconnect();
    await exited;
  }

  /** Once the soaked process is gone. */
  remove(): void {
    this.#outsider?.kill('SIGKILL');
    if (this.#small !== undefined) run('umount', this.#small);
    this.#link?.remove();
    this.#group?.remove();
  }
}
