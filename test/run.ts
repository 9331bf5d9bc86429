/**
 * `npm test [-- [--node 26] [--backend epoll|io_uring] [name ...]]`: runs the test files, or those with such a part in
 * their names. Prints the failures, why tests were skipped, and last the number of assertions.
 */
import { parseArgs } from 'node:util';
import { nodeOfVersion, THIS_NODE } from '../benchmark/node-versions.js';
import { endWithTests, type Failure, runFiles, testFiles } from './suite.js';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string' }, backend: { type: 'string' } },
});
const { backend } = options;
if (backend !== undefined && backend !== 'epoll' && backend !== 'io_uring') {
  throw new RangeError(`--backend ${backend}: epoll or io_uring`);
}
const files = testFiles(names, backend);
const clear = process.stdout.isTTY ? '\r\x1b[K' : '';

function onFile(ended: number, failure: Failure | undefined): void {
  if (failure !== undefined) console.log(`${clear}\n${failure.told}`);
  if (clear !== '') process.stdout.write(`${clear}${ended} of ${files.length} test files`);
}

endWithTests();
const node = options.node === undefined ? THIS_NODE : nodeOfVersion(options.node);
const { passed, failed, skipped, failures, reasons } = await runFiles(node, files, onFile);
if (clear !== '') process.stdout.write(clear);
for (const [reason, count] of reasons) console.log(`skipped, ${count}: ${reason}`);
for (const { name } of failures) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0;
