/** Buffers of data streams, and how much of V8's work they cause. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { built } from '../programs.js';
import '../patience.js';

interface Outcome {
  /** Collections of the young generation, and of everything. */
  young: number;
  all: number;
  /** Whether the Buffers in use have kept their content. */
  intact: boolean;
}

/** V8 12 collects the young generation for every 32 MB by itself, whatever that frees. */
const VAIN_MAX = Number.parseInt(process.versions.v8, 10) >= 13 ? 40 : 80;

function stream(mib: number, kept: number, ...options: string[]): Outcome {
  const program = built('test/fixtures/buffer-stream.js');
  const args = [...options, program, String(mib), String(kept)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

t.test('Buffers that are dropped soon are freed without marking the whole heap each time', async t => {
  const { young, all } = stream(2048, 0);
  t.ok(young >= 40, `${young} collections of the young generation`);
  t.ok(all <= young / 4, `${all} of everything`);
});

t.test('Buffers that stay in use for a while do not have the young generation collected in vain', async t => {
  const { young, all, intact } = stream(1024, 64);
  t.ok(intact);
  t.ok(young <= VAIN_MAX, `${young} collections of the young generation, ${all} of everything`);
});

t.test('nor do Buffers that stay in use', async t => {
  const { young, intact } = stream(256, 256);
  t.ok(intact);
  t.ok(young <= 32, `${young} collections for 256 MiB`);
});

t.test('without the statistics of node:v8 Buffers are allocated as well', async t => {
  const without = `import v8 from 'node:v8'; v8.getHeapStatistics = () => { throw new Error('no statistics'); };`;
  t.ok(stream(64, 16, '--import', `data:text/javascript,${encodeURIComponent(without)}`).intact);
});
