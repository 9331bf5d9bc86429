/** Files changed and read by random calls, many at once, beside a copy of each in memory: what is read is what was written. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { openPipe } from 'uasync/net';
import { fuzzing, fuzzTimeout } from '../fuzzing.js';
import { checkLeaks, makeFifo, scratchFolder, seededRandom } from '../harness.js';

checkLeaks();

const MODES = [true, false, 'random'] as const;
const SECONDS = 2;
t.setTimeout(fuzzTimeout(SECONDS) * 2);
const folder = scratchFolder();
const random = seededRandom(t);
const below = (limit: number): number => Math.floor(random() * limit);
/** Short lengths are as likely as long ones. */
const someLength = (limit: number): number => Math.floor(limit ** random());

const FILES = 12;
const SIZE_MAX = 600_000;

const noise = Buffer.from(Uint8Array.from({ length: 2 * SIZE_MAX }, () => below(256)));
/** Bytes that differ from others. */
function someBytes(limit: number): Buffer {
  const from = below(SIZE_MAX);
  return noise.subarray(from, from + someLength(limit));
}

/** A file, and what it should hold. */
class Model {
  readonly path: string;
  content: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
  }

  put(bytes: Buffer, position: number): void {
    const end = position + bytes.length;
    if (bytes.length === 0) return;
    if (end > this.content.length) this.resize(end);
    bytes.copy(this.content, position);
  }

  resize(length: number): void {
    const content = Buffer.alloc(length);
    this.content.copy(content);
    this.content = content;
  }

  check(found: Buffer, from = 0): void {
    const expected = this.content.subarray(from, from + found.length);
    if (expected.equals(found)) return;
    throw new Error(`${found.length} bytes at ${from} of ${this.path} are not what was written`);
  }

  checkAll(found: Buffer): void {
    this.check(found);
    if (found.length === this.content.length) return;
    throw new Error(`${this.path} has ${found.length} bytes instead of ${this.content.length}`);
  }
}

async function changeWhole(model: Model): Promise<void> {
  const { path } = model;
  const bytes = someBytes(SIZE_MAX);
  switch (below(6)) {
    case 0:
      model.content = Buffer.from(bytes);
      return fs.writeFile(path, bytes);
    case 1: {
      if (model.content.length > SIZE_MAX) break;
      const { length } = model.content;
      model.put(bytes, length);
      return fs.appendFile(path, bytes);
    }
    case 2: {
      const length = below(model.content.length + 1000);
      model.resize(length);
      return fs.truncate(path, length);
    }
    case 3: {
      await fs.copyFile(path, `${path}-copy`);
      model.checkAll(await fs.readFile(`${path}-copy`));
      return fs.unlink(`${path}-copy`);
    }
    case 4: {
      await fs.rename(path, `${path}-moved`);
      return fs.rename(`${path}-moved`, path);
    }
  }
  model.checkAll(await fs.readFile(path));
  const { size } = await fs.stat(path);
  if (size !== model.content.length) throw new Error(`${path}: stat says ${size} bytes`);
}

async function changeOpened(model: Model): Promise<void> {
  const handle = await fs.open(model.path, 'r+');
  try {
    for (let left = 1 + below(8); left > 0; left--) {
      const position = below(model.content.length + 1);
      switch (below(6)) {
        case 0: {
          const bytes = someBytes(200_000);
          model.put(bytes, position);
          const { bytesWritten } = await handle.write(bytes, 0, bytes.length, position);
          if (bytesWritten !== bytes.length) throw new Error(`${bytesWritten} bytes were written`);
          break;
        }
        case 1: {
          const pieces = [someBytes(5000), someBytes(5000)];
          model.put(Buffer.concat(pieces), position);
          await handle.writev(pieces, position);
          break;
        }
        case 2: {
          const length = below(model.content.length + 1000);
          model.resize(length);
          await handle.truncate(length);
          break;
        }
        case 3:
          await (random() < 0.5 ? handle.sync() : handle.datasync());
          break;
        default:
          await readPieces(handle, model);
      }
    }
  } finally {
    await handle.close();
  }
}

/** Several reads at once. Each may have fewer bytes than there are, but has some. */
async function readPieces(handle: fs.FileHandle, model: Model): Promise<void> {
  const reads = Array.from({ length: 1 + below(5) }, async () => {
    const position = below(model.content.length + 1);
    const target = Buffer.alloc(1 + someLength(300_000));
    const { bytesRead } = await handle.read(target, 0, target.length, position);
    model.check(target.subarray(0, bytesRead), position);
    if (bytesRead === 0 && position < model.content.length) throw new Error('nothing was read');
  });
  await Promise.all(reads);
}

/** What goes through a FIFO, and through reads and writes that are given up, arrives whole. */
async function throughFifo(path: string): Promise<void> {
  const [input, output] = await Promise.all([
    fs.open(path, constants.O_RDONLY),
    fs.open(path, constants.O_WRONLY),
  ]);
  const [reader, writer] = [
    openPipe(input.fd, { autoClose: false }),
    openPipe(output.fd, { autoClose: false }),
  ];
  const bytes = Buffer.concat(Array.from({ length: 1 + below(20) }, () => someBytes(30_000)));
  const write = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + 1 + someLength(40_000));
      await writer.write(piece);
      at += piece.length;
    }
  };
  const read = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const options = random() < 0.4 ? { timeout: random() * 2 } : {};
      const chunk = await reader.read(options).catch((error: { code: string }) => {
        if (error.code !== 'ETIMEDOUT') throw error;
        return Buffer.alloc(0);
      });
      if (chunk === null || !bytes.subarray(at, at + chunk.length).equals(chunk)) {
        throw new Error(`${chunk?.length} bytes at ${at} are not what was written to the FIFO`);
      }
      at += chunk.length;
    }
  };
  await Promise.all([write(), read()]);
  await Promise.all([reader.close(), writer.close()]);
  await Promise.all([input.close(), output.close()]);
}

for (const inline of MODES) {
  t.test(`files and a FIFO, inline: ${inline}`, { timeout: fuzzTimeout(SECONDS) }, async t => {
    loop().close();
    loop({ inline });
    const goesOn = fuzzing(SECONDS, 1 / MODES.length);
    let calls = 0;
    const change = async (model: Model): Promise<void> => {
      await fs.writeFile(model.path, '');
      do {
        await (random() < 0.5 ? changeWhole(model) : changeOpened(model));
        calls++;
      } while (goesOn());
      model.checkAll(await fs.readFile(model.path));
      await fs.unlink(model.path);
    };
    const fifo = makeFifo(folder, `fifo-${inline}`);
    const pass = async (): Promise<void> => {
      do await throughFifo(fifo);
      while (goesOn());
    };
    const models = Array.from({ length: FILES }, (_, i) => new Model(join(folder, `file-${i}`)));
    await Promise.all([...models.map(change), pass()]);
    t.comment(`${calls} calls`);
    t.strictSame(
      (await fs.readdir(folder)).filter(name => name.startsWith('file')),
      [],
      'all are gone',
    );
  });
}
