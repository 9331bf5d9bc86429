/** Packages whose servers and clients are busy do the same with `uasync/register` as without. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import '../patience.js';
import { built, PLAIN_NODE, ROOT } from '../programs.js';

async function run(what: string): Promise<{ stdout: string; stderr: string }> {
  const [command, ...node] = PLAIN_NODE;
  const program = built('test/fixtures/packages.js');
  return promisify(execFile)(command, [...node, '--import', 'uasync/register', program], {
    cwd: ROOT,
    env: { ...process.env, UASYNC_REGISTER: what },
    timeout: 200_000,
    maxBuffer: 1 << 24,
  });
}

t.test('express, fastify, koa and ws', async t => {
  const stock = await run('off');
  t.equal(stock.stderr, 'TCP');
  const ours = await run('all');
  t.equal(ours.stderr, 'TcpHandle');
  t.equal(ours.stdout.split('\n').length, 5, 'each has been used');
  t.ok(ours.stdout === stock.stdout, 'the clients have seen the same');
});
