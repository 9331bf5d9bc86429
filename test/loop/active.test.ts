/** `loop().active()`: what keeps the process alive. */
import t from 'tap';
import { type ActiveResource, loop, signals, sleep } from 'uasync';
import { listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { HOST, pair } from '../net/sockets.js';
import { built, output } from '../programs.js';

checkLeaks();

function kinds(): string[] {
  return loop()
    .active()
    .map(({ kind, what }) => `${kind} ${what}`)
    .sort();
}

t.test('it lists what is in flight and referenced, with its object', async t => {
  t.same(kinds(), []);
  const listener = await listen({ port: 0, host: HOST });
  t.same(loop().active(), [{ kind: 'Listener', what: 'accept', object: listener, stack: undefined }]);
  const [conn, peer] = await pair(t);
  const reading = conn.read();
  t.equal(
    loop()
      .active()
      .find(({ kind }) => kind === 'Connection')!.object,
    conn,
  );
  const controller = new AbortController();
  const sleeping = sleep(60_000, { signal: controller.signal }).catch(() => {});
  t.same(kinds(), ['Connection read', 'Listener accept', 'Timer timeout']);
  listener.unref();
  t.same(kinds(), ['Connection read', 'Timer timeout']);
  const usr2 = signals('SIGUSR2').ref();
  t.equal(
    loop()
      .active()
      .find(({ kind }) => kind === 'SignalIterator')!.object,
    usr2,
  );
  usr2.unref();
  controller.abort();
  await sleeping;
  await peer.close();
  t.equal(await reading, null);
  await conn.close();
  await listener.close();
  t.same(kinds(), []);
});

t.test('an object is found as long as it lives', async t => {
  const listener = await listen({ port: 0, host: HOST });
  // By then it is watched for being collected.
  await sleep(500);
  t.equal(loop().active()[0]!.object, listener);
  await listener.close();
});

t.test('with UASYNC_TRACE=1 it says where each was started', async t => {
  const env = { ...process.env, UASYNC_TRACE: '1' };
  const printed = await output(process.execPath, [built('test/fixtures/active.js')], env);
  const found = JSON.parse(printed) as ActiveResource[];
  t.match(found.find(({ kind }) => kind === 'Timer')!.stack, /^ +at [\s\S]*whoWaits/);
  t.match(found.find(({ kind }) => kind === 'Listener')!.stack, /whoListens/);
});
