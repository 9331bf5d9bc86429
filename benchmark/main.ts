/**
 * `npm run bench`: measures scenarios of benchmark/scenarios, with uasync and its peers in turns. `npm run bench --
 * --help` lists the options.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { probe } from 'uasync/ring';
import { check } from './check.js';
import { sourceFile } from './compile.js';
import { describeMachine, machineLine } from './machine.js';
import { isThisNode, nodeOfVersion } from './node-versions.js';
import { titleOf } from './peers.js';
import { pinned } from './processes.js';
import { familyOf, RESULTS, type ScenarioResult, storedResults, writeResults } from './results.js';
import { measure } from './rounds.js';
import { DEFAULT_PEERS, matcher, type Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';
import { printTable } from './table.js';

const HELP = `npm run bench -- [options]

  --filter NAMES   only these scenarios, such as 'tcp.*,fs.stat'; without it the quick ones
  --full           every scenario, and more and longer rounds
  --peers NAMES    these peers, such as 'uasync,bun*', or all; without it ${DEFAULT_PEERS}
  --node VERSION   the Node that is measured, as 26, from npm; without it the one that runs this
  --rounds N       rounds that count (3, or 5 with --full)
  --seconds S      the length of a round (0.3, or 0.5 with --full)
  --json FILE      writes what was measured
  --save           writes it to benchmark/results, a file for each family, which has to be whole
  --check          fails if uasync needs 10% more CPU time, beside its peers, than in benchmark/results
  --results FOLDER where the stored results are, if not in benchmark/results
  --report         makes the charts and tables of what is stored in benchmark/results; measures nothing
  --list           prints the scenarios and their peers`;

const { values: options } = parseArgs({
  options: {
    filter: { type: 'string' },
    full: { type: 'boolean', default: false },
    peers: { type: 'string', default: DEFAULT_PEERS },
    node: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
    save: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    results: { type: 'string', default: sourceFile(RESULTS) },
    report: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function positive(name: 'rounds' | 'seconds', otherwise: number): number {
  const value = Number(options[name] ?? otherwise);
  if (value > 0 && value < 3600 && (name === 'seconds' || Number.isInteger(value))) return value;
  throw new RangeError(`--${name} ${options[name]}: a positive number is needed`);
}

function chosen(): Scenario[] {
  const wanted = options.filter === undefined ? () => true : matcher(options.filter);
  const among = options.peers === 'all' ? () => true : matcher(options.peers);
  const everything = options.full || options.filter !== undefined;
  return SCENARIOS.filter(({ name, quick }) => wanted(name) && (everything || quick === true))
    .map(scenario => ({ ...scenario, contenders: scenario.contenders.filter(({ name }) => among(name)) }))
    .filter(({ contenders }) => contenders.length !== 0);
}

const rounds = positive('rounds', options.full ? 5 : 3);
const seconds = positive('seconds', options.full ? 0.5 : 0.3);

/** CPU seconds before the counted rounds, such that the quick run takes less than three minutes. */
const QUICK_WARM_UP = 0.6;

/** Measures a scenario, with a progress bar on a terminal. */
async function run(scenario: Scenario, position: string): Promise<ScenarioResult> {
  const bar = new SingleBar({
    format: `{bar} ${position} ${scenario.name}`,
    stopOnComplete: true,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  });
  // The number of warm-up rounds is not known in advance.
  if (process.stderr.isTTY) bar.start((rounds + 2) * scenario.contenders.length, 0);
  try {
    const quick = options.full ? {} : { warmUp: QUICK_WARM_UP };
    return await measure(scenario, { rounds, seconds, ...quick, progress: done => bar.update(done) });
  } finally {
    bar.stop();
  }
}

function printMissing(results: ScenarioResult[]): void {
  const missing = new Map(
    results.flatMap(result => result.missing).map(({ name, failed }) => [name, failed]),
  );
  if (missing.size === 0) return;
  console.log('\nNot on this machine, and left out:');
  for (const [name, reason] of missing) console.log(`  ${titleOf(name)} (${name}): ${reason}`);
}

async function runAll(scenarios: Scenario[]): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  for (const [i, scenario] of scenarios.entries()) {
    results.push(await run(scenario, `${i + 1}/${scenarios.length}`));
    console.log(printTable(results.at(-1)!));
  }
  printMissing(results);
  return results;
}

async function checkAll(scenarios: Scenario[], results: ScenarioResult[]): Promise<void> {
  const stored = storedResults(options.results).flatMap(({ scenarios }) => scenarios);
  const { compared, problems } = await check(stored, results, name => {
    console.log(`${name} seems slower: once more`);
    return run(scenarios.find(scenario => scenario.name === name)!, 'again');
  });
  console.log(`\n${compared} scenarios compared with the stored results`);
  for (const problem of problems) console.log(`SLOWER  ${problem}`);
  if (problems.length !== 0) process.exitCode = 1;
}

/** Scenarios by family; only complete families can be stored. */
function families<T extends { name: string }>(scenarios: T[]): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const scenario of scenarios) {
    const family = familyOf(scenario.name);
    found.set(family, [...(found.get(family) ?? []), scenario]);
  }
  return found;
}

function checkWhole(scenarios: Scenario[]): void {
  const all = families(SCENARIOS);
  for (const [family, chosen] of families(scenarios)) {
    if (chosen.length === all.get(family)!.length) continue;
    throw new RangeError(`--save: this is only a part of ${family}`);
  }
}

async function main(): Promise<void> {
  if (options.node !== undefined && !isThisNode(options.node)) {
    process.exitCode = runOn(options.node);
    return;
  }
  const scenarios = chosen();
  if (options.help) {
    console.log(HELP);
    return;
  }
  if (options.list) {
    for (const { name, title, contenders } of scenarios) {
      console.log(
        `${name.padEnd(26)} ${title}\n${' '.repeat(27)}${contenders.map(({ name }) => name).join(' ')}`,
      );
    }
    return;
  }
  if (options.report) {
    // The chart library takes a while to load.
    const { writeReport } = await import('./report.js');
    writeReport(storedResults(options.results));
    return;
  }
  const { available, reason } = probe();
  if (!available) throw reason;
  if (scenarios.length === 0) throw new RangeError(`no scenario or no peer of that name: --list shows them`);
  if (options.save) checkWhole(scenarios);
  const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
  const machine = describeMachine(command, rounds, seconds);
  console.log(machineLine(machine));
  console.log(
    `${rounds} rounds of ${seconds} s in turns; ${pinned ? 'servers on core 0, load on core 1' : 'nothing pinned to a core'}; load in ${machine.load}.\n` +
      'CPU us: CPU time of the process for one operation, median of the rounds. Ratio: to C, or else to Node.',
  );
  const results = await runAll(scenarios);
  if (options.json !== undefined) writeResults(options.json, { machine, scenarios: results });
  if (options.save) {
    for (const [family, scenarios] of families(results)) {
      writeResults(join(options.results, `${family}.json`), { machine, scenarios });
    }
  }
  if (options.check) await checkAll(scenarios, results);
}

/** Runs this program again on another Node, whose results belong to every peer that is Node. */
function runOn(version: string): number {
  if (!/^[1-9]\d*(\.(0|[1-9]\d*)){0,2}$/.test(version)) {
    throw new RangeError(`--node ${version}: a version such as 26 is needed`);
  }
  const { program, env } = nodeOfVersion(version);
  const args = [...process.execArgv, ...process.argv.slice(1)];
  return spawnSync(program, args, { stdio: 'inherit', env }).status ?? 1;
}

process.once('SIGINT', () => process.exit(130));
await main().catch(error => {
  console.error(error.message);
  process.exit(1);
});
