import { extname } from 'node:path';
import type { Mime } from 'mime';
import type { FileHandle } from '../../fs/handle/file-handle.js';
import { allocateBuffer, allocatePooled } from '../../loop/memory/buffer-memory.js';
import { dateAt, wallClock } from '../../loop/real-timers.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, UasyncError } from '../../sys/errors/errors.js';
import type { SpecialBody, SpecialTarget } from '../message/body.js';
import { type HeadersSource, HttpHeaders } from '../message/headers.js';
import { httpDate } from '../output/date.js';
import { NO_LENGTH, ResponseHead } from '../output/response-head.js';
import type { OpenFile } from '../transport/open-file.js';
import { conditionStatus, isRangeWanted } from './conditions.js';
import { secondsOf } from './http-date.js';
import { type Range, rangesOf } from './ranges.js';
import { notFound, openFile, Root } from './safe-path.js';
import type { UnsentFile } from './unsent-file.js';

/** Options for sending a file. */
export interface FileOptions {
  /** A folder that must contain the file, whose path is relative to it: no dots and no links lead out of it. */
  root?: string | undefined;
  /** Additional headers, which take precedence over those that describe the file. */
  headers?: HeadersSource | undefined;
}

const FILE_OPTIONS = optionNames<FileOptions>({ root: true, headers: true });

/** Content up to this size is copied, and sent together with its head, in one write. */
const JOIN_MAX = 64 * 1024;

/** How much is read at a time. */
const PIECE = 64 * 1024;

let mime: Mime | null = null;
const types = new Map<string, string>();

/** The `Content-Type` of a path. */
export async function typeOf(path: string): Promise<string> {
  const extension = extname(path);
  let type = types.get(extension);
  if (type === undefined) {
    // Its tables take milliseconds to make.
    mime ??= (await import('mime')).default;
    type = mime.getType(extension) ?? 'application/octet-stream';
    if (/^text\/|^application\/(?:javascript|json|xml)$|\+xml$/.test(type)) type += ';charset=utf-8';
    if (types.size < 1024) types.set(extension, type);
  }
  return type;
}

/** A file as the body of a Response. Created by `file`. Iterating it reads the file. */
export class FileBody implements SpecialBody {
  /** Distinguishes it from other bodies. */
  readonly isSpecialBody = true;
  readonly #file: string | OpenFile;
  /** Its path; '' for a handle. */
  readonly #path: string;
  readonly #headers: HeadersSource | undefined;
  readonly #root: Root | null;
  readonly #unsent: UnsentFile | null;

  /** @internal Use `file`. @param unsent the file itself, for the first that sends or reads it. */
  constructor(
    file: string | OpenFile,
    headers: HeadersSource | undefined,
    root: Root | null,
    unsent: UnsentFile | null = null,
  ) {
    this.#file = file;
    this.#path = typeof file === 'string' ? file : '';
    this.#headers = headers;
    this.#root = root;
    this.#unsent = unsent;
  }

  /** It will not be sent. */
  discard(): void {
    this.#unsent?.close();
  }

  /** Sends it; called by the server. */
  async send(target: SpecialTarget): Promise<void> {
    const handle = await this.#open();
    try {
      await this.#sendOpen(target, handle);
    } finally {
      await this.#close(handle);
    }
  }

  /** Its contents, for what reads a response instead of sending it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const handle = await this.#open();
    try {
      if (!(await handle.stat()).isFile()) throw notFound(this.#path);
      for (let at = 0; ; ) {
        const bytes = allocateBuffer(PIECE);
        const { bytesRead } = await handle.read(bytes, 0, PIECE, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield bytes.subarray(0, bytesRead);
      }
    } finally {
      await this.#close(handle);
    }
  }

  async #open(): Promise<OpenFile> {
    if (typeof this.#file !== 'string') return this.#file;
    const opened = this.#unsent?.take() ?? (await (this.#root?.open(this.#file) ?? openFile(this.#file)));
    return opened as unknown as OpenFile;
  }

  /** The caller's own handle stays open. */
  async #close(handle: OpenFile): Promise<void> {
    if (handle !== this.#file) await (handle as FileHandle).close();
  }

  async #sendOpen(target: SpecialTarget, handle: OpenFile): Promise<void> {
    const stats = await handle.stat();
    if (!stats.isFile()) throw notFound(this.#path);
    const { request } = target;
    const { size } = stats;
    // What cannot be read is found while there can be another answer.
    if (handle === this.#file && size > 0) await handle.read(new Uint8Array(1), 0, 1, 0);
    const headers = this.#given(target);
    const own = { etag: headers.get('etag'), date: headers.get('last-modified') };
    const changed = Math.floor(stats.mtimeMs / 1000);
    // A peer can repeat only the validators that it was sent.
    const validators = {
      etag: own.etag ?? `"${size.toString(36)}-${Math.round(stats.mtimeMs * 1000).toString(36)}"`,
      modified: own.date === null ? changed : secondsOf(own.date),
    };
    if (!headers.has('content-type')) headers.append('content-type', await typeOf(this.#path));
    if (own.etag === null) headers.append('etag', validators.etag);
    // Not in the future, whatever the file says. RFC 9110, 8.8.2.1
    const isLater = changed * 1000 > wallClock();
    if (own.date === null)
      headers.append('last-modified', isLater ? httpDate() : dateAt(changed * 1000).toUTCString());
    if (!headers.has('accept-ranges')) headers.append('accept-ranges', 'bytes');
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const plain = target.status === 200 && reads;
    const status = plain ? conditionStatus(request, validators) : 0;
    if (status !== 0) {
      target.begin(new ResponseHead(status, '', headers.list, null), status === 304 ? NO_LENGTH : 0);
      return;
    }
    const range =
      plain && request.method === 'GET' && isRangeWanted(request, validators) ? request.get('range') : null;
    const ranges = range === null ? null : rangesOf(range, size);
    if (ranges === null) {
      target.begin(new ResponseHead(target.status, target.statusText, headers.list, null), size);
      if (request.method !== 'HEAD') await sendPart(target, handle, 0, size);
    } else if (ranges.length === 0) {
      headers.delete('content-type');
      headers.set('content-range', `bytes */${size}`);
      target.begin(new ResponseHead(416, '', headers.list, null), 0);
    } else if (ranges.length === 1) {
      const { start, end } = ranges[0]!;
      headers.set('content-range', `bytes ${start}-${end}/${size}`);
      target.begin(new ResponseHead(206, '', headers.list, null), end - start + 1);
      await sendPart(target, handle, start, end - start + 1);
    } else await sendParts(target, handle, headers, ranges, size);
  }

  /** The headers of the options and of the response. */
  #given({ list }: SpecialTarget): HttpHeaders {
    const headers = new HttpHeaders(this.#headers);
    for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!);
    return headers;
  }
}

async function sendPart(
  target: SpecialTarget,
  handle: OpenFile,
  offset: number,
  length: number,
): Promise<void> {
  const { outlet, transport } = target;
  if (length === 0) return;
  if (length <= JOIN_MAX) {
    if (outlet.file(handle, offset, length)) return;
    const bytes = allocatePooled(length);
    let at = 0;
    while (at < length) {
      const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
      if (bytesRead === 0) throw shrunk();
      at += bytesRead;
    }
    outlet.data(bytes);
    return;
  }
  const sent = outlet.fileNow(handle, offset, length);
  if (sent === length) return;
  offset += sent;
  length -= sent;
  outlet.flush();
  if ((await transport.sendFile(handle, offset, length)) !== length) throw shrunk();
  outlet.bytes += length;
}

/** Several parts, as one body. RFC 9110, 14.6 */
async function sendParts(
  target: SpecialTarget,
  handle: OpenFile,
  headers: HttpHeaders,
  ranges: readonly Range[],
  size: number,
): Promise<void> {
  const boundary = process.getBuiltinModule('node:crypto').randomUUID();
  const type = headers.get('content-type')!;
  headers.set('content-type', `multipart/byteranges; boundary=${boundary}`);
  const heads = ranges.map(
    ({ start, end }, i) =>
      `${i === 0 ? '' : '\r\n'}--${boundary}\r\ncontent-type: ${type}\r\ncontent-range: bytes ${start}-${end}/${size}\r\n\r\n`,
  );
  const tail = `\r\n--${boundary}--\r\n`;
  const lengths = ranges.map(({ start, end }, i) => heads[i]!.length + end - start + 1);
  const total = lengths.reduce((sum, length) => sum + length, tail.length);
  target.begin(new ResponseHead(206, '', headers.list, null), total);
  for (const [i, { start, end }] of ranges.entries()) {
    target.outlet.head(heads[i]!);
    await sendPart(target, handle, start, end - start + 1);
  }
  target.outlet.head(tail);
}

function shrunk(): UasyncError {
  return new UasyncError('ERR_HTTP_FILE', 'The file has become shorter while it was sent');
}

/**
 * A file as the body of a Response: `new Response(file('logo.svg'))`. It is sent without passing through JavaScript,
 * with `Content-Type`, `ETag`, `Last-Modified` and `Accept-Ranges`. If the status is 200, conditions and ranges of the
 * request apply. A file that does not exist, or may not be read, fails with ERR_HTTP_FILE: the peer gets 404, unless
 * `onError` returns another response.
 * @param path a path, below `root` if that is given; or a FileHandle, of this package or of Node's, which stays open.
 * @throws TypeError for wrong arguments.
 */
export function file(path: string | OpenFile, options: FileOptions = {}): FileBody {
  checkOptions(options, FILE_OPTIONS);
  if (typeof path !== 'string' && typeof (path as Partial<OpenFile> | null)?.fd !== 'number') {
    throw argTypeError('path', 'of type string or a FileHandle', path);
  }
  const { root, headers } = options;
  if (root !== undefined && typeof root !== 'string') {
    throw argTypeError('options.root', 'of type string', root);
  }
  return new FileBody(path, headers, root === undefined ? null : new Root(root));
}
