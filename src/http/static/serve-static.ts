import type { FileHandle } from '../../fs/handle/file-handle.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { type HeadersSource, HttpHeaders } from '../message/headers.js';
import { HttpResponse } from '../message/response.js';
import { FileBody, typeOf } from './file-body.js';
import { decodePath, Root } from './safe-path.js';
import { UnsentFile } from './unsent-file.js';

/** Options for serving a folder. */
export interface StaticOptions {
  /** The file for a path that ends with a slash; default 'index.html', '' for none. */
  index?: string | undefined;
  /** Headers for all files: `{ 'Cache-Control': 'max-age=3600' }`. */
  headers?: HeadersSource | undefined;
  /** Whether names that begin with a dot are served; default false. */
  dotfiles?: boolean | undefined;
  /** Whether `name.br` and `name.gz` are sent for `name` to peers that accept them; default false. */
  precompressed?: boolean | undefined;
  /** The prefix of the path of all URLs: '/assets'. Default ''. */
  prefix?: string | undefined;
}

const STATIC_OPTIONS = optionNames<StaticOptions>({
  index: true,
  headers: true,
  dotfiles: true,
  precompressed: true,
  prefix: true,
});

/** Codings by the extension of their files, the better ones first. */
const CODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Whether an `Accept-Encoding` accepts a coding. */
function accepts(header: string, coding: string): boolean {
  return header.split(',').some(part => {
    const [name, ...parameters] = part.trim().toLowerCase().split(';');
    return name!.trim() === coding && !parameters.some(text => /^\s*q=0(?:\.0*)?\s*$/.test(text));
  });
}

/** Answers with the files of a folder. */
class Folder {
  readonly #root: Root;
  readonly #options: StaticOptions;

  constructor(root: string, options: StaticOptions) {
    this.#root = new Root(root);
    this.#options = options;
  }

  async answer(request: Request): Promise<HttpResponse> {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      return new HttpResponse('Method Not Allowed\n', { status: 405, headers: { allow: 'GET, HEAD' } });
    }
    const { index = 'index.html', dotfiles = false, prefix = '' } = this.#options;
    const { pathname, search } = new URL(request.url);
    if (!pathname.startsWith(prefix)) return missing();
    const below = pathname.slice(prefix.length);
    if (below !== '' && !below.startsWith('/') && !prefix.endsWith('/')) return missing();
    const path = decodePath(below);
    if (path === null || (!dotfiles && /(?:^|\/)\./.test(path))) return missing();
    // The prefix itself is a folder, too.
    if (!pathname.endsWith('/')) {
      const found = await this.#found(path, request);
      if (found !== 'folder') return found ?? missing();
      // Otherwise relative links would resolve beside the folder. One slash only: two would name a host.
      return new HttpResponse(null, {
        status: 301,
        headers: { location: `${pathname.replace(/^\/+/, '/')}/${search}` },
      });
    }
    if (index === '') return missing();
    const found = await this.#found(`${path}/${index}`, request);
    return found === null || found === 'folder' ? missing() : found;
  }

  /** The answer with a file; null if there is none. */
  async #found(path: string, request: Request): Promise<HttpResponse | 'folder' | null> {
    const headers = new HttpHeaders(this.#options.headers);
    if (this.#options.precompressed) {
      headers.append('vary', 'Accept-Encoding');
      const accepted = request.headers.get('accept-encoding') ?? '';
      const type = await typeOf(path);
      for (const [coding, suffix] of CODINGS) {
        if (!accepts(accepted, coding)) continue;
        const opened = await this.#open(`${path}${suffix}`);
        if (opened === null || opened === 'folder') continue;
        if (!headers.has('content-type')) headers.set('content-type', type);
        headers.set('content-encoding', coding);
        return this.#answerWith(`${path}${suffix}`, opened, headers);
      }
    }
    const opened = await this.#open(path);
    if (opened === null || opened === 'folder') return opened;
    return this.#answerWith(path, opened, headers);
  }

  #answerWith(path: string, opened: FileHandle, headers: HttpHeaders): HttpResponse {
    return new HttpResponse(new FileBody(path, undefined, this.#root, new UnsentFile(opened)), { headers });
  }

  async #open(path: string): Promise<FileHandle | 'folder' | null> {
    let file: FileHandle;
    try {
      file = await this.#root.open(path);
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_HTTP_FILE') return null;
      throw error;
    }
    const stats = await file.stat();
    if (stats.isFile()) return file;
    await file.close();
    return stats.isDirectory() ? 'folder' : null;
  }
}

function missing(): HttpResponse {
  return new HttpResponse('Not Found\n', { status: 404 });
}

/**
 * A handler that serves the files of a folder to GET and HEAD, as `file` sends them. Nothing outside of the folder is
 * served, whatever a path or a symbolic link says. A missing file gets 404, a folder without a slash at the end a
 * redirection.
 * @throws TypeError for wrong arguments.
 */
export function serveStatic(
  root: string,
  options: StaticOptions = {},
): (request: Request) => Promise<HttpResponse> {
  if (typeof root !== 'string') throw argTypeError('root', 'of type string', root);
  checkOptions(options, STATIC_OPTIONS);
  const folder = new Folder(root, options);
  return request => folder.answer(request);
}
