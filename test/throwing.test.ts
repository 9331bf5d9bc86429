/** Users' code that throws: told as Node tells it, and everything else goes on. */
import t from 'tap';
import { scratchFolder } from './harness.js';
import { built, output } from './programs.js';
import { MODULE } from './thread-server.js';

const uncaught = (...names: string[]): string[] => names.map(name => `uncaughtException: ${name}`);

const EXPECTED: Record<string, { result: unknown; told: string[] }> = {
  callSoon: { result: 'goes on', told: uncaught('callSoon') },
  prepare: { result: 'rejects: prepare', told: [] },
  pieces: { result: 'rejects: a piece', told: [] },
  data: { result: 'second', told: uncaught('data') },
  timeout: { result: 'first second', told: uncaught('timeout') },
  end: { result: 'first second', told: uncaught('end') },
  finish: { result: 'first second', told: uncaught('finish') },
  close: { result: 'first second', told: uncaught('close') },
  write: { result: 'first second', told: uncaught('write') },
  'http handler': { result: 'goes on', told: uncaught('handler', 'handler', 'handler') },
  'file read': { result: -1, told: uncaught('file data') },
  'file write': { result: -1, told: uncaught('file written') },
  threads: { result: 0, told: uncaught('onStart', 'onCrash', 'onStart') },
};

t.test('what users throw is an uncaught exception, nothing hangs, and descriptors are closed', async t => {
  const args = ['--enable-source-maps', built('test/fixtures/throwing.js'), scratchFolder(), MODULE];
  const results = JSON.parse(await output(process.execPath, args));
  t.same(Object.keys(results), Object.keys(EXPECTED));
  for (const [name, { result, told }] of Object.entries(EXPECTED)) {
    t.same(results[name], { result, told, descriptors: 0 }, name);
  }
});
