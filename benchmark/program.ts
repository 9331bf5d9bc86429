/** Contenders that are started again for each operation. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sourceFile } from './compile.js';
import { onCore, SERVER_CORE } from './processes.js';
import type { Contender, LatencyCount, Running, Sample } from './scenario.js';

/** The last output of such a program. */
interface Usage {
  /** CPU microseconds; `system` is the kernel's part of them. */
  cpu: number;
  system: number;
  /** Bytes. */
  resident: number;
}

const PRINT_USAGE = `
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ cpu: user + system, system, resident: process.memoryUsage.rss() }));`;

/** A program for Node, an ES module that imports this package like a user's program, with more in its environment. */
export function program(name: string, source: string, more: Record<string, string> = {}): Contender {
  return {
    name,
    async start(): Promise<Running> {
      const command = [process.execPath, '--input-type=module', '-e', source + PRINT_USAGE];
      const [file, ...args] = onCore(SERVER_CORE, command);
      const env = { ...process.env, ...more };
      async function round(seconds: number): Promise<Sample> {
        const latencies: LatencyCount[] = [];
        const total = { ops: 0, cpu: 0, system: 0, resident: 0 };
        const begin = performance.now();
        const end = begin + seconds * 1000;
        let now = begin;
        do {
          const { stdout } = await promisify(execFile)(file!, args, { cwd: sourceFile('.'), env });
          const { cpu, system, resident } = JSON.parse(stdout) as Usage;
          total.ops++;
          total.cpu += cpu;
          total.system += system;
          total.resident = Math.max(total.resident, resident);
          latencies.push([Math.round((performance.now() - now) * 1e6), 1]);
          now = performance.now();
        } while (now < end);
        return { ...total, seconds: (now - begin) / 1000, latencies };
      }
      return { round, stop: async () => {} };
    },
  };
}
