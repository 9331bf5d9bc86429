/** VitePress's configuration of the documentation's site. site/build.ts puts it beside the pages. */
import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../project.json', import.meta.url), 'utf8'));

/** Pages by what they are for; site/build.ts checks that none of docs is missing. */
const GROUPS = {
  Guide: ['install', 'net', 'datagrams', 'fs', 'http', 'threads', 'register', 'loop', 'ring'],
  Operation: ['backends', 'containers', 'debugging', 'performance'],
  Reference: ['reference', 'errors'],
};

/** The first heading of a page. */
function titleOf(path) {
  const text = readFileSync(new URL(`../${path}.md`, import.meta.url), 'utf8');
  return /^# (.*)$/m.exec(text)[1];
}

function item(path) {
  return { text: titleOf(path), link: `/${path}` };
}

const sidebar = [
  { text: 'uasync', link: '/' },
  ...Object.entries(GROUPS).map(([text, pages]) => ({
    text,
    items: pages.map(page => item(`docs/${page}`)),
  })),
  {
    text: 'Project',
    items: [
      item('CHANGELOG'),
      item('CONTRIBUTING'),
      item('SECURITY'),
      { text: 'Examples', link: '/examples/' },
    ],
  },
];

export default {
  title: 'uasync',
  description: 'io_uring for Node.js: sockets, files and timers that you await',
  base: process.env.UASYNC_SITE_BASE ?? '/',
  rewrites: { 'README.md': 'index.md' },
  outDir: './html',
  markdown: {
    html: false,
    // Links to headings are written as GitHub names them.
    anchor: {
      slugify: heading =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .replace(/\s/g, '-'),
    },
  },
  themeConfig: {
    nav: [
      { text: 'Reference', link: '/docs/reference' },
      { text: `Version ${version}`, link: '/CHANGELOG' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
  },
};
