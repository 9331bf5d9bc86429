/** Files as bodies, and folders: what is sent, what is not, and nothing outside of the root. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  realpathSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open as nodeOpen } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import { open } from 'uasync/fs';
import { file, type Handler, Response, type Server, serveStatic } from 'uasync/http';
import { connect } from 'uasync/net';
import { EAGAIN, EINTR } from '../../src/sys/abi/errno.js';
import { checkLeaks, makeFifo, scratchFolder, turns } from '../harness.js';
import { pattern } from '../net/sockets.js';
import { built, output, PLAIN_NODE, ROOT } from '../programs.js';
import { answersIn, HOST, portOf, type RawAnswer, served, talk } from './served.js';

checkLeaks();

const folder = scratchFolder();
const root = join(folder, 'root');
mkdirSync(join(root, 'sub'), { recursive: true });
mkdirSync(join(root, 'empty'));
const small = pattern(1000);
const large = pattern(300_000);
writeFileSync(join(root, 'small.png'), small);
writeFileSync(join(root, 'large.bin'), large);
writeFileSync(join(root, 'page.html'), '<p>ñ</p>');
writeFileSync(join(root, 'nothing.css'), '');
writeFileSync(join(root, 'a b%.txt'), 'odd name');
writeFileSync(join(root, 'sub', 'index.html'), 'the index');
writeFileSync(join(root, '.secret'), 'hidden');
writeFileSync(join(folder, 'outside.txt'), 'outside');
mkdirSync(join(folder, 'root-beside'));
writeFileSync(join(folder, 'root-beside', 'x.txt'), 'beside');
symlinkSync('small.png', join(root, 'inside-link.png'));
symlinkSync('../outside.txt', join(root, 'link.txt'));
symlinkSync('..', join(root, 'up'));
makeFifo(root, 'fifo');
const MODIFIED = 1_700_000_000;
utimesSync(join(root, 'small.png'), MODIFIED, MODIFIED);

function request(path: string, headers = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`;
}

async function ask(server: Server, path: string, headers = '', method = 'GET'): Promise<RawAnswer> {
  const [answer] = answersIn(await talk(server, [request(path, headers, method)]), [method]);
  return answer!;
}

function bytesOf({ body }: RawAnswer): Buffer {
  return Buffer.from(body, 'latin1');
}

const statics = (test: Parameters<typeof served>[0], options = {}): Promise<Server> =>
  served(test, serveStatic(root, options));

t.test('files of a folder', async t => {
  const server = await statics(t);
  const one = await ask(server, '/small.png');
  t.equal(one.status, 200);
  t.same(bytesOf(one), small);
  t.equal(one.headers.get('content-type'), 'image/png');
  t.equal(one.headers.get('content-length'), '1000');
  t.equal(one.headers.get('last-modified'), new Date(MODIFIED * 1000).toUTCString());
  t.match(one.headers.get('etag'), /^"[^"]+"$/);
  t.equal(one.headers.get('accept-ranges'), 'bytes');
  t.same(bytesOf(await ask(server, '/large.bin')), large);
  t.equal((await ask(server, '/page.html')).headers.get('content-type'), 'text/html;charset=utf-8');
  t.match(await ask(server, '/nothing.css'), { status: 200, body: '' });
  t.match(await ask(server, '/a%20b%25.txt?x=y'), { status: 200, body: 'odd name' });
  t.match(await ask(server, '/sub/'), { status: 200, body: 'the index' });
  t.same(bytesOf(await ask(server, '/inside-link.png')), small);
  const head = await ask(server, '/large.bin', '', 'HEAD');
  t.match(head, { status: 200, body: '' });
  t.equal(head.headers.get('content-length'), `${large.length}`);
  const moved = await ask(server, '/sub?x=y');
  t.equal(moved.status, 301);
  t.equal(moved.headers.get('location'), '/sub/?x=y');
  t.equal((await ask(server, '//sub')).headers.get('location') ?? '/sub/', '/sub/');
  const post = await ask(server, '/small.png', '', 'POST');
  t.equal(post.status, 405);
  t.equal(post.headers.get('allow'), 'GET, HEAD');
});

t.test('what is not there, and what may not be seen', async t => {
  const server = await statics(t);
  const paths = [
    '/none',
    '/sub/none',
    '/empty/',
    '/',
    '/.secret',
    '/%2esecret',
    '/small.png/',
    '/small.png/x',
    '/fifo',
  ];
  const outside = [
    '/../outside.txt',
    '/%2e%2e/outside.txt',
    '/..%2foutside.txt',
    '/..%5coutside.txt',
    '/sub/..%2f..%2foutside.txt',
    '/%2e%2e%2foutside.txt',
    '/.%2e/outside.txt',
    '/%252e%252e/outside.txt',
    '/..\\outside.txt',
    '/link.txt',
    '/up/outside.txt',
    '/up/root/small.png/../../outside.txt',
    '/../root-beside/x.txt',
    '/up/root-beside/x.txt',
    '//outside.txt',
    `/${join(folder, 'outside.txt')}`,
    '/small.png%00.txt',
    '/%ff',
    '/%',
  ];
  for (const path of [...paths, ...outside]) {
    const { status, body } = await ask(server, path);
    t.equal(status, 404, path);
    t.equal(body, 'Not Found\n');
  }
  t.match(await ask(await statics(t, { dotfiles: true }), '/.secret'), { body: 'hidden' });
  t.match(await ask(await statics(t, { dotfiles: true }), '/%2e%2e/outside.txt'), { status: 404 });
  t.match(await ask(await served(t, serveStatic(join(folder, 'gone'))), '/x'), { status: 404 });
});

t.test('conditions', async t => {
  // Dates without a zone are those of UTC.
  const { TZ } = process.env;
  process.env.TZ = 'America/New_York';
  t.teardown(() => {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  });
  const server = await statics(t);
  const { headers } = await ask(server, '/small.png');
  const etag = headers.get('etag')!;
  const date = headers.get('last-modified')!;
  const before = new Date((MODIFIED - 1) * 1000).toUTCString();
  const cases: [headers: string, status: number][] = [
    [`If-None-Match: ${etag}`, 304],
    [`If-None-Match: W/${etag}`, 304],
    [`If-None-Match: "x", ${etag}`, 304],
    ['If-None-Match: *', 304],
    ['If-None-Match: "x"', 200],
    [`If-None-Match: "x"\r\nIf-Modified-Since: ${date}`, 200],
    [`If-Modified-Since: ${date}`, 304],
    [`If-Modified-Since: ${before}`, 200],
    ['If-Modified-Since: nonsense', 200],
    // The other forms of 14 Nov 2023 22:13:20, and of an hour before.
    ['If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT', 304],
    ['If-Modified-Since: Tuesday, 14-Nov-23 21:13:20 GMT', 200],
    ['If-Modified-Since: Tue Nov 14 22:13:20 2023', 304],
    ['If-Modified-Since: Tue Nov 14 21:13:20 2023', 200],
    // What a Date understands is not always a date of HTTP.
    ['If-Modified-Since: 2100', 200],
    ['If-Modified-Since: 2100-01-01T00:00:00Z', 200],
    ['If-Unmodified-Since: 2000', 200],
    [`If-Match: ${etag}`, 200],
    ['If-Match: *', 200],
    ['If-Match: "x"', 412],
    [`If-Match: W/${etag}`, 412],
    [`If-Unmodified-Since: ${date}`, 200],
    [`If-Unmodified-Since: ${before}`, 412],
    [`If-None-Match: ${etag}\r\nRange: bytes=0-1`, 304],
  ];
  for (const [conditions, expected] of cases) {
    const { status, headers, body } = await ask(server, '/small.png', `${conditions}\r\n`);
    t.equal(status, expected, conditions);
    if (status === 304) {
      t.equal(headers.get('etag'), etag);
      t.equal(headers.has('content-length'), false);
    }
    t.equal(body.length, status === 200 ? 1000 : 0);
  }
});

t.test('conditions on the ETag and the Last-Modified of the response', async t => {
  const date = new Date((MODIFIED - 1000) * 1000).toUTCString();
  const before = new Date((MODIFIED - 1001) * 1000).toUTCString();
  const server = await served(t, request => {
    const etag = new URL(request.url).pathname === '/weak' ? 'W/"mine"' : '"mine"';
    return new Response(file(join(root, 'small.png')), { headers: { ETag: etag, 'Last-Modified': date } });
  });
  const cases: [path: string, headers: string, status: number][] = [
    ['/', 'If-None-Match: "mine"', 304],
    ['/', 'If-None-Match: W/"mine"', 304],
    ['/', 'If-Match: "mine"', 200],
    ['/', 'If-Match: W/"mine"', 412],
    ['/', 'If-Range: "mine"\r\nRange: bytes=0-1', 206],
    ['/', `If-Range: ${date}\r\nRange: bytes=0-1`, 206],
    ['/', `If-Modified-Since: ${date}`, 304],
    ['/', `If-Modified-Since: ${before}`, 200],
    ['/', `If-Unmodified-Since: ${date}`, 200],
    ['/', `If-Unmodified-Since: ${before}`, 412],
    ['/weak', 'If-None-Match: W/"mine"', 304],
    ['/weak', 'If-None-Match: "mine"', 304],
    ['/weak', 'If-Match: W/"mine"', 412],
    ['/weak', 'If-Range: W/"mine"\r\nRange: bytes=0-1', 200],
  ];
  for (const [path, conditions, expected] of cases) {
    const { status, headers } = await ask(server, path, `${conditions}\r\n`);
    t.equal(status, expected, `${path} ${conditions}`);
    t.equal(headers.get('last-modified'), date);
  }
});

t.test('ranges', async t => {
  const server = await statics(t);
  const { headers } = await ask(server, '/small.png');
  const etag = headers.get('etag')!;
  const cases: [range: string, from: number, to: number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=990-', 990, 1000],
    ['bytes=990-2000', 990, 1000],
    ['bytes=-10', 990, 1000],
    ['bytes=-2000', 0, 1000],
    ['Bytes=5-6', 5, 7],
    ['bytes=2000-2001, 5-6', 5, 7],
    ['bytes=990-9223372036854775807', 990, 1000],
    ['bytes=-18446744073709551615', 0, 1000],
    ['bytes=, 5-6 ,', 5, 7],
  ];
  for (const [range, from, to] of cases) {
    const answer = await ask(server, '/small.png', `Range: ${range}\r\n`);
    t.equal(answer.status, 206, range);
    t.equal(answer.headers.get('content-range'), `bytes ${from}-${to - 1}/1000`);
    t.same(bytesOf(answer), small.subarray(from, to));
  }
  for (const range of ['bytes=1000-', 'bytes=-0', 'bytes=5000-6000', 'bytes=9223372036854775807-']) {
    const answer = await ask(server, '/small.png', `Range: ${range}\r\n`);
    t.equal(answer.status, 416, range);
    t.equal(answer.headers.get('content-range'), 'bytes */1000');
    t.equal(answer.body, '');
  }
  const whole = [
    'lines=0-1',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=a-b',
    'bytes=2-1',
    'bytes=-',
    'bytes=0-5,3-9',
    'bytes=0-,0-,0-',
    `bytes=${'0-0,'.repeat(40)}1-1`,
  ];
  for (const range of whole)
    t.equal((await ask(server, '/small.png', `Range: ${range}\r\n`)).status, 200, range);
  t.equal((await ask(server, '/small.png', `Range: bytes=0-1\r\nIf-Range: ${etag}\r\n`)).status, 206);
  t.equal((await ask(server, '/small.png', 'Range: bytes=0-1\r\nIf-Range: "x"\r\n')).status, 200);
  t.equal((await ask(server, '/small.png', `Range: bytes=0-1\r\nIf-Range: W/${etag}\r\n`)).status, 200);
  t.equal(
    (await ask(server, '/small.png', `Range: bytes=0-1\r\nIf-Range: ${headers.get('last-modified')}\r\n`))
      .status,
    206,
  );
  t.equal((await ask(server, '/small.png', 'Range: bytes=0-1\r\n', 'HEAD')).status, 200);
  const part = await ask(server, '/large.bin', 'Range: bytes=100-250000\r\n');
  t.same(bytesOf(part), large.subarray(100, 250_001));

  t.equal((await ask(server, '/nothing.css', 'Range: bytes=-5\r\n')).status, 200, 'all of nothing');
  t.equal((await ask(server, '/nothing.css', 'Range: bytes=0-5\r\n')).status, 416);

  const several = await ask(server, '/small.png', 'Range: bytes=0-1, -3, 5-7\r\n');
  t.equal(several.status, 206);
  const [, boundary] = /^multipart\/byteranges; boundary=(.*)$/.exec(several.headers.get('content-type')!)!;
  const parts = several.body.split(`--${boundary}`);
  t.equal(parts.length, 5);
  t.equal(parts[4], '--\r\n');
  for (const [i, [from, to]] of (
    [
      [0, 2],
      [997, 1000],
      [5, 8],
    ] as const
  ).entries()) {
    const expected = `\r\ncontent-type: image/png\r\ncontent-range: bytes ${from}-${to - 1}/1000\r\n\r\n${small.toString('latin1', from, to)}\r\n`;
    t.equal(parts[i + 1], expected);
  }
});

t.test('a file from the future has changed just now', async t => {
  const path = join(root, 'future.txt');
  writeFileSync(path, 'x');
  utimesSync(path, MODIFIED, 5_000_000_000);
  const server = await statics(t);
  const start = Math.floor(Date.now() / 1000) * 1000;
  const { headers } = await ask(server, '/future.txt');
  const sent = Date.parse(headers.get('last-modified')!);
  t.ok(sent >= start && sent <= Date.now(), `${headers.get('last-modified')}`);
  // It may change again.
  t.equal(
    (await ask(server, '/future.txt', `If-Modified-Since: ${headers.get('last-modified')}\r\n`)).status,
    200,
  );
  t.equal((await ask(server, '/future.txt', `If-None-Match: ${headers.get('etag')}\r\n`)).status, 304);
});

t.test('a file is not missing for an interruption', async t => {
  const { calls } = loop();
  const refusals = [EINTR, EAGAIN];
  const { readLink } = calls;
  calls.readLink = (fd, path) => refusals.shift() ?? readLink.call(calls, fd, path);
  t.teardown(() => {
    calls.readLink = readLink;
  });
  const server = await statics(t);
  t.same(bytesOf(await ask(server, '/small.png')), small);
  t.equal(refusals.length, 0);
});

/** Around the sizes from which on content is not copied, is sent by itself, and is sent in pieces. */
const SIZES = [1, 8192, 8193, 30_000, 65_536, 65_537, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 7];

t.test('pipelined requests for files of all sizes are answered in order, also to a slow peer', async t => {
  const content = pattern(SIZES.at(-1)!);
  for (const size of SIZES) writeFileSync(join(root, `size-${size}`), content.subarray(0, size));
  const server = await statics(t);
  const sizes = [...SIZES, ...SIZES.toReversed(), 30_000, 30_000, 1];
  const requests = sizes.map(size => `GET /size-${size} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const last = request('/size-1');
  const peer = await connect({ port: portOf(server), host: HOST });
  await peer.write(requests.join('') + last);
  const received: Buffer[] = [];
  for await (const chunk of peer) {
    received.push(chunk);
    await turns(1);
  }
  const answers = answersIn(Buffer.concat(received).toString('latin1'));
  t.equal(answers.length, sizes.length + 1);
  for (const [i, size] of sizes.entries()) {
    t.ok(bytesOf(answers[i]!).equals(content.subarray(0, size)), `${size} bytes`);
  }
});

t.test('file(): paths, handles, headers and statuses', async t => {
  const handle = await open(join(root, 'small.png'));
  const nodes = await nodeOpen(join(root, 'small.png'));
  const handlers: Record<string, Handler> = {
    path: () => new Response(file(join(root, 'small.png'))),
    handle: () => new Response(file(handle as never)),
    nodes: () => new Response(file(nodes as never)),
    root: () => new Response(file('sub/index.html', { root })),
    out: () => new Response(file('../outside.txt', { root })),
    link: () => new Response(file('link.txt', { root })),
    headers: () =>
      new Response(file(join(root, 'page.html'), { headers: { 'X-A': '1' } }), {
        headers: { 'Content-Type': 'x/y', ETag: '"mine"' },
      }),
    missing: () => new Response(file(join(root, 'nope.html')), { status: 404 }),
    teapot: () => new Response(file(join(root, 'page.html')), { status: 418 }),
    folder: () => new Response(file(root)),
  };
  const server = await served(t, (request, info) =>
    handlers[new URL(request.url).pathname.slice(1)]!(request, info),
  );
  for (const way of ['path', 'handle', 'nodes', 'handle'])
    t.same(bytesOf(await ask(server, `/${way}`)), small, way);
  t.match(await ask(server, '/root'), { status: 200, body: 'the index' });
  for (const way of ['out', 'link', 'missing', 'folder'])
    t.equal((await ask(server, `/${way}`)).status, 404, way);
  const { headers } = await ask(server, '/headers');
  t.same([headers.get('x-a'), headers.get('content-type'), headers.get('etag')], ['1', 'x/y', '"mine"']);
  t.match(await ask(server, '/teapot', 'Range: bytes=0-1\r\n'), {
    status: 418,
    body: Buffer.from('<p>ñ</p>').toString('latin1'),
  });
  t.throws(() => file(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => file('x', { rot: '' } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => serveStatic(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => serveStatic('x', { indx: '' } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  await handle.close();
  await nodes.close();
});

t.test('a handle that cannot be read is answered with 500', async t => {
  const path = join(folder, 'unreadable');
  const told: unknown[] = [];
  for (const size of [0, 10, 200_000]) {
    writeFileSync(path, Buffer.alloc(size, 'x'));
    for (const by of [open, nodeOpen]) {
      const handle = await by(path, 'a');
      const server = await served(t, () => new Response(file(handle as never)), {
        onError: error => {
          told.push((error as NodeJS.ErrnoException).code);
          return undefined;
        },
      });
      t.equal((await ask(server, '/')).status, size === 0 ? 200 : 500, `${size} bytes`);
      await handle.close();
    }
  }
  t.same(told, Array(4).fill('EBADF'));
});

t.test('a file that becomes shorter while it is sent cuts the connection', async t => {
  const path = join(folder, 'shrinks');
  writeFileSync(path, Buffer.alloc(8 << 20));
  const errors: unknown[] = [];
  const server = await served(t, () => new Response(file(path)), {
    onError: error => {
      errors.push(error);
      return undefined;
    },
  });
  const { Peer } = await import('./served.js');
  const peer = await Peer.connect(server);
  peer.send(request('/'));
  await peer.until(received => received.length > 1000);
  peer.socket.pause();
  truncateSync(path, 1 << 10);
  peer.socket.resume();
  const received = await peer.whole();
  peer.close();
  t.ok(received.length < 8 << 20);
  t.match(errors, [{ code: 'ERR_HTTP_FILE' }]);
});

t.test('precompressed files, headers and prefixes', async t => {
  writeFileSync(join(root, 'app.js'), 'plain');
  writeFileSync(join(root, 'app.js.br'), 'as br');
  writeFileSync(join(root, 'app.js.gz'), 'as gzip');
  const server = await statics(t, {
    precompressed: true,
    headers: { 'Cache-Control': 'max-age=5' },
    prefix: '/assets',
  });
  const cases: [accepts: string, coding: string | undefined, body: string][] = [
    ['gzip, br', 'br', 'as br'],
    ['gzip', 'gzip', 'as gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip', 'as gzip'],
    ['identity', undefined, 'plain'],
    ['', undefined, 'plain'],
  ];
  for (const [accepts, coding, body] of cases) {
    const answer = await ask(server, '/assets/app.js', `Accept-Encoding: ${accepts}\r\n`);
    t.equal(answer.headers.get('content-encoding'), coding, accepts);
    t.equal(answer.body, body);
    t.equal(answer.headers.get('content-type'), 'text/javascript;charset=utf-8');
    t.equal(answer.headers.get('vary'), 'Accept-Encoding');
    t.equal(answer.headers.get('cache-control'), 'max-age=5');
  }
  t.equal((await ask(server, '/app.js')).status, 404);
});

t.test(
  'files that may not be read',
  { skip: process.getuid!() === 0 && 'root reads everything' },
  async t => {
    writeFileSync(join(root, 'locked'), 'x');
    execFileSync('chmod', ['0', join(root, 'locked')]);
    t.equal((await ask(await statics(t), '/locked')).status, 404);
  },
);

t.test('a prefix ends where a name does, and a root that is a link is followed anew', async t => {
  const link = join(folder, 'current');
  const releases = ['one', 'two'].map(name => join(folder, name));
  for (const release of releases) {
    mkdirSync(release);
    writeFileSync(join(release, 'a.txt'), release);
  }
  symlinkSync(releases[0]!, link);
  const server = await served(t, serveStatic(link, { prefix: '/assets' }));
  t.equal((await ask(server, '/assets/a.txt')).body, releases[0]);
  t.equal((await ask(server, '/assetsa.txt')).status, 404);
  const bare = await ask(server, '/assets?x=1');
  t.same([bare.status, bare.headers.get('location')], [301, '/assets/?x=1']);
  unlinkSync(link);
  symlinkSync('../one/a.txt', join(releases[1]!, 'old.txt'));
  symlinkSync(releases[1]!, link);
  t.equal((await ask(server, '/assets/old.txt')).status, 404, 'the old folder is no longer served');
  t.equal((await ask(server, '/assets/a.txt')).body, releases[1]);
  t.equal((await ask(server, '/assets/../one/a.txt')).status, 404);
});

t.test('Node’s permission model: what may be read is served', async t => {
  const flags = process.allowedNodeEnvironmentFlags;
  const model = flags.has('--permission') ? '--permission' : '--experimental-permission';
  const net = flags.has('--allow-net') ? ['--allow-net'] : [];
  const allowed = [ROOT, join(ROOT, 'node_modules'), root].map(
    path => `--allow-fs-read=${realpathSync(path)}/`,
  );
  const [program, ...args] = PLAIN_NODE;
  const options = [...args, model, ...net, '--allow-addons', '--no-warnings', ...allowed];
  const ask = (path: string): Promise<string> =>
    output(program, [...options, built('test/fixtures/serves-folder.js'), realpathSync(root), path]);
  t.equal(await ask('/page.html'), '200 <p>ñ</p>\n');
  t.equal(await ask('/link.txt'), '404 Not Found\n\n');
});

t.test('names that are not UTF-8: two that look the same are not', async t => {
  const [own, other] = [0xff, 0xfe].map(byte => Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(byte)]));
  for (const at of [own!, other!]) {
    mkdirSync(at);
    writeFileSync(Buffer.concat([at, Buffer.from('/a.txt')]), at);
  }
  const link = join(folder, 'odd');
  symlinkSync(own!, link);
  symlinkSync(Buffer.concat([other!, Buffer.from('/a.txt')]), join(link, 'link.txt'));
  const server = await served(t, serveStatic(link));
  t.equal((await ask(server, '/a.txt')).status, 200);
  t.equal((await ask(server, '/link.txt')).status, 404);
});
