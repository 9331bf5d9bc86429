/**
 * `npm run test:repeat -- [--runs 20] [--at-once 2] [--nodes 20,26] [name ...]`: runs the whole suite, or the
 * test files with such a part in their names, again and again, several at once beside a busy loop, each time
 * with other random numbers: to find the tests that fail by chance.
 */
import { parseArgs } from 'node:util';
import { nodeOfVersion, THIS_NODE } from '../benchmark/node-versions.js';
import { endWithTests, runFiles, start, testFiles } from './suite.js';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '2' },
    nodes: { type: 'string' },
  },
});
process.env.UASYNC_SEED ??= 'random';
const files = testFiles(names);
const nodes = options.nodes?.split(',').map(nodeOfVersion) ?? [THIS_NODE];
const failures: string[] = [];

/** One run of all the files, in an order of its own. */
async function runSuite(run: number): Promise<void> {
  const node = nodes[run % nodes.length]!;
  const begin = performance.now();
  const inDisorder = files
    .map(name => ({ name, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ name }) => name);
  const { failures: failed } = await runFiles(node, inDisorder, (_, failure) => {
    if (failure !== undefined) console.log(`\nrun ${run} on ${node.program}\n${failure.told}`);
  });
  failures.push(...failed.map(({ name }) => `run ${run}, ${name}`));
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(
    `run ${run} on ${node.program}: ${failed.length} of ${files.length} files failed, ${seconds} s`,
  );
}

endWithTests();
const busy = start(process.execPath, ['-e', 'for (;;);']);
const runs = Number(options.runs) * nodes.length;
let begun = 0;
await Promise.all(
  Array.from({ length: Number(options['at-once']) }, async () => {
    while (begun < runs) await runSuite(begun++);
  }),
);
busy.kill('SIGKILL');

for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${runs * files.length - failures.length} passed, ${failures.length} failed, 0 skipped`);
process.exitCode = failures.length > 0 ? 1 : 0;
