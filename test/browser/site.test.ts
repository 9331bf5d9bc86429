/** The documentation's site, which `npm run docs:site` builds, in headless Chromium: links, phones, search, dark mode. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Server, serve, serveStatic } from 'uasync/http';
import { scratchFolder } from '../harness.js';
import { built } from '../programs.js';
import { Browser, type Page } from './browser.js';
import { noBrowser } from './find.js';
import '../patience.js';

const SITE = built('docs-site');
const skip = noBrowser || (!existsSync(SITE) && 'the site is not built: npm run docs:site builds it');

/** What a page has, as the browser sees it. */
interface Seen {
  title: string;
  /** Of the site, absolute. */
  links: string[];
  ids: string[];
  /** How far it can be scrolled sideways, in pixels. */
  overflow: number;
  /** What makes it that wide. */
  wide: string[];
  brokenImages: string[];
}

const LOOK = `(async () => {
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  const { clientWidth, scrollWidth } = document.documentElement;
  const isWide = element => {
    if (element.getBoundingClientRect().right <= clientWidth + 1) return false;
    for (let at = element; at !== null; at = at.parentElement) {
      if (getComputedStyle(at).overflowX !== 'visible') return false;
    }
    return true;
  };
  return {
    title: document.title,
    links: [...document.links].map(({ href }) => href).filter(href => href.startsWith(location.origin)),
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    overflow: scrollWidth - clientWidth,
    wide: [...document.querySelectorAll('.vp-doc *')].filter(isWide).map(({ outerHTML }) => outerHTML.slice(0, 99)),
    brokenImages: [...document.images].filter(image => image.naturalWidth === 0).map(({ src }) => src),
  };
})()`;

/** A telephone of today that is narrow. */
const PHONE = 360;

let browser: Browser;
let server: Server;
let tab: Page;

if (skip === false) {
  t.before(async () => {
    browser = await Browser.launch(join(scratchFolder(), 'browser'));
    server = await serve({ port: 0, host: '127.0.0.1', fetch: serveStatic(SITE) });
    tab = await browser.newPage();
  });
  t.after(async () => {
    await browser.close();
    await server.stop({ timeout: 1000 });
  });
}

function address(path: string): string {
  return new URL(path, server.url).href;
}

t.test('every page: no dead link, no missing picture, and as wide as a telephone', { skip }, async t => {
  const pages = (readdirSync(SITE, { recursive: true }) as string[]).filter(
    path => path.endsWith('.html') && path !== '404.html',
  );
  t.ok(pages.length > 20, `${pages.length} pages`);
  await tab.resize(PHONE, 740, true);
  const seen = new Map<string, Seen>();
  for (const path of pages) {
    await tab.goto(address(path));
    await tab.waitFor("document.querySelector('.vp-doc h1')");
    seen.set(address(path), await tab.evaluate<Seen>(LOOK));
  }
  t.same(tab.errors, [], 'no error in any of them');
  const others = new Map<string, number>();
  for (const [from, { title, links, overflow, wide, brokenImages }] of seen) {
    t.not(title, '', from);
    t.same([overflow, wide], [0, []], `${from} is not wider than ${PHONE} pixels`);
    t.same(brokenImages, [], `${from}: pictures`);
    for (const link of links) {
      const { href, hash, pathname } = new URL(link);
      const target = href.slice(0, href.length - hash.length);
      const page = seen.get(pathname.endsWith('/') ? `${target}index.html` : target);
      if (page === undefined) {
        if (!others.has(target)) others.set(target, (await fetch(target)).status);
        t.equal(others.get(target), 200, `${from} links to ${target}`);
      } else if (hash !== '' && !page.ids.includes(decodeURIComponent(hash.slice(1)))) {
        t.fail(`${from} links to ${link}, which has no such heading`);
      }
    }
  }
});

t.test('search finds a page', { skip }, async t => {
  await tab.resize(1280, 800, false);
  await tab.goto(address('/'));
  await tab.waitFor("document.querySelector('.DocSearch-Button')");
  await tab.evaluate("document.querySelector('.DocSearch-Button').click()");
  await tab.waitFor("document.querySelector('.search-input')");
  await tab.evaluate(`{
    const input = document.querySelector('.search-input');
    input.value = 'allocPinned';
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }`);
  const found = await tab.waitFor<string>("document.querySelector('.results .result')?.href");
  t.match(found, server.url.href);
  await tab.goto(found);
  t.match(await tab.evaluate<string>("document.querySelector('.vp-doc').textContent"), 'allocPinned');
});

t.test('dark where the user prefers it, with text that stands out', { skip }, async t => {
  for (const scheme of ['dark', 'light'] as const) {
    await tab.prefer(scheme);
    await tab.goto(address('/docs/net.html'));
    const colours = await tab.evaluate<[string, string]>(`[
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.querySelector('.vp-doc p')).color,
    ]`);
    const [background, text] = colours.map(brightness) as [number, number];
    t.ok(Math.abs(background - text) > 128, `${scheme}: ${colours.join(' and ')}`);
    t.equal(background < text, scheme === 'dark', scheme);
  }
});

/** Of a colour as `rgb(1, 2, 3)`, from 0 to 255. */
function brightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = colour.match(/[\d.]+/g)!.map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue;
}
