/** Node's own Request, Response and Headers: nothing loads them until they are needed. */
import t from 'tap';
import { built, output, PLAIN_NODE } from '../programs.js';

const [command, ...node] = PLAIN_NODE;

function run(...args: string[]): Promise<string> {
  return output(command, [...node, built('test/fixtures/lazy-platform.js'), ...args]);
}

t.test('a server with its own Response does not load them; instanceof does', async t => {
  const [answer, own, other, kinds, chain] = (await run()).split('\n');
  t.equal(answer, '2 3 false');
  t.equal(own, 'true false', 'nor does instanceof of our class');
  t.equal(other, 'false true', 'that of another one follows the prototypes');
  t.equal(kinds, 'true true true');
  t.equal(chain, 'true', 'and then they are linked without a detour');
});

t.test('util.inspect shows a response before they are loaded', async t => {
  t.match(await run('inspect'), /^2 3 false\nResponse \{\n {2}status: 200,/);
});

t.test('a program that has made our Response global by itself is told how to', async t => {
  const [answer, kinds, code] = (await run('by hand')).split('\n');
  t.equal(answer, '2 3 false');
  t.equal(kinds, 'true false');
  t.equal(code, 'ERR_INVALID_STATE', 'for what needs the platform’s');
});
