/** Lines of text from connections and pipes. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { connect, type LinesOptions, listen, openPipe } from 'uasync/net';
import { checkLeaks, scratchFolder, seededRandom, turns } from '../harness.js';

checkLeaks();

const folder = scratchFolder();

/** Has `pieces` arrive one after the other; the lines that come of them. */
async function linesOf(pieces: (string | Uint8Array)[], options?: LinesOptions): Promise<string[]> {
  await using server = await listen({ port: 0, host: '127.0.0.1' });
  const [client, conn] = await Promise.all([connect(server.address), server.accept()]);
  const sending = (async () => {
    for (const piece of pieces) {
      await client.write(piece);
      // Small ones: each is a chunk of its own.
      if (pieces.length < 100) await turns();
    }
    await client.close();
  })().catch(() => {});
  const lines: string[] = [];
  try {
    for await (const line of conn.lines(options)) lines.push(line);
  } finally {
    t.ok(conn.closed, 'it is closed by the end of the iteration');
    await sending;
  }
  return lines;
}

t.test('line ends of both kinds, empty lines, and a last one without an end', async t => {
  t.strictSame(await linesOf(['one\ntwo\r\n\n\r\nfive']), ['one', 'two', '', '', 'five']);
  t.strictSame(await linesOf(['one\r', '\ntwo', '\n']), ['one', 'two'], 'an end in two pieces');
  t.strictSame(await linesOf(['a\rb\nc\r']), ['a\rb', 'c\r'], 'no line ends by itself at \\r');
  t.strictSame(await linesOf([]), []);
});

t.test('characters that come in pieces, and other encodings', async t => {
  const bytes = Buffer.from('grüße €\n😀\n');
  t.strictSame(await linesOf([...bytes].map(byte => Buffer.of(byte))), ['grüße €', '😀']);
  t.strictSame(await linesOf([Buffer.from('grüße\n', 'latin1')], { encoding: 'latin1' }), ['grüße']);
  t.strictSame(await linesOf([Buffer.from([0xff, 0x0a])]), ['\ufffd']);
});

t.test('any text in pieces of any size', async t => {
  const random = seededRandom(t);
  const expected = Array.from({ length: 3000 }, () => 'ä'.repeat(Math.floor(random() ** 6 * 3000)));
  const bytes = Buffer.from(expected.map(line => `${line}${random() < 0.5 ? '\n' : '\r\n'}`).join(''));
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() ** 4 * 20_000);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  t.strictSame(await linesOf(pieces), expected);
});

t.test('a line that is too long is an error, however it comes', async t => {
  const long = { code: 'ERR_LINE_TOO_LONG', message: 'A line is longer than 5 bytes' };
  t.strictSame(await linesOf(['12345\n12345\r\n1234'], { max: 5 }), ['12345', '12345', '1234']);
  t.strictSame(await linesOf(['12345\r', '\n'], { max: 5 }), ['12345']);
  await t.rejects(linesOf(['123456\n'], { max: 5 }), long);
  await t.rejects(linesOf(['12345', '67'], { max: 5 }), long);
  await t.rejects(linesOf(['1', '2', '3', '4', '5', '6', '7', '8'], { max: 5 }), long);
  await t.rejects(linesOf(['123456'], { max: 5 }), long);
  await t.rejects(linesOf(['x'.repeat(70_000)]), { code: 'ERR_LINE_TOO_LONG' });
});

t.test('what is wrong, and what ends it early', async t => {
  const odd = [
    { encoding: 'utf16le' },
    { encoding: 5 },
    { max: 0 },
    { max: 1.5 },
    { signal: 5 },
    { timeout: -1 },
  ];
  await using server = await listen({ port: 0, host: '127.0.0.1' });
  const [other, whole] = await Promise.all([connect(server.address), server.accept()]);
  for (const options of [...odd, null, 5]) {
    const code = /^ERR_(INVALID_ARG|OUT_OF_RANGE)/;
    await t.rejects(whole.lines(options as never).next(), { code });
  }
  await t.rejects(whole.lines({ signal: AbortSignal.abort() }).next(), { name: 'AbortError' });
  t.notOk(whole.closed, 'nothing has started');
  await Promise.all([whole.close(), other.close()]);

  const [client, conn] = await Promise.all([connect(server.address), server.accept()]);
  await client.write('first\nsec');
  const controller = new AbortController();
  const lines = conn.lines({ signal: controller.signal });
  t.strictSame(await lines.next(), { value: 'first', done: false });
  const next = t.rejects(lines.next(), { name: 'AbortError' });
  await turns();
  controller.abort();
  await next;
  t.ok(conn.closed);
  t.strictSame(await lines.next(), { value: undefined, done: true });
  await client.close();

  const [second, left] = await Promise.all([connect(server.address), server.accept()]);
  await second.write('one\ntwo\n');
  for await (const line of left.lines({ timeout: 10_000 })) {
    t.equal(line, 'one');
    break;
  }
  t.ok(left.closed, 'leaving the loop closes it');
  await second.close();
});

t.test('pipes and files', async t => {
  const path = join(folder, 'file');
  writeFileSync(path, 'one\r\ntwo\nthree');
  const fd = openSync(path, 'r');
  const lines: string[] = [];
  for await (const line of openPipe(fd, { autoClose: false }).lines()) lines.push(line);
  t.strictSame(lines, ['one', 'two', 'three']);
  closeSync(fd);
});
