/** The load generators for machines without a C compiler. */
import t from 'tap';
import type { LoadResult } from '../../benchmark/load.js';
import { BODY } from '../../benchmark/peers/http/hello.js';
import { latencyOf } from '../../benchmark/statistics.js';
import '../patience.js';
import { built, output } from '../programs.js';
import { sharedServer } from '../shared-server.js';

/** Runs one against a server; also what has failed prints what it has counted. */
async function run(
  server: string[],
  generator: string,
  numbers: (string | number)[],
  before: string[] = [],
): Promise<LoadResult> {
  const [fixture, ...how] = server;
  const port = await sharedServer(fixture!, ...how);
  const args = [...before, '127.0.0.1', port, ...numbers].map(String);
  const command = [built(`benchmark/load/${generator}.js`), ...args];
  // Only of what never comes back the end is not waited for.
  const env = { ...process.env, UASYNC_LOAD_GRACE: how[0] === 'drop' ? '1' : '60' };
  return output(process.execPath, command, env).then(JSON.parse, error => JSON.parse(error.stdout));
}

const RUDE = 'test/fixtures/rude-echo.js';
const STREAMS: [generator: string, numbers: number[], before?: string[]][] = [
  ['stream', [4, 64, 2, 0.2]],
  ['churn', [4, 64, 0.2]],
  ['paced', [4, 64, 500, 0.2], ['tcp']],
];

for (const [name, numbers, before] of STREAMS) {
  t.test(`${name} notices what a server does`, async t => {
    const against = (how: string): Promise<LoadResult> => run([RUDE, how], name, numbers, before);
    const well = await against('well');
    t.match(well, { corrupt: 0, lost: 0 });
    t.ok(well.ops > 0);
    t.ok(latencyOf([well.latencies])!.p50 > 0);
    t.match(await against('split'), { corrupt: 0, lost: 0 });
    t.ok((await against('corrupt')).corrupt > 0);
    t.ok((await against('drop')).lost > 0);
  });
}

t.test('datagrams are compared and counted', async t => {
  const against = (how: string): Promise<LoadResult> =>
    run(['test/fixtures/rude-udp.js', how], 'datagram', [4, 64, 2, 1.5]);
  const well = await against('well');
  t.match(well, { corrupt: 0, lost: 0 });
  t.ok(well.ops > 0);
  t.ok((await against('corrupt')).corrupt > 0);
  const drop = await against('drop');
  t.ok(drop.lost > 0 && drop.ops > 0);
});

t.test('answers of HTTP are compared', async t => {
  const against = (body: string): Promise<LoadResult> =>
    run(['benchmark/peers/http/node-http.js', '0'], 'http', [4, body, 0.2]);
  const well = await against(BODY);
  t.equal(well.corrupt, 0);
  t.ok(well.ops > 0);
  t.ok((await against('Hello, there!\n')).corrupt > 0);
});
