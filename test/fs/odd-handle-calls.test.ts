/**
 * Calls of a handle that are odd, but not always wrong: what they come to, and what they leave behind, is
 * what Node's come to.
 */
import nodeFs, { constants } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkLeaks, makeFifo, scratchFolder } from '../harness.js';
import { type Any, agreement, contentOf, errorOf, shown, withHandle } from './agreement.js';

const agree = agreement(scratchFolder());
checkLeaks();

function fifo(at: string): void {
  makeFifo(at, 'file');
}

t.test('read: every signature', async t => {
  const calls: unknown[][] = [
    ...[[], [undefined], [null], [{}], [{ length: 5 }], [{ length: 20_000 }], [{ offset: 3 }]],
    ...[[{ offset: 16_384 }], [{ length: 0 }], [{ position: 2 }], [{ position: null, length: 4 }]],
    ...[
      [{ buffer: 3 }],
      [{ buffer: 3, length: 10 }],
      [{ buffer: undefined }],
      ['text'],
      [5],
      [[]],
      [() => {}],
    ],
    ...[
      [4, 4],
      [4, 5],
      [4, 1, 3],
      [4, 1, 4],
      [4, null, 2],
      [4, undefined, undefined, null],
      [4, {}],
    ],
    ...[
      [4, { offset: 1, length: 2, position: 3 }],
      [4, { length: 5 }],
      [4, null],
      [4, '1'],
      [4, 0, -1],
    ],
    ...[[4, 0, 2, undefined], [4, 0, null, 1], [4, 1n], [0], [0, 0, 0], [4, 0, 4, 100], [4, 0, 0, -1]],
    ...[
      [new Float64Array(1)],
      [new DataView(new ArrayBuffer(8), 2)],
      [new Uint8Array(new SharedArrayBuffer(4))],
    ],
    ...[[new ArrayBuffer(4)], [{ buffer: new ArrayBuffer(4) }], [4, 0, 4, -1n], [4, 0, 4, 2 ** 40]],
  ];
  for (const call of calls) {
    const scenario = withHandle(async handle => {
      // A Buffer of its own for each: a number stands for its length.
      const [first, ...rest] = call as Any[];
      let target = typeof first === 'number' && (rest.length > 0 || first < 5) ? Buffer.alloc(first) : first;
      if (typeof first?.buffer === 'number') target = { ...first, buffer: Buffer.alloc(first.buffer) };
      const { bytesRead, buffer } = await handle.read(...(call.length === 0 ? [] : [target, ...rest]));
      const text = Buffer.from(buffer.buffer, buffer.byteOffset, Math.min(buffer.byteLength, 30));
      return [bytesRead, buffer.constructor.name, buffer.byteLength, text.toString('latin1', 0, bytesRead)];
    });
    await agree(t, `read(${call.map(shown)})`, scenario);
  }
});

t.test('write: every signature', async t => {
  const calls: unknown[][] = [
    ...[[], [undefined], [null], ['x'], ['x', null], ['x', undefined, 'hex'], ['ab', 0, 'hex']],
    ...[
      ['abc', 0, 'hex'],
      ['abc', 0, 'HEX'],
      ['x', 0, 'nonsense'],
      ['x', '0'],
      ['x', 2n],
      ['x', -1],
      ['x', 1.5],
    ],
    ...[['é', 1, 'latin1'], ['', 5], ['', null], [''], [Buffer.from('abc'), 1], [Buffer.from('abc'), 3]],
    ...[
      [Buffer.from('abc'), 4],
      [Buffer.from('abc'), 0, 0],
      [Buffer.from('abc'), 0, 4],
    ],
    ...[
      [Buffer.from('abc'), null, null, null],
      [Buffer.from('abc'), { offset: 1 }],
    ],
    ...[
      [Buffer.from('abc'), { offset: 1, length: 1, position: 5 }],
      [Buffer.from('abc'), { length: 9 }],
    ],
    ...[
      [Buffer.from('abc'), 0, 3, -1],
      [Buffer.from('abc'), 0, 3, 5n],
      [Buffer.from('abc'), 0, 3, '5'],
    ],
    ...[
      [new Uint16Array([1, 2])],
      [new DataView(new ArrayBuffer(3))],
      [{}],
      [[1]],
      [5],
      [true],
      [new Date(0)],
    ],
    ...[[{ toString: () => 'text' }], [new String('boxed')], [Buffer.from('abc'), '1'], [null, 0]],
  ];
  for (const call of calls) {
    const scenario = withHandle(async (handle, _, at) => {
      const { bytesWritten, buffer } = await handle.write(...call);
      return [bytesWritten, typeof buffer, contentOf(at)];
    });
    await agree(t, `write(${call.map(shown)})`, scenario);
  }
});

t.test('readv and writev', async t => {
  const calls: unknown[][] = [
    ...[
      [[]],
      [[Buffer.alloc(0)]],
      [[Buffer.alloc(0)], 0],
      [[Buffer.alloc(2), Buffer.alloc(0), Buffer.alloc(3)], 2],
    ],
    ...[
      [[Buffer.alloc(2)], null],
      [[Buffer.alloc(2)], -1],
      [[Buffer.alloc(2)], 2n],
      [[Buffer.alloc(2)], '2'],
    ],
    ...[[[Buffer.alloc(2)], 1.5], [[Buffer.alloc(2)], 100], ['x'], [null], [[1]], [[new Uint16Array(2)]]],
  ];
  for (const name of ['readv', 'writev']) {
    for (const flags of ['r+', 'r', 'a']) {
      for (const call of calls) {
        const scenario = withHandle(async (handle, _, at) => {
          const result = await handle[name](...call);
          return [Object.keys(result), result.bytesRead ?? result.bytesWritten, contentOf(at)];
        }, flags);
        await agree(t, `${name}(${call.map(shown)}) with ${flags}`, scenario);
      }
    }
  }
});

t.test('every flag, on a file, a new one and a folder', async t => {
  const texts = 'r rs sr rs+ sr+ r+ w wx xw w+ wx+ xw+ a ax xa as sa a+ ax+ xa+ as+ sa+ x R rw'.split(' ');
  const numbers = [0, 1, 2, 3, 64, -1, -2, 1.5, Number.NaN, 2 ** 31, 2 ** 32, -(2 ** 31)];
  const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const others = [
    '',
    null,
    undefined,
    O_DIRECTORY,
    O_NOFOLLOW,
    O_NONBLOCK,
    0o10000000,
    '1',
    true,
    {},
    [],
    5n,
  ];
  for (const flags of [...texts, ...numbers, ...others]) {
    for (const name of ['file', 'new', '.']) {
      await agree(t, `open ${name} ${shown(flags)}`, async (api, at) => {
        const handle = await api.open(join(at, name), flags, 0o600);
        const written = await handle.write('Z').then(({ bytesWritten }: Any) => bytesWritten, errorOf);
        const read = await handle
          .read(Buffer.alloc(3), 0, 3, 0)
          .then((result: Any) => result.bytesRead, errorOf);
        await handle.close();
        return [written, read, nodeFs.readdirSync(at), contentOf(at)];
      });
    }
  }
});

t.test('streams over a handle, with every option', async t => {
  const options = [
    ...[undefined, null, {}, { start: 2 }, { start: 2, end: 5 }, { end: 3 }, { highWaterMark: 1 }, 'utf8', 5],
    ...[
      { encoding: 'hex' },
      { encoding: 'nope' },
      { emitClose: false },
      { start: 100 },
      { fs: {} },
      { fs: null },
    ],
    ...[{ signal: AbortSignal.abort() }, { fd: 0 }, { flags: 'w' }, { mode: 0 }, { autoClose: 'x' }],
  ];
  for (const option of options as Any[]) {
    const read = withHandle(async handle => {
      const stream = handle.createReadStream(option);
      const chunks: unknown[] = [];
      try {
        for await (const chunk of stream) chunks.push(String(chunk));
      } catch (thrown) {
        chunks.push(errorOf(thrown));
      }
      return [chunks, stream.bytesRead, stream.start, stream.end, stream.destroyed, handle.fd >= 0];
    });
    await agree(t, `createReadStream ${shown(option)}`, read);
    const lines = withHandle(async handle => {
      const found: string[] = [];
      for await (const line of handle.readLines(option)) found.push(line);
      return [found, handle.fd >= 0];
    });
    if (option?.signal === undefined) await agree(t, `readLines ${shown(option)}`, lines);
    const write = withHandle(async (handle, _, at) => {
      const stream = handle.createWriteStream(option);
      const failed = await new Promise<unknown>(resolve => {
        stream.on('error', resolve);
        stream.on('finish', () => resolve(undefined));
        stream.write('abcd');
        stream.end('ef');
      });
      return [failed && errorOf(failed), stream.bytesWritten, stream.start, contentOf(at)];
    });
    await agree(t, `createWriteStream ${shown(option)}`, write);
  }
});

t.test('pipes: positions, and what does not wait', async t => {
  const { O_NONBLOCK, O_RDWR } = constants;
  const read = async (handle: Any, position?: number): Promise<unknown> =>
    handle.read(Buffer.alloc(4), 0, 4, position).then((result: Any) => result.bytesRead, errorOf);
  const write = async (handle: Any, size: number, position?: number): Promise<unknown> =>
    handle.write(Buffer.alloc(size), 0, size, position).then((result: Any) => result.bytesWritten, errorOf);
  const calls: Record<string, [flags: number, use: (handle: Any) => unknown]> = {
    'a position to read from': [O_RDWR, handle => read(handle, 0)],
    'a position to write to': [O_RDWR, handle => write(handle, 4, 0)],
    'nothing there, no writer': [O_NONBLOCK, handle => read(handle)],
    'nothing there, a writer': [O_NONBLOCK | O_RDWR, handle => read(handle)],
    'nothing there for readv': [O_NONBLOCK | O_RDWR, handle => handle.readv([Buffer.alloc(4)])],
    'nothing there for readFile': [O_NONBLOCK | O_RDWR, handle => handle.readFile()],
    'something there': [O_NONBLOCK | O_RDWR, async handle => [await write(handle, 2), await read(handle)]],
    'no room': [
      O_NONBLOCK | O_RDWR,
      async handle => [await write(handle, 50_000), await write(handle, 50_000), await write(handle, 50_000)],
    ],
    'no room for writeFile': [O_NONBLOCK | O_RDWR, handle => handle.writeFile(Buffer.alloc(200_000))],
  };
  for (const [name, [flags, use]] of Object.entries(calls))
    await agree(t, name, withHandle(use, flags), fifo);
  await agree(t, 'a position in a device', async api => {
    const handle = await api.open('/dev/zero');
    const results = [await read(handle, 100), (await handle.read(Buffer.alloc(4000))).bytesRead];
    await handle.close();
    return results;
  });
});
