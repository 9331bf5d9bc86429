/** An error says in its stack who waited for it, not only that the loop made it. */
import { join } from 'node:path';
import t from 'tap';
import * as fs from 'uasync/fs';
import { connect, listen } from 'uasync/net';
import { checkLeaks, scratchFolder } from '../harness.js';

checkLeaks();
const missing = join(scratchFolder(), 'missing', 'file');

/** What fails at once, without waiting, has the caller itself on its stack. */
const WAITS = /at (async )?whoWaits/;

async function stackOf(call: () => Promise<unknown>): Promise<string> {
  async function whoWaits(): Promise<void> {
    await call();
  }
  const error: Error = await whoWaits().then(
    () => t.fail('it succeeded'),
    error => error,
  );
  return error.stack!;
}

for (const [name, call] of Object.entries({
  open: () => fs.open(missing),
  readFile: () => fs.readFile(missing),
  writeFile: () => fs.writeFile(missing, 'x'),
  mkdir: () => fs.mkdir(missing),
  rename: () => fs.rename(missing, `${missing}2`),
  connect: () => connect({ port: 1, host: '127.0.0.1' }),
})) {
  t.test(`of ${name}`, async t => t.match(await stackOf(call), WAITS));
}

t.test('of calls on sockets', async t => {
  await using server = await listen({ port: 0, host: '127.0.0.1' });
  await using conn = await connect({ port: server.address.port });
  await using served = await server.accept();
  t.ok(served);
  const late = { timeout: 1 };
  for (const call of [
    () => conn.read(late),
    () => conn.readInto(Buffer.alloc(1), late),
    () => conn.readExactly(1, late),
    () => conn.readUntil('\n', late),
    () => conn.peek(1, late),
    () => server.accept(late),
  ]) {
    t.match(await stackOf(call), WAITS);
  }
});
