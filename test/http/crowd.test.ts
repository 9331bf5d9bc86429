/** 2,000 peers that keep the server waiting: others are served meanwhile, memory is bounded, and nothing stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { Response } from 'uasync/http';
import { checkLeaks, collectGarbage, standstill, until } from '../harness.js';
import { built, PLAIN_NODE } from '../programs.js';
import { portOf, served } from './served.js';

checkLeaks();

const PEERS = 2000;
/** For each, of a body that is not read or of an answer without an end, on average. */
const BYTES_EACH = 100_000;

/** What is in use: the process keeps more of what others have had. */
function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

t.test('a crowd of bad peers', async t => {
  let made = 0;
  const server = await served(
    t,
    async request => {
      const { pathname } = new URL(request.url);
      if (pathname === '/ignored') return new Promise<Response>(() => {});
      if (pathname === '/read') {
        for await (const _ of request.body!) {
          // One piece after the other.
        }
      }
      if (pathname === '/endless') {
        return new Response(
          (async function* () {
            for (;;) {
              made++;
              yield new Uint8Array(10_000);
            }
          })(),
        );
      }
      return new Response('served');
    },
    // Nothing ends the peers, however long it takes until all are there.
    { onError: () => undefined, keepAliveTimeout: 0, idleTimeout: 0, headersTimeout: 0, requestTimeout: 0 },
  );
  const get = async (): Promise<string> => (await fetch(server.url)).text();
  await get();
  collectGarbage();
  const before = memory();

  const [command, ...args] = [
    ...PLAIN_NODE,
    built('test/http/bad-peers.js'),
    `${portOf(server)}`,
    `${PEERS}`,
  ];
  const peers = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [active] = (await once(peers.stdout, 'data')) as [Buffer];
  const isThere = (): boolean => server.stats().active === Number(active);
  while (!isThere()) t.equal(await get(), 'served');
  await standstill(() => made);
  for (let i = 0; i < 50; i++) t.equal(await get(), 'served');
  t.ok(isThere());
  collectGarbage();
  const used = memory() - before;
  t.ok(used < PEERS * BYTES_EACH, `${used} bytes`);
  t.comment(`${Math.round(used / PEERS)} bytes for each`);

  const exited = once(peers, 'exit');
  peers.stdin.end('go');
  await exited;
  await until(() => server.stats().connections <= 1);
  t.equal(server.stats().active, 0);
  t.equal(await get(), 'served');
});
