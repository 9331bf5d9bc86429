/** Threads that are replaced one after the other: new code, and no connection is lost. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { checkLeaks, whenClosed } from '../harness.js';
import { askOnce, Module } from '../restarted-module.js';
import { ask, closed, open, portOf } from '../thread-server.js';

checkLeaks();

t.test('no connection is lost, and the new code serves', async t => {
  const module = new Module('v0');
  await using server = await module.serve(2);
  const port = portOf(server);
  let restarting = true;
  const answers = new Map<string, number>();
  const client = async (): Promise<void> => {
    while (restarting) {
      const answer = await askOnce(port, 'version').catch(error => `${error.code ?? error.message}`);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 3 }, client);
  for (let i = 1; i <= 3; i++) {
    module.write(`v${i}`);
    t.equal(await server.restart({ timeout: 60_000 }), 0, 'none was terminated');
    t.equal(await askOnce(port, 'version'), `v${i}`);
  }
  restarting = false;
  await Promise.all(clients);
  t.same(
    [...answers.keys()].filter(answer => !/^v\d$/.test(answer)),
    [],
    'nobody was refused or reset',
  );
  t.ok(answers.size > 1);
  t.same(
    (await server.stats()).map(({ restarts, loop }) => [restarts, loop!.stale]),
    [
      [3, 0],
      [3, 0],
    ],
  );
  t.equal(portOf(server), port);
});

t.test('what is in flight is finished by the old thread, or ended by the timeout', async t => {
  const module = new Module('old');
  await using server = await module.serve(1);
  const port = portOf(server);
  const socket = await open(port);
  t.equal(await ask(socket, 'stopping'), 'false');
  const oldChannel = server.channel(0);
  module.write('new');
  const restarted = server.restart({ timeout: 60_000 });
  // The new one takes over before the old one has ended.
  while (server.channel(0) === oldChannel) await new Promise(resolve => setTimeout(resolve, 5));
  while ((await ask(socket, 'stopping')) === 'false') await new Promise(resolve => setTimeout(resolve, 20));
  t.equal(await askOnce(port, 'version'), 'new');
  t.equal(await ask(socket, 'version'), 'old');
  await closed(socket);
  t.equal(await restarted, 0);

  const kept = await open(port);
  t.equal(await ask(kept, 'version'), 'new');
  const ended = whenClosed(kept);
  const now = new AbortController();
  const second = server.restart({ timeout: 60_000, signal: now.signal });
  while ((await ask(kept, 'stopping').catch(() => 'true')) === 'false') {
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  now.abort();
  t.equal(await second, 1, 'an abort terminates it at once');
  await ended;
});

t.test('connections that wait to be asked for are served', async t => {
  const module = new Module('unused');
  // One after the other: the others are accepted and wait.
  writeFileSync(
    module.path,
    `export default async function serve({ listen }) {
      for await (const conn of await listen({ port: 0, host: '127.0.0.1' })) {
        const asked = await conn.read();
        await conn.write(asked);
        await conn.close();
      }
    }`,
  );
  await using server = await module.serve(1);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => open(portOf(server))));
  const restarted = server.restart({ timeout: 60_000 });
  const oldChannel = server.channel(0);
  while (server.channel(0) === oldChannel) await new Promise(resolve => setTimeout(resolve, 5));
  for (const [i, socket] of sockets.entries()) t.equal(await ask(socket, `${i}`), `${i}`);
  await Promise.all(sockets.map(closed));
  t.equal(await restarted, 0);
});
