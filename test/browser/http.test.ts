/** uasync/http as headless Chromium sees it. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';
import t from 'tap';
import { file, type Handler, Response, type Server, serve as serveHttp } from 'uasync/http';
import { checkLeaks, scratchFolder, until } from '../harness.js';
import { serve as serveProgram } from '../programs.js';
import { Browser } from './browser.js';
import { noBrowser } from './find.js';
import '../patience.js';

const IMAGES = 30;

checkLeaks();
const folder = scratchFolder();
let browser: Browser;
if (noBrowser === false) {
  t.before(async () => {
    browser = await Browser.launch(join(folder, 'browser'));
  });
  t.after(() => browser.close());
}

/** A server, until the test ends. */
async function serve(handler: Handler, run: (server: Server) => Promise<void>): Promise<void> {
  const server = await serveHttp({ port: 0, host: '127.0.0.1', fetch: handler });
  try {
    await run(server);
  } finally {
    await server.stop({ timeout: 1000 });
  }
}

t.test(`a page with ${IMAGES} images from files`, { skip: noBrowser }, async t => {
  const root = join(folder, 'images');
  mkdirSync(root);
  for (let width = 1; width <= IMAGES; width++) writeFileSync(join(root, `${width}.png`), png(width));
  const tags = Array.from({ length: IMAGES }, (_, i) => `<img src="/images/${i + 1}.png">`);
  let requests = 0;
  const handler: Handler = request => {
    requests++;
    const { pathname } = new URL(request.url);
    if (pathname === '/') return page(tags.join('\n'));
    const [, name] = /^\/images\/(\d+\.png)$/.exec(pathname) ?? [];
    if (name === undefined) return new Response(null, { status: 204 });
    return new Response(file(name, { root, headers: { 'Cache-Control': 'max-age=0' } }));
  };
  await serve(handler, async server => {
    const tab = await browser.newPage();
    await tab.goto(server.url.href);
    const widths = '[...document.images].map(image => image.complete && image.naturalWidth)';
    const expected = Array.from({ length: IMAGES }, (_, i) => i + 1);
    t.same(await tab.evaluate(widths), expected, 'each is the one that was asked for');
    const first = requests;
    t.ok(first > IMAGES, `${first} requests`);
    // Again: they are asked for with the ETags that they had, and answered by 304.
    await tab.loading(() => tab.send('Page.reload'));
    t.same(await tab.evaluate(widths), expected);
    t.ok(requests > first, `${requests - first} requests more`);
    t.ok(server.stats().accepted < requests, 'over connections that are kept');
    t.same(tab.errors, []);
    await tab.close();
  });
});

t.test('an upload form', { skip: noBrowser }, async t => {
  const content = randomBytes(3 << 20);
  const upload = join(folder, 'upload ü.bin');
  writeFileSync(upload, content);
  const form = `<form method="post" enctype="multipart/form-data">
    <input name="title" value="Grüße"><input type="file" name="data"><button>Send</button></form>`;
  const handler: Handler = async request => {
    if (request.method !== 'POST') return page(form);
    const data = await request.formData();
    const sent = data.get('data') as unknown as File;
    const hash = createHash('sha256')
      .update(Buffer.from(await sent.arrayBuffer()))
      .digest('hex');
    return page(`<pre>${JSON.stringify([data.get('title'), sent.name, sent.size, hash])}</pre>`);
  };
  await serve(handler, async server => {
    const tab = await browser.newPage();
    await tab.goto(server.url.href);
    await tab.choose('input[type=file]', upload);
    await tab.loading(() => tab.evaluate("document.querySelector('button').click()"));
    const told = await tab.evaluate<string>("document.querySelector('pre').textContent");
    const hash = createHash('sha256').update(content).digest('hex');
    t.same(JSON.parse(told), ['Grüße', 'upload ü.bin', content.length, hash]);
    t.same(tab.errors, []);
    await tab.close();
  });
});

t.test(
  'server-sent events, which go on where they were cut off, and end with the page',
  { skip: noBrowser },
  async t => {
    let open = 0;
    async function* events(from: number, signal: AbortSignal): AsyncGenerator<string> {
      open++;
      try {
        yield 'retry: 10\n\n';
        for (let id = from + 1; ; id++) {
          yield `id: ${id}\ndata: event ${id}\n\n`;
          // The first answer is cut after three.
          if (id === 3) return;
          await wait(5, undefined, { signal });
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        open--;
      }
    }
    const script = `<script>
    globalThis.seen = [];
    new EventSource('/events').onmessage = event => seen.push(event.lastEventId + ' ' + event.data);
  </script>`;
    const handler: Handler = request => {
      const { pathname } = new URL(request.url);
      if (pathname !== '/events') return page(script);
      const from = Number(request.headers.get('last-event-id') ?? 0);
      return new Response(events(from, request.signal), {
        headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
      });
    };
    await serve(handler, async server => {
      const tab = await browser.newPage();
      await tab.goto(server.url.href);
      const seen = await tab.waitFor<string[]>('seen.length >= 6 && seen');
      t.same(
        seen.slice(0, 6),
        Array.from({ length: 6 }, (_, i) => `${i + 1} event ${i + 1}`),
      );
      t.equal(open, 1);
      await tab.close();
      await until(() => open === 0);
      t.pass('the generator has ended with the page');
    });
  },
);

t.test('two pages of the chat example, by WebSockets', { skip: noBrowser }, async t => {
  const { port, child } = await serveProgram('examples/http/chat.js', '0');
  t.teardown(() => child.kill('SIGKILL'));
  const tabs = await Promise.all([1, 2].map(() => browser.newPage()));
  for (const tab of tabs) {
    await tab.goto(`http://127.0.0.1:${port}/`);
    await tab.waitFor('socket.readyState === WebSocket.OPEN');
  }
  const long = 'long '.repeat(10_000);
  const say = (text: string): string =>
    `document.querySelector('input').value = ${JSON.stringify(text)}; document.querySelector('form').requestSubmit()`;
  await tabs[0]!.evaluate(say('Grüße'));
  for (const tab of tabs) await tab.waitFor("document.querySelectorAll('li').length === 1");
  await tabs[1]!.evaluate(say(long));
  for (const tab of tabs) {
    await tab.waitFor("document.querySelectorAll('li').length === 2");
    const said = await tab.evaluate("[...document.querySelectorAll('li')].map(item => item.textContent)");
    t.same(said, ['Grüße', long]);
    t.same(tab.errors, []);
    await tab.close();
  }
});

function page(body: string): Response {
  const text = `<!doctype html><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,">${body}`;
  return new Response(text, { headers: { 'Content-Type': 'text/html; charset=utf-8' } });
}

/** A part of a PNG file. */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A grey image of one row. */
function png(width: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(1, 4);
  header[8] = 8;
  const row = Buffer.alloc(1 + width, 128);
  row[0] = 0;
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(row)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
