/** Reads lines of text. */
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkInt } from '../../sys/check/check.js';
import { optionNames } from '../../sys/check/options.js';
import { argValueError, UasyncError } from '../../sys/errors/errors.js';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const LINE_MAX = 65536;
/** Joins a line when it has this many pieces. */
const PIECES_MAX = 1024;

/** Encodings in which a line end is one byte, and that byte means nothing else. */
type LineEncoding = 'utf8' | 'utf-8' | 'latin1' | 'binary' | 'ascii';
const ENCODINGS: readonly string[] = ['utf8', 'utf-8', 'latin1', 'binary', 'ascii'];

/** Options of `lines`. */
export interface LinesOptions extends WaitOptions {
  /** The encoding of the bytes; default 'utf8'. */
  encoding?: LineEncoding | undefined;
  /** The maximum size of a line in bytes, without its end; default 65536. */
  max?: number | undefined;
}

const LINES_OPTIONS = optionNames<LinesOptions>({ encoding: true, max: true, signal: true, timeout: true });

/** A source of lines. */
interface Source {
  read(options?: WaitOptions): Promise<Buffer | null>;
  close(): Promise<void>;
}

/** See `Connection.lines` and `Pipe.lines`. */
export async function* linesOf(
  source: Source,
  options: LinesOptions = {},
): AsyncGenerator<string, void, undefined> {
  // Before anything starts: a wrong option keeps the source open.
  checkWait(options, LINES_OPTIONS);
  const { encoding = 'utf8', signal, timeout } = options;
  if (!ENCODINGS.includes(encoding)) {
    throw argValueError('options.encoding', `must be one of: ${ENCODINGS.join(', ')}`, encoding);
  }
  const max = checkInt('options.max', options.max ?? LINE_MAX, 1, 0x7fffffff);
  try {
    const line = new Line(max);
    for (;;) {
      const chunk = await source.read({ signal, timeout });
      if (chunk === null) break;
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        line.add(chunk.subarray(start, end));
        yield line.take(true).toString(encoding);
        start = end + 1;
      }
      if (start < chunk.length) line.add(chunk.subarray(start));
    }
    if (line.length !== 0) yield line.take(false).toString(encoding);
  } finally {
    await source.close();
  }
}

/** The pieces of an incomplete line. */
class Line {
  length = 0;
  readonly #max: number;
  #pieces: Buffer[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.length += piece.length;
    // Its end may have two bytes, one of which is here.
    if (this.length > this.#max + 1) throw this.#tooLong();
    if (this.#pieces.length === PIECES_MAX) this.#pieces = [Buffer.concat(this.#pieces)];
  }

  /** Its bytes, without the end. @param ended whether a newline came after them. */
  take(ended: boolean): Buffer {
    let bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.length = 0;
    if (ended && bytes[bytes.length - 1] === RETURN) bytes = bytes.subarray(0, -1);
    if (bytes.length > this.#max) throw this.#tooLong();
    return bytes;
  }

  #tooLong(): UasyncError {
    return new UasyncError('ERR_LINE_TOO_LONG', `A line is longer than ${this.#max} bytes`);
  }
}
