/** docs/reference.md has every public name, and every public name says what it is. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import * as uasync from 'uasync';
import * as files from 'uasync/fs';
import * as net from 'uasync/net';
import * as ring from 'uasync/ring';
import { ROOT } from './programs.js';
import { LISTING, publicApi } from './public-api.js';
import { documented, ENTRIES, reference } from './reference.js';
import './patience.js';

function read(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

for (const { name, file } of ENTRIES) {
  t.test(`every name of ${name} has a doc comment, and so have its members`, async t => {
    const all = documented(file);
    t.ok(all.length > (file.startsWith('node/') ? 1 : 10), `${all.length} names`);
    for (const one of all) {
      for (const { name, text } of [one, ...one.members]) t.not(text, '', `${one.name} ${name}`);
    }
  });
}

t.test('what is exported is documented', async t => {
  const names = new Set(ENTRIES.flatMap(({ file }) => documented(file)).map(({ name }) => name));
  const exported = [uasync, net, files, ring].flatMap(entry => Object.keys(entry));
  const page = read('docs/reference.md');
  for (const name of exported.filter(name => name !== 'default')) {
    t.ok(names.has(name) || page.includes(`\`${name}\` `) || name === 'STATX', name);
  }
  // With their members, those of a base class without a public name too.
  const members = documented('net/index.d.ts').find(({ name }) => name === 'Connection')!.members;
  for (const name of ['read', 'closed', 'setLinger']) t.ok(members.some(member => member.name === name));
});

t.test('docs/reference.md is up to date: npm run reference writes it', async t => {
  t.equal(read('docs/reference.md'), reference());
});

t.test(
  'a change of the public API changes its listing: npm run reference writes it, CHANGELOG.md says it',
  async t => {
    const [listed, now] = [read(LISTING), publicApi()];
    t.equal(now, listed);
    // All entry points, overloads, the types of options, and what a base class without a public name has.
    for (const part of [
      '// uasync/node/dgram',
      'lstat(path: PathLike, options: StatOptions & {',
      'maxBodySize?: number',
      "ERR_LOOP_EXISTS: 'UasyncError'",
      'setLinger(seconds: number | null): this;',
      'export declare const OP_NOP = 0;',
    ]) {
      t.ok(listed.includes(part), part);
    }
  },
);

t.test('what uasync/fs has besides the names of node:fs/promises is in docs/fs.md', async t => {
  const node = await import('node:fs/promises');
  const text = read('docs/fs.md');
  const own = Object.keys(files).filter(name => !(name in node));
  t.ok(own.length > 0, own.join(', '));
  for (const name of own) t.match(text, new RegExp(`\\b${name}\\b`), name);
});
